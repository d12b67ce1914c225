"""Rate limits: so many requests a minute for an address, so many an hour for a user, over all processes.

Counted in Redis. While it does not answer nobody is refused: the limits protect the service, and are not its
purpose.
"""

import ipaddress
import math
import time

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from slipway_app import metrics, redis
from slipway_app.accounts import UserId
from slipway_app.settings import ApiSettings

EXEMPT = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Asked by the platform itself, often from one address."""


class TooManyRequestsError(Exception):
    """A limit was reached."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class RateLimits:
    """The limits of an API, over all its processes."""

    def __init__(self, cache: Redis, settings: ApiSettings) -> None:
        # The same connections as everything else: a pool of its own would double them.
        storage = RedisStorage(
            "async+redis://",
            implementation="redispy",
            key_prefix="slipway:limits",
            connection_pool=cache.connection_pool,  # pyright: ignore[reportArgumentType]  # declared too narrow
        )
        # A fixed window would let twice the limit through at its border.
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._address = RateLimitItemPerMinute(settings.rate_limit_per_minute)
        self._user = RateLimitItemPerHour(settings.rate_limit_per_hour)

    async def check_address(self, address: str) -> None:
        """Count a request of this address.

        Raises:
            TooManyRequestsError: it has used up its limit.
        """
        await self._check(self._address, "address", _network(address))

    async def check_user(self, user: UserId) -> None:
        """Count a request of this user.

        Raises:
            TooManyRequestsError: they have used up their limit.
        """
        await self._check(self._user, "user", str(user))

    async def _check(self, item: RateLimitItem, kind: str, name: str) -> None:
        if await redis.tolerate(self._limiter.hit(item, kind, name)) is not False:
            return
        metrics.rate_limited.labels(kind).inc()
        window = await redis.tolerate(self._limiter.get_window_stats(item, kind, name))
        seconds = window.reset_time - time.time() if window else 1
        raise TooManyRequestsError(max(1, math.ceil(seconds)))


def _network(address: str) -> str:
    """An IPv6 customer has a whole /64: one address each request would never reach a limit."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def refusal(error: TooManyRequestsError) -> JSONResponse:
    """Return the answer for a request above a limit."""
    return JSONResponse(
        {"detail": f"too many requests: {error}"}, 429, {"Retry-After": str(error.retry_after_seconds)}
    )


class LimitAddresses:
    """Refuses what comes too often from one address, WebSockets included."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] in {"http", "websocket"} and scope["path"] not in EXEMPT:
            try:
                await self._limits.check_address((scope.get("client") or ("",))[0])
            except TooManyRequestsError as error:
                await refusal(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
