"""The table of notes."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply this step."""
    op.execute(
        """
        CREATE TABLE notes (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            text text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 10000),
            created_at timestamptz NOT NULL DEFAULT now(),
            words integer
        )
        """
    )
    op.execute("CREATE INDEX notes_uncounted ON notes (id) WHERE words IS NULL")
    op.execute("CREATE INDEX notes_created_at ON notes (created_at)")


def downgrade() -> None:
    """Take this step back."""
    op.execute("DROP TABLE notes")
