"""Redis, which every request can do without: what it keeps is in PostgreSQL too, or may be forgotten.

After an error Redis is left alone for a moment, so that an outage slows down one request a second, not all.
RESP2 by intent: RESP3 begins with a command that a restricted user may not have.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, Literal

from pydantic import SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError

from slipway_app import metrics

CONNECT_TIMEOUT_SECONDS = 0.5
TIMEOUT_SECONDS = 1.0
"""How long a request waits for Redis, which answers within a millisecond unless it is ill."""
PAUSE_SECONDS = 1.0
"""How long Redis is left alone after an error."""
Server = Literal["cache", "queue"]
logger = logging.getLogger(__name__)
_ask_again_at: dict[str, float] = {}
"""For each server that failed: from when on, by the monotonic clock, one call may try again."""


class BusyError(RedisError):
    """All connections are in use, for longer than a caller waits. It says nothing about the server."""


class _Connections(BlockingConnectionPool):
    async def get_connection(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().get_connection(*args, **options)  # pyright: ignore[reportUnknownMemberType]
        except ConnectionError as error:
            if isinstance(error.__cause__, TimeoutError):
                raise BusyError from None
            raise


def create_client(url: SecretStr, *, connections: int, timeout_seconds: float = TIMEOUT_SECONDS) -> Redis:
    """Make a client that connects when it is first used.

    Args:
        url: a redis-py URL.
        connections: how many it may hold at once; a caller waits for a free one.
        timeout_seconds: for an answer. A blocking command needs more than it blocks.
    """
    pool = _Connections.from_url(  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
        url.get_secret_value(),
        protocol=2,
        decode_responses=True,
        max_connections=connections,
        timeout=timeout_seconds,
        socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
        socket_timeout=timeout_seconds,
        # One new try, at once: for a connection that died since it was last used. Not after a timeout.
        retry=Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
        health_check_interval=30,
    )
    return Redis.from_pool(pool)


async def tolerate[T](call: Awaitable[T], server: Server = "cache") -> T | None:
    """Return what Redis says, or None when it does not answer; that is logged and counted.

    After an error one call a second tries whether the server is back; the others are dropped, not sent.

    Args:
        call: what to ask; not begun yet.
        server: which one it asks, since one may be ill while the other serves.
    """
    now = time.monotonic()
    if server in _ask_again_at:
        if now < _ask_again_at[server]:
            _drop(call)
            return None
        _ask_again_at[server] = now + PAUSE_SECONDS
    try:
        result = await call
    except BusyError:
        metrics.redis_errors.inc()
        logger.warning("Redis (%s): every connection is in use", server)
        return None
    except (RedisError, OSError, TimeoutError) as error:
        _ask_again_at[server] = time.monotonic() + PAUSE_SECONDS
        metrics.redis_errors.inc()
        logger.warning("Redis (%s) does not answer: %s", server, type(error).__name__)
        return None
    _ask_again_at.pop(server, None)
    return result


def _drop(call: Awaitable[object]) -> None:
    # A coroutine that is never awaited warns when it is collected.
    if isinstance(call, Coroutine):
        call.close()  # pyright: ignore[reportUnknownMemberType]
    elif isinstance(call, asyncio.Future):
        call.cancel()


async def answers(redis: Redis) -> bool:
    """Return whether Redis answers."""
    await redis.exists("health")
    return True
