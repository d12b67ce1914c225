"""The cache and the queue in Redis. Nothing is stored there only: every function here may fail without loss.

Only commands on keys, strings and lists are used, so that the Redis user needs no more rights than these.
"""

import json
from datetime import datetime

from redis.asyncio import Redis

from slipway_app.database import Note
from slipway_app.settings import WorkerSettings

QUEUE = "notes:to-count"
HEARTBEAT = "worker:heartbeat"
TIMEOUT_SECONDS = 2.0


def create_client(settings: WorkerSettings) -> "Redis":
    """Make a client that connects when it is first used.

    RESP2 by intent: RESP3 starts with commands that a restricted user may not have.
    """
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]  # its keyword arguments are untyped
        settings.redis_url.get_secret_value(),
        protocol=2,
        decode_responses=True,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
    )


async def cached_note(redis: Redis, note_id: int) -> Note | None:
    """Return the note from the cache, or None."""
    found = await redis.get(f"note:{note_id}")
    if found is None:
        return None
    fields = json.loads(found)
    return Note(fields["id"], fields["text"], datetime.fromisoformat(fields["created_at"]), fields["words"])


async def cache_note(redis: Redis, note: Note, seconds: int) -> None:
    """Keep the note in the cache for this many seconds."""
    fields = {**note._asdict(), "created_at": note.created_at.isoformat()}
    await redis.set(f"note:{note.id}", json.dumps(fields), ex=seconds)


async def forget_note(redis: Redis, note_id: int) -> None:
    """Drop the note from the cache."""
    await redis.delete(f"note:{note_id}")


async def enqueue(redis: Redis, note_id: int) -> None:
    """Ask the worker to count the words of this note."""
    await redis.lpush(QUEUE, str(note_id))  # pyright: ignore[reportGeneralTypeIssues, reportUnknownMemberType]


async def dequeue(redis: Redis, timeout_seconds: float) -> int | None:
    """Wait for the next note to count, at most this long; return its number or None."""
    found = await redis.brpop([QUEUE], timeout=timeout_seconds)  # pyright: ignore[reportGeneralTypeIssues, reportUnknownMemberType]
    return int(found[1]) if found else None


async def beat(redis: Redis, seconds: int) -> None:
    """Say that a worker is at work; the sign vanishes after this many seconds."""
    await redis.set(HEARTBEAT, "at work", ex=seconds)


async def answers(redis: Redis) -> bool:
    """Return whether Redis answers. Not by PING, which the restricted user may not have."""
    await redis.exists(HEARTBEAT)
    return True
