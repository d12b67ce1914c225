"""`messages.body` goes: no release that runs still reads or writes it."""

from alembic import op

revision = "0003"
down_revision = "0002"
phase = "contract"


def upgrade() -> None:
    """Apply this step."""
    op.execute(
        """
        DROP TRIGGER messages_text_and_body ON messages;
        DROP FUNCTION messages_text_and_body;
        -- Checked first without a lock that stops writers, then NOT NULL has nothing left to scan.
        ALTER TABLE messages ADD CONSTRAINT messages_text_is_there
            CHECK (text IS NOT NULL AND char_length(text) BETWEEN 1 AND 10000) NOT VALID;
        ALTER TABLE messages VALIDATE CONSTRAINT messages_text_is_there;
        ALTER TABLE messages ALTER COLUMN text SET NOT NULL;
        ALTER TABLE messages DROP COLUMN body;
        """
    )


def downgrade() -> None:
    """Take this step back."""
    op.execute(
        """
        ALTER TABLE messages ADD COLUMN body text;
        UPDATE messages SET body = text;
        ALTER TABLE messages ALTER COLUMN body SET NOT NULL;
        ALTER TABLE messages ADD CHECK (char_length(body) BETWEEN 1 AND 10000);
        ALTER TABLE messages ALTER COLUMN text DROP NOT NULL;
        ALTER TABLE messages DROP CONSTRAINT messages_text_is_there;
        CREATE FUNCTION messages_text_and_body() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.text := coalesce(NEW.text, NEW.body);
            NEW.body := coalesce(NEW.body, NEW.text);
            RETURN NEW;
        END $$;
        CREATE TRIGGER messages_text_and_body BEFORE INSERT OR UPDATE ON messages
            FOR EACH ROW EXECUTE FUNCTION messages_text_and_body();
        """
    )
