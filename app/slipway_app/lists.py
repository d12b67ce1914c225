"""The cached list of an owner's conversations, which is never older than the owner's last write.

Two things could make it so. A reader that took the list from PostgreSQL before a write could put it into the
cache after it: therefore the entry has a version, a write replaces it, and a reader fills only the version it
began with. And the process could die, or Redis fail, between the commit and that: therefore a write first
empties the entry and forbids to fill it for a moment.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple, cast

from redis.asyncio import Redis

from slipway_app import metrics, redis
from slipway_app.accounts import UserId
from slipway_app.presets import CachePreset

WRITING_SECONDS = 30
"""How long a write may take at most; a process that dies in one leaves the list uncached for so long."""
RETRY_SECONDS = 0.5
_FILL = """
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'list', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""


class Found(NamedTuple):
    """What the cache holds of an owner."""

    version: str | None
    """With which the list may be filled; None: not at all."""
    list: str | None
    """The list as JSON, or None."""


class Lists:
    """The cache of the lists."""

    def __init__(self, cache: Redis, preset: CachePreset) -> None:
        self._cache = cache
        self._ttl = preset.figures.ttl_seconds
        self._enabled = preset.enabled
        self._fill = cache.register_script(_FILL)
        self._untold: set[UserId] = set()
        """Owners whose last write Redis does not know of."""

    async def look(self, owner: UserId) -> Found:
        """Return the owner's list, where it is there."""
        found = None
        if self._enabled and owner not in self._untold:
            found = await redis.tolerate(self._read(owner))
        found = found or Found(None, None)
        (metrics.cache_misses if found.list is None else metrics.cache_hits).labels("conversations").inc()
        return found

    async def fill(self, owner: UserId, version: str | None, conversations: str) -> None:
        """Keep a list that was read after `look` gave this version, unless there was a write since."""
        if version is not None:
            keys, arguments = [_key(owner), _writing(owner)], [version, conversations, self._ttl]
            await redis.tolerate(self._fill(keys=keys, args=arguments))

    @asynccontextmanager
    async def writing(self, owner: UserId) -> AsyncGenerator[None]:
        """Surround a write to what the list shows."""
        if not self._enabled:
            yield
            return
        await redis.tolerate(self._begin(owner))
        try:
            yield
        finally:
            await self._tell(owner)

    async def tell_untold(self) -> None:
        """Tell Redis of writes that it missed as soon as it answers; until cancelled."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            for owner in list(self._untold):
                await self._tell(owner)

    async def _tell(self, owner: UserId) -> None:
        self._untold.add(owner)  # before: being cancelled must not count as told
        if await redis.tolerate(self._end(owner)):
            self._untold.discard(owner)
        else:
            self._untold.add(owner)  # again: another write of theirs may have been told meanwhile

    async def _read(self, owner: UserId) -> Found:
        answer = await self._cache.hmget(_key(owner), ["version", "list"])
        version, conversations = cast("list[str | None]", answer)
        if version is not None:
            return Found(version, conversations)
        async with self._cache.pipeline(transaction=True) as pipeline:
            pipeline.hsetnx(_key(owner), "version", uuid.uuid4().hex)
            pipeline.expire(_key(owner), self._ttl)
            pipeline.hget(_key(owner), "version")
            answers = await pipeline.execute()
        return Found(answers[-1], None)

    async def _begin(self, owner: UserId) -> bool:
        async with self._cache.pipeline(transaction=True) as pipeline:
            pipeline.delete(_key(owner))
            pipeline.set(_writing(owner), "1", ex=WRITING_SECONDS)
            await pipeline.execute()
        return True

    async def _end(self, owner: UserId) -> bool:
        async with self._cache.pipeline(transaction=True) as pipeline:
            pipeline.delete(_key(owner), _writing(owner))
            pipeline.hset(_key(owner), "version", uuid.uuid4().hex)
            pipeline.expire(_key(owner), self._ttl)
            await pipeline.execute()
        return True


def _key(owner: UserId) -> str:
    return f"slipway:conversations:{owner}"


def _writing(owner: UserId) -> str:
    return f"slipway:conversations:{owner}:writing"
