"""Conversations and their messages in PostgreSQL, and the owner's list in the cache.

A message and the job that answers it are one transaction: whatever happens to Redis, no job is lost.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from slipway_app.accounts import UserId
from slipway_app.database import Pool

LIST_LIMIT = 100
"""Conversations in a list: the ones written to last."""
MESSAGES_LIMIT = 500
"""Messages in one answer; ask again after the last one for more."""
LOCK = "SELECT FROM conversations WHERE id = %s FOR NO KEY UPDATE"
"""Taken by everybody who adds a message to a conversation, before it gets its number."""


class Conversation(NamedTuple):
    """What a list and a single read show of a conversation."""

    id: int
    title: str
    created_at: datetime
    updated_at: datetime
    """When its owner wrote to it or renamed it last."""


class Message(NamedTuple):
    """A row of the table `messages`."""

    id: int
    conversation_id: int
    author: str
    """`user` or `assistant`."""
    text: str
    reply_to: int | None
    """The message that this one answers."""
    created_at: datetime

    def view(self) -> dict[str, object]:
        """Return what clients are shown, ready for JSON."""
        return {
            "id": self.id,
            "author": self.author,
            "text": self.text,
            "created_at": self.created_at.isoformat(),
            "reply_to": self.reply_to,
        }


class Job(NamedTuple):
    """What a client may know of the job that answers its message."""

    id: UUID
    state: str
    """`queued`, `running`, `done` or `failed`."""
    attempts: int


# One statement, so one way to the database and back. The update takes the lock of LOCK before the message
# gets its number: numbered and committed in the same order, who has read message 11 never finds a 10 later.
_ADD_MESSAGE = """
    WITH conversation AS (
        UPDATE conversations SET updated_at = now()
        WHERE id = %(conversation)s AND (%(owner)s::bigint IS NULL OR owner = %(owner)s) RETURNING id),
    message AS (
        INSERT INTO messages (conversation_id, author, text, idempotency_key)
        SELECT id, 'user', %(text)s, %(key)s FROM conversation
        ON CONFLICT (conversation_id, idempotency_key) DO NOTHING
        RETURNING id, conversation_id, author, text, reply_to, created_at),
    job AS (INSERT INTO jobs (message_id) SELECT id FROM message RETURNING id, state, attempts)
    SELECT message.*, job.* FROM message, job
"""
_FIND_BY_KEY = """
    SELECT messages.id, conversation_id, author, text, reply_to, messages.created_at,
           jobs.id, jobs.state, jobs.attempts
    FROM messages
    JOIN conversations ON conversations.id = conversation_id
    JOIN jobs ON jobs.message_id = messages.id
    WHERE conversation_id = %(conversation)s AND idempotency_key = %(key)s
        AND (%(owner)s::bigint IS NULL OR owner = %(owner)s)
"""


class NoConversationError(Exception):
    """There is no such conversation, or it is somebody else's."""


class KeyReusedError(Exception):
    """An idempotency key came again with another text."""


async def listed(pool: Pool, owner: UserId) -> list[Conversation]:
    """Return the owner's conversations, the one written to last first."""
    async with (
        pool.connection() as connection,
        connection.cursor(row_factory=class_row(Conversation)) as cursor,
    ):
        await cursor.execute(
            "SELECT id, title, created_at, updated_at FROM conversations WHERE owner = %s"
            " ORDER BY updated_at DESC, id DESC LIMIT %s",
            [owner, LIST_LIMIT],
        )
        return await cursor.fetchall()


async def find(pool: Pool, owner: UserId, conversation_id: int) -> Conversation | None:
    """Return this conversation of this owner, or None: somebody else's is as good as none."""
    async with (
        pool.connection() as connection,
        connection.cursor(row_factory=class_row(Conversation)) as cursor,
    ):
        await cursor.execute(
            "SELECT id, title, created_at, updated_at FROM conversations WHERE id = %s AND owner = %s",
            [conversation_id, owner],
        )
        return await cursor.fetchone()


