"""Revoked tokens. PostgreSQL is the truth; a sorted set in Redis is a copy that answers faster.

The copy carries a sign that it is whole, which vanishes every few seconds: whoever misses it copies anew.
What Redis did not hear in an outage, or lost by a restart, reaches it soon. A process that saw Redis fail
asks PostgreSQL until a sign from before the outage must have vanished.
"""

import time
from uuid import UUID

from redis.asyncio import Redis

from slipway_app import redis
from slipway_app.database import Pool

COPY = "revoked-tokens"
"""Sorted set: token ids by the time at which they expire, in seconds since 1970."""
WHOLE = "revoked-tokens:whole"
WHOLE_SECONDS = 15


class _Trust:
    """From when on this process believes Redis again, by the monotonic clock."""

    again_at = 0.0


async def revoke(queue: Redis, pool: Pool, jti: UUID, expires_at: int) -> None:
    """Make a token worthless from now on.

    Args:
        queue: the Redis of the queue.
        pool: the database.
        jti: the token's id.
        expires_at: when it would have ended anyway, in seconds since 1970.
    """
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO revoked_tokens (jti, expires_at) VALUES (%s, to_timestamp(%s))"
            " ON CONFLICT (jti) DO NOTHING",
            [jti, expires_at],
        )
    if await redis.tolerate(_add(queue, {str(jti): expires_at}), "queue") is None:
        _Trust.again_at = time.monotonic() + WHOLE_SECONDS


async def is_revoked(queue: Redis, pool: Pool, jti: UUID) -> bool:
    """Return whether this token was revoked."""
    if time.monotonic() >= _Trust.again_at:
        answer = await redis.tolerate(_ask(queue, jti), "queue")
        if answer is None:
            _Trust.again_at = time.monotonic() + WHOLE_SECONDS
        else:
            revoked, whole = answer
            if revoked or whole:
                return revoked
            await _copy(queue, pool)
    async with pool.connection() as connection:
        cursor = await connection.execute("SELECT 1 FROM revoked_tokens WHERE jti = %s", [jti])
        return await cursor.fetchone() is not None


async def _ask(queue: Redis, jti: UUID) -> tuple[bool, bool]:
    async with queue.pipeline(transaction=False) as pipeline:
        pipeline.zscore(COPY, str(jti))
        pipeline.exists(WHOLE)
        score, whole = await pipeline.execute()
    return score is not None, whole == 1


async def _add(queue: Redis, tokens: dict[str, int]) -> bool:
    await queue.zadd(COPY, tokens)
    return True


async def _copy(queue: Redis, pool: Pool) -> None:
    """Bring the copy up to date. A token that is revoked meanwhile is added by its own request."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT jti::text, extract(epoch FROM expires_at)::bigint FROM revoked_tokens"
            " WHERE expires_at > now()"
        )
        tokens: dict[str, int] = dict(await cursor.fetchall())
    await redis.tolerate(_replace(queue, tokens), "queue")


async def _replace(queue: Redis, tokens: dict[str, int]) -> bool:
    async with queue.pipeline(transaction=True) as pipeline:
        pipeline.zremrangebyscore(COPY, "-inf", int(time.time()))
        if tokens:
            pipeline.zadd(COPY, tokens)
        pipeline.set(WHOLE, "1", ex=WHOLE_SECONDS)
        await pipeline.execute()
    return True
