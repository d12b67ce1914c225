"""The notes in PostgreSQL, through one connection pool a process."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from slipway_app.settings import DatabaseSettings

type Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]

CONNECT_TIMEOUT_SECONDS = 5
"""How long a request waits for a connection: shorter than a client would wait for the answer."""


class Note(NamedTuple):
    """A row of the table `notes`."""

    id: int
    text: str
    created_at: datetime
    words: int | None
    """Counted by the worker; None until then."""


def create_pool(settings: DatabaseSettings) -> Pool:
    """Make a pool that is opened by its user and does not wait for the database to be up."""
    return AsyncConnectionPool(
        settings.database_url.get_secret_value(),
        min_size=1,
        max_size=settings.database_pool_size,
        timeout=CONNECT_TIMEOUT_SECONDS,
        kwargs={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
        # The pool tries again with growing pauses. After a long outage the next try could be a minute away:
        # give up early instead, and let the next request start a new try.
        reconnect_timeout=CONNECT_TIMEOUT_SECONDS,
        # A database that was restarted leaves dead connections in the pool: each is tried before it is lent.
        check=AsyncConnectionPool.check_connection,
        open=False,
    )


async def insert_note(pool: Pool, text: str) -> Note:
    """Store a new note and return it as stored."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Note)) as cursor:
        await cursor.execute(
            "INSERT INTO notes (text) VALUES (%s) RETURNING id, text, created_at, words", [text]
        )
        note = await cursor.fetchone()
        if note is None:
            raise RuntimeError("INSERT ... RETURNING gave no row")
        return note


async def find_note(pool: Pool, note_id: int) -> Note | None:
    """Return the note of this number, or None."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Note)) as cursor:
        await cursor.execute("SELECT id, text, created_at, words FROM notes WHERE id = %s", [note_id])
        return await cursor.fetchone()


async def delete_note(pool: Pool, note_id: int) -> bool:
    """Delete the note of this number; return whether there was one."""
    async with pool.connection() as connection:
        return (await connection.execute("DELETE FROM notes WHERE id = %s", [note_id])).rowcount == 1


async def count_words(pool: Pool, note_id: int | None = None, limit: int = 100) -> list[int]:
    """Count the words of notes that have no count yet; return their numbers.

    Args:
        note_id: only this note; None takes the oldest ones.
        limit: how many at most.
    """
    async with pool.connection() as connection:
        # SKIP LOCKED: two workers never wait for each other.
        cursor = await connection.execute(
            """
            UPDATE notes SET words = cardinality(regexp_split_to_array(btrim(text), '\\s+'))
            WHERE id IN (SELECT id FROM notes WHERE words IS NULL AND (%(id)s::bigint IS NULL OR id = %(id)s)
                         ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
            RETURNING id
            """,
            {"id": note_id, "limit": limit},
        )
        return [row[0] for row in await cursor.fetchall()]


async def purge_notes(pool: Pool, older_than_days: int) -> int:
    """Delete notes that were created more than this many days ago; return how many."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "DELETE FROM notes WHERE created_at < now() - make_interval(days => %s)", [older_than_days]
        )
        return cursor.rowcount


async def answers(pool: Pool) -> bool:
    """Return whether the database answers a query."""
    async with pool.connection() as connection:
        return await (await connection.execute("SELECT 1")).fetchone() == (1,)
