"""Users, their conversations and messages, the jobs that answer them, and revoked tokens."""

from alembic import op

revision = "0001"
down_revision = None
phase = "expand"


def upgrade() -> None:
    """Apply this step."""
    op.execute(
        """
        CREATE TABLE users (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            email text NOT NULL UNIQUE CHECK (email = lower(email)),
            password_hash text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE TABLE revoked_tokens (
            jti uuid PRIMARY KEY,
            expires_at timestamptz NOT NULL
        );
        CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at);
        CREATE TABLE conversations (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            owner bigint NOT NULL REFERENCES users ON DELETE CASCADE,
            title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX conversations_of_owner ON conversations (owner, updated_at DESC, id DESC);
        CREATE INDEX conversations_updated_at ON conversations (updated_at);
        CREATE TABLE messages (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            conversation_id bigint NOT NULL REFERENCES conversations ON DELETE CASCADE,
            author text NOT NULL CHECK (author IN ('user', 'assistant')),
            body text NOT NULL CHECK (char_length(body) BETWEEN 1 AND 10000),
            -- One answer a message, however often a worker tries.
            reply_to bigint UNIQUE REFERENCES messages ON DELETE CASCADE,
            idempotency_key text CHECK (char_length(idempotency_key) BETWEEN 1 AND 200),
            created_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (conversation_id, idempotency_key)
        );
        CREATE INDEX messages_of_conversation ON messages (conversation_id, id);
        CREATE TABLE jobs (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            message_id bigint NOT NULL UNIQUE REFERENCES messages ON DELETE CASCADE,
            state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
            attempts integer NOT NULL DEFAULT 0,
            error text,
            created_at timestamptz NOT NULL DEFAULT now(),
            started_at timestamptz,
            finished_at timestamptz
        );
        CREATE INDEX jobs_unfinished ON jobs (created_at) WHERE state IN ('queued', 'running');
        """
    )


def downgrade() -> None:
    """Take this step back."""
    op.execute("DROP TABLE jobs, messages, conversations, revoked_tokens, users")
