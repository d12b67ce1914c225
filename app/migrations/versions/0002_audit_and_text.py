"""The audit log; and `messages.text`, which takes the place of `body` while older releases run."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    """Apply this step."""
    op.execute(
        """
        CREATE TABLE audit_log (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT now(),
            event text NOT NULL,
            -- No reference: the entry outlives the user.
            user_id bigint,
            address text,
            request_id text,
            detail jsonb NOT NULL DEFAULT '{}'
        );
        CREATE INDEX audit_log_at ON audit_log (at);
        ALTER TABLE messages ADD COLUMN text text;
        -- Whichever of the two a release writes, every release reads.
        CREATE FUNCTION messages_text_and_body() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.text := coalesce(NEW.text, NEW.body);
            NEW.body := coalesce(NEW.body, NEW.text);
            RETURN NEW;
        END $$;
        CREATE TRIGGER messages_text_and_body BEFORE INSERT OR UPDATE ON messages
            FOR EACH ROW EXECUTE FUNCTION messages_text_and_body();
        UPDATE messages SET text = body WHERE text IS NULL;
        """
    )


def downgrade() -> None:
    """Take this step back."""
    op.execute(
        """
        DROP TRIGGER messages_text_and_body ON messages;
        DROP FUNCTION messages_text_and_body;
        ALTER TABLE messages DROP COLUMN text;
        DROP TABLE audit_log;
        """
    )
