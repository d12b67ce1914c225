"""The table of jobs: each answers one message of a user. It is the truth about what is to be done.

A worker claims a job, and finishes it together with the assistant's message, in one transaction. Whatever
dies at whatever point, a job is then either finished or still to be found here; and since a message has one
answer at most (`reply_to` is unique), a job that is done twice has the effect of one.
"""

from typing import NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from slipway_app.conversations import LOCK, Message
from slipway_app.database import Pool

MAX_ATTEMPTS = 5
"""After so many claims a job has failed: it may be what kills its workers."""
ERROR_CHARACTERS = 500


class Claimed(NamedTuple):
    """A job that this worker has claimed."""

    id: UUID
    attempts: int
    """Claims so far, this one included; tells a later claim of the same job from this one."""
    message_id: int
    conversation_id: int
    text: str
    """What the user wrote."""


class Finished(NamedTuple):
    """The answer to a job's message."""

    message: Message
    first: bool
    """Whether this call finished the job; False when another one did it before."""


class Backlog(NamedTuple):
    """The jobs that no worker has begun: how many, and how many seconds the oldest has waited."""

    waiting: int
    oldest_age_seconds: float


async def claim(pool: Pool, job_id: UUID, *, timeout_seconds: float, abandoned: bool) -> Claimed | None:
    """Claim a job, or return None when it is finished, gone, or at work elsewhere.

    Args:
        pool: the database.
        job_id: which one.
        timeout_seconds: a job that was begun longer ago was lost by its worker.
        abandoned: its worker is known to be gone: claim it even when it was begun just now.
    """
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Claimed)) as cursor:
        await cursor.execute(
            """
            UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = now()
            FROM messages WHERE messages.id = jobs.message_id AND jobs.id = %(id)s
            AND (state = 'queued' OR state = 'running'
                 AND (%(abandoned)s OR started_at < now() - make_interval(secs => %(timeout)s)))
            RETURNING jobs.id, jobs.attempts, messages.id AS message_id, conversation_id, text
            """,
            {"id": job_id, "abandoned": abandoned, "timeout": timeout_seconds},
        )
        return await cursor.fetchone()


async def sweep(pool: Pool, *, limit: int, queued_seconds: float, timeout_seconds: float) -> list[Claimed]:
    """Claim jobs whose signal seems lost, the oldest first.

    Args:
        pool: the database.
        limit: how many at most.
        queued_seconds: a job that waits longer than that may have no signal; claiming it early does no harm.
        timeout_seconds: a job that was begun longer ago was lost by its worker.
    """
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Claimed)) as cursor:
        # SKIP LOCKED: workers that sweep at the same time share the jobs instead of waiting for each other.
        await cursor.execute(
            """
            UPDATE jobs SET state = 'running', attempts = attempts + 1, started_at = now()
            FROM messages WHERE messages.id = jobs.message_id AND jobs.id IN (
                SELECT id FROM jobs
                WHERE state = 'queued' AND created_at < now() - make_interval(secs => %(queued)s)
                OR state = 'running' AND started_at < now() - make_interval(secs => %(timeout)s)
                ORDER BY created_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
            RETURNING jobs.id, jobs.attempts, messages.id AS message_id, conversation_id, text
            """,
            {"limit": limit, "queued": queued_seconds, "timeout": timeout_seconds},
        )
        return await cursor.fetchall()


async def finish(pool: Pool, job: Claimed, answer: str) -> Finished | None:
    """Store the answer and mark the job as done, both or neither. Calling it again does no harm.

    Args:
        pool: the database.
        job: as claimed.
        answer: 1 to 10,000 characters.

    Returns:
        The answer as stored, by this call or an earlier one; None when the conversation was deleted.
    """
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Message)) as cursor:
        await cursor.execute(LOCK, [job.conversation_id])
        if cursor.rowcount == 0:
            return None
        await cursor.execute(
            "INSERT INTO messages (conversation_id, author, text, reply_to) VALUES (%s, 'assistant', %s, %s)"
            " ON CONFLICT (reply_to) DO NOTHING"
            " RETURNING id, conversation_id, author, text, reply_to, created_at",
            [job.conversation_id, answer, job.message_id],
        )
        message = await cursor.fetchone()
        first = message is not None
        if message is None:
            await cursor.execute(
                "SELECT id, conversation_id, author, text, reply_to, created_at FROM messages"
                " WHERE reply_to = %s",
                [job.message_id],
            )
            message = await cursor.fetchone()
        if message is None:
            raise RuntimeError(f"message {job.message_id} has an answer and has none")
        await connection.execute(
            "UPDATE jobs SET state = 'done', error = NULL, finished_at = now()"
            " WHERE id = %s AND state <> 'done'",
            [job.id],
        )
        return Finished(message, first)


async def give_up(pool: Pool, job: Claimed, error: str) -> str | None:
    """Queue a job again whose attempt failed, or mark it as failed after the last one.

    Args:
        pool: the database.
        job: as claimed.
        error: why, for operators; never shown to users.

    Returns:
        The new state, `queued` or `failed`; None when the job is no longer this worker's.
    """
    state = "queued" if job.attempts < MAX_ATTEMPTS else "failed"
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "UPDATE jobs SET state = %(state)s, error = %(error)s,"
            " finished_at = CASE WHEN %(state)s = 'failed' THEN now() END"
            " WHERE id = %(id)s AND state = 'running' AND attempts = %(attempts)s",
            {"state": state, "error": error[:ERROR_CHARACTERS], "id": job.id, "attempts": job.attempts},
        )
        return state if cursor.rowcount else None


async def release(pool: Pool, job: Claimed) -> bool:
    """Queue a job again that was not tried, as if it had never been claimed; return whether it was ours."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "UPDATE jobs SET state = 'queued', attempts = attempts - 1, started_at = NULL"
            " WHERE id = %s AND state = 'running' AND attempts = %s",
            [job.id, job.attempts],
        )
        return cursor.rowcount == 1


async def answer_of(pool: Pool, job_id: UUID) -> Message | None:
    """Return the answer to the job's message, or None when there is none yet."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Message)) as cursor:
        await cursor.execute(
            "SELECT id, conversation_id, author, text, reply_to, created_at FROM messages"
            " WHERE reply_to = (SELECT message_id FROM jobs WHERE id = %s)",
            [job_id],
        )
        return await cursor.fetchone()


async def backlog(pool: Pool) -> Backlog:
    """Return how many jobs wait, and for how long."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8"
            " FROM jobs WHERE state = 'queued'"
        )
        row = await cursor.fetchone()
        if row is None:
            raise RuntimeError("count(*) gave no row")
        return Backlog(row[0], row[1])