async def create(pool: Pool, owner: UserId, title: str) -> Conversation:
    """Store a new conversation."""
    async with (
        pool.connection() as connection,
        connection.cursor(row_factory=class_row(Conversation)) as cursor,
    ):
        await cursor.execute(
            "INSERT INTO conversations (owner, title) VALUES (%s, %s)"
            " RETURNING id, title, created_at, updated_at",
            [owner, title],
        )
        created = await cursor.fetchone()
        if created is None:
            raise RuntimeError("INSERT ... RETURNING gave no row")
        return created


async def rename(pool: Pool, owner: UserId, conversation_id: int, title: str) -> Conversation | None:
    """Give this conversation of this owner a new title; None when there is none."""
    async with (
        pool.connection() as connection,
        connection.cursor(row_factory=class_row(Conversation)) as cursor,
    ):
        await cursor.execute(
            "UPDATE conversations SET title = %s, updated_at = now() WHERE id = %s AND owner = %s"
            " RETURNING id, title, created_at, updated_at",
            [title, conversation_id, owner],
        )
        return await cursor.fetchone()


async def delete(pool: Pool, owner: UserId, conversation_id: int) -> bool:
    """Delete this conversation of this owner with its messages; return whether there was one."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "DELETE FROM conversations WHERE id = %s AND owner = %s", [conversation_id, owner]
        )
        return cursor.rowcount == 1


async def messages_after(pool: Pool, conversation_id: int, after: int = 0) -> list[Message]:
    """Return the messages of a conversation whose id is above `after`, the oldest first, at most 500.

    Whose conversation it is, the caller has checked by `find`.
    """
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Message)) as cursor:
        await cursor.execute(
            "SELECT id, conversation_id, author, text, reply_to, created_at FROM messages"
            " WHERE conversation_id = %s AND id > %s ORDER BY id LIMIT %s",
            [conversation_id, after, MESSAGES_LIMIT],
        )
        return await cursor.fetchall()


async def add_message(
    pool: Pool,
    conversation_id: int,
    text: str,
    idempotency_key: str | None = None,
    owner: UserId | None = None,
) -> tuple[Message, Job]:
    """Store a user's message and the job that answers it, both or neither.

    Args:
        pool: the database.
        conversation_id: where it belongs.
        text: 1 to 10,000 characters.
        idempotency_key: names this message for its sender; the same key again gives the same message and job.
        owner: whose conversation it must be; None where the caller has checked that by `find`.

    Raises:
        NoConversationError: there is no such conversation of this owner.
        KeyReusedError: the key is that of a message with another text.
    """
    arguments = {"conversation": conversation_id, "text": text, "key": idempotency_key, "owner": owner}
    async with pool.connection() as connection, connection.cursor() as cursor:
        await cursor.execute(_ADD_MESSAGE, arguments)
        row = await cursor.fetchone()
        if row is None and idempotency_key is not None:
            # The key was there. Seen only by a new statement: its transaction may have ended just now.
            await cursor.execute(_FIND_BY_KEY, arguments)
            row = await cursor.fetchone()
        if row is None:
            raise NoConversationError
        message, job = Message(*row[:6]), Job(*row[6:])
        if message.text != text:
            raise KeyReusedError
        return message, job


async def find_job(pool: Pool, owner: UserId, job_id: UUID) -> Job | None:
    """Return this job when it answers a message of this owner, else None."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Job)) as cursor:
        await cursor.execute(
            "SELECT jobs.id, jobs.state, jobs.attempts FROM jobs"
            " JOIN messages ON messages.id = jobs.message_id"
            " JOIN conversations ON conversations.id = messages.conversation_id"
            " WHERE jobs.id = %s AND conversations.owner = %s",
            [job_id, owner],
        )
        return await cursor.fetchone()
