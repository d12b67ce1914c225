"""The signals of new jobs, in a Redis Stream with a consumer group.

The table of jobs is the truth; an entry of the stream only says early, and to one worker, that a job waits.
So Redis may lose the stream: nothing here raises for that, and the sweeps of the table find the jobs.
An entry belongs to the worker that took it until it acknowledges it, or falls silent.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import ResponseError

STREAM = "slipway:jobs"
GROUP = "workers"
FIELD = "job"
MAX_LENGTH = 100_000
"""Entries kept while no worker runs, about 10 MB; the jobs of older ones are found by the sweeps."""
FORGET_CONSUMER_MS = 3_600_000
"""A worker that was silent for an hour and holds nothing is gone: every pod has a new name."""
HANDED_BACK_MS = 86_400_000
"""The idle time that is set on an entry that a worker hands back: everybody takes it for abandoned."""

type _Fields = dict[str, str]
type _Entries = list[tuple[str, _Fields | None]]


class Signal(NamedTuple):
    """An entry of the stream: this job waits."""

    entry_id: str
    job_id: UUID


class Backlog(NamedTuple):
    """How many entries there are, those at work included, and the age of the oldest one in seconds."""

    length: int
    oldest_age_seconds: float


async def announce(redis: Redis, job_id: UUID) -> None:
    """Say that a job waits. Call it after the job was committed, or a worker looks for it in vain."""
    await redis.xadd(STREAM, {FIELD: str(job_id)}, maxlen=MAX_LENGTH, approximate=True)


async def take(redis: Redis, consumer: str, count: int, wait_ms: int) -> list[Signal]:
    """Take new signals, waiting for the first one.

    Args:
        redis: the queue's Redis.
        consumer: the name of this worker; unique among those that run.
        count: how many at most.
        wait_ms: how long to wait, shorter than the client's socket timeout.
    """

    async def read() -> object:
        return await redis.xreadgroup(GROUP, consumer, {STREAM: ">"}, count=count, block=wait_ms)

    try:
        answer = await read()
    except ResponseError as error:
        if not _has_no_group(error):
            raise
        await _create_group(redis)
        answer = await read()
    streams = cast("list[tuple[str, _Entries]]", answer or [])
    return await _signals(redis, [entry for _stream, entries in streams for entry in entries])


async def take_abandoned(redis: Redis, consumer: str, count: int, idle_ms: int) -> list[Signal]:
    """Take over signals whose worker was silent for so long (see `keep`) or handed them back."""
    try:
        answer = await redis.xautoclaim(STREAM, GROUP, consumer, idle_ms, "0-0", count=count)
    except ResponseError as error:
        if not _has_no_group(error):
            raise
        return []
    return await _signals(redis, cast("tuple[str, _Entries]", answer)[1])


async def keep(redis: Redis, consumer: str, entry_ids: Sequence[str]) -> None:
    """Say that these entries are still at work here: nobody takes them over for another while."""
    await _set_idle(redis, consumer, entry_ids, 0)


async def hand_back(redis: Redis, consumer: str, entry_ids: Sequence[str]) -> None:
    """Let any worker take these entries over at once."""
    await _set_idle(redis, consumer, entry_ids, HANDED_BACK_MS)


async def acknowledge(redis: Redis, entry_id: str) -> None:
    """Take a finished entry out of the group and of the stream, so that the stream holds only what waits."""
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.xack(STREAM, GROUP, entry_id)
        pipeline.xdel(STREAM, entry_id)
        await pipeline.execute()


async def forget_consumer(redis: Redis, consumer: str) -> None:
    """Remove this worker's name from the group, unless it holds entries: they would be lost with it."""
    for name, pending, _idle_ms in await _consumers(redis):
        if name == consumer and pending == 0:
            await redis.xgroup_delconsumer(STREAM, GROUP, consumer)


async def forget_gone_consumers(redis: Redis) -> None:
    """Remove the names of workers that ended without removing theirs."""
    for name, pending, idle_ms in await _consumers(redis):
        if pending == 0 and idle_ms > FORGET_CONSUMER_MS:
            await redis.xgroup_delconsumer(STREAM, GROUP, name)


async def backlog(redis: Redis) -> Backlog:
    """Return how many signals wait or are at work, and how old the oldest one is by Redis's own clock."""
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.xlen(STREAM)
        pipeline.xrange(STREAM, count=1)
        pipeline.time()  # pyright: ignore[reportUnknownMemberType]  # its keyword arguments are untyped
        answer = cast("tuple[int, _Entries, tuple[int, int]]", tuple(await pipeline.execute()))
    length, first, (seconds, microseconds) = answer
    if not first:
        return Backlog(0, 0.0)
    # An entry's id begins with the milliseconds at which it was added.
    added_ms = int(first[0][0].partition("-")[0])
    return Backlog(length, max(0.0, seconds + microseconds / 1e6 - added_ms / 1e3))


def _has_no_group(error: ResponseError) -> bool:
    """Redis was restarted without its data, or the stream was never used."""
    return str(error).startswith("NOGROUP")


async def _create_group(redis: Redis) -> None:
    try:
        # From the beginning: what was announced before the first worker started waits there.
        await redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):  # another worker was faster
            raise


async def _signals(redis: Redis, entries: _Entries) -> list[Signal]:
    found: list[Signal] = []
    for entry_id, fields in entries:
        try:
            found.append(Signal(entry_id, UUID((fields or {})[FIELD])))
        except (KeyError, ValueError):
            # Trimmed while it was pending, or not ours: it would come back for ever.
            await acknowledge(redis, entry_id)
    return found


async def _set_idle(redis: Redis, consumer: str, entry_ids: Sequence[str], idle_ms: int) -> None:
    if not entry_ids:
        return
    try:
        await redis.xclaim(STREAM, GROUP, consumer, 0, list(entry_ids), idle=idle_ms, justid=True)
    except ResponseError as error:
        if not _has_no_group(error):
            raise


async def _consumers(redis: Redis) -> list[tuple[str, int, int]]:
    try:
        answer = cast("list[dict[str, str | int]]", await redis.xinfo_consumers(STREAM, GROUP))
    except ResponseError as error:
        if not (_has_no_group(error) or "no such key" in str(error)):
            raise
        return []
    return [(str(found["name"]), int(found["pending"]), int(found["idle"])) for found in answer]
