"""The clean-up job: deletes what nobody needs any more. `python -m slipway_app.purge --older-than-days 30`.

Conversations that nobody touched for so long go with their messages; finished jobs go, their answers stay;
tokens that have expired need no entry to be refused.
"""

import argparse
import asyncio
import sys
from typing import NamedTuple

from slipway_app.database import Pool, create_pool
from slipway_app.settings import DatabaseSettings, load

BATCH = 1_000
"""Rows a transaction: a large deletion in one would hold its locks for long."""
_CONVERSATIONS = """
    DELETE FROM conversations WHERE id IN (
        SELECT id FROM conversations WHERE updated_at < now() - make_interval(days => %(days)s)
        ORDER BY updated_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_REVOKED_TOKENS = """
    DELETE FROM revoked_tokens WHERE jti IN (
        SELECT jti FROM revoked_tokens WHERE expires_at < now() LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
# With a job goes what leads to it: an idempotency key that comes again after that is a new one.
_JOBS = """
    WITH gone AS (
        DELETE FROM jobs WHERE id IN (
            SELECT id FROM jobs WHERE state IN ('done', 'failed')
            AND finished_at < now() - make_interval(days => %(days)s) LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
        RETURNING message_id),
    freed AS (
        UPDATE messages SET idempotency_key = NULL FROM gone
        WHERE messages.id = gone.message_id AND idempotency_key IS NOT NULL)
    SELECT message_id FROM gone
"""


class Purged(NamedTuple):
    """How many rows were deleted."""

    conversations: int
    revoked_tokens: int
    jobs: int


async def purge(pool: Pool, older_than_days: int) -> Purged:
    """Delete what is old; return how much that was.

    Args:
        pool: the database.
        older_than_days: for conversations since the last write, for jobs since their end.
    """
    arguments = {"days": older_than_days, "batch": BATCH}

    async def delete(query: str) -> int:
        total, deleted = 0, BATCH
        while deleted == BATCH:
            async with pool.connection() as connection:
                deleted = (await connection.execute(query.encode(), arguments)).rowcount
            total += deleted
        return total

    return Purged(await delete(_CONVERSATIONS), await delete(_REVOKED_TOKENS), await delete(_JOBS))


async def _run(settings: DatabaseSettings, older_than_days: int) -> Purged:
    async with create_pool(settings) as pool:
        return await purge(pool, older_than_days)


def main() -> None:
    """Read the arguments, purge, say how much was deleted."""
    parser = argparse.ArgumentParser(
        prog="python -m slipway_app.purge",
        description="Deletes old conversations, old finished jobs and expired revoked tokens.",
    )
    parser.add_argument("--older-than-days", type=int, default=30, help="1 to 36500 (default: 30)")
    days: int = parser.parse_args().older_than_days
    if not 1 <= days <= 36_500:
        parser.error(f"--older-than-days must be 1 to 36500, not {days}")
    purged = asyncio.run(_run(load(DatabaseSettings), days))
    sys.stdout.write(
        f"deleted {purged.conversations} conversations and {purged.jobs} finished jobs"
        f" older than {days} days, {purged.revoked_tokens} expired tokens\n"
    )


if __name__ == "__main__":
    main()
