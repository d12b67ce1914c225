"""PostgreSQL, through one pool of connections a process. The queries stand beside what they are about.

An outage of the database must be short for its clients: they get 503 soon, and the pool heals by itself.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from slipway_app import metrics
from slipway_app.settings import DatabaseSettings

type Row = tuple[Any, ...]
type Pool = AsyncConnectionPool[AsyncConnection[Row]]

CONNECT_TIMEOUT_SECONDS = 5
"""How long a request waits for a connection: shorter than a client would wait for the answer."""
SLICE_SECONDS = 0.5
"""After so much waiting a request asks whether the database refuses connections; if so it waits no longer."""
USE_SECONDS = 15
"""No transaction of this application takes longer; one that hangs must not hold a connection for ever."""
CHECK_AFTER_SECONDS = 0.1
"""A connection that was alive so recently is lent unchecked: no restart of a server is so short."""
CHECK_TIMEOUT_SECONDS = 2
"""A server that hangs keeps its connections open: silence for this long counts as dead."""
REPORT_SECONDS = 2.0


class _Connection(AsyncConnection[Row]):
    """A connection that remembers for its process whether the database took the last one."""

    refused: ClassVar[bool] = False
    answered_at = 0.0
    """When this one was last found alive, by the monotonic clock."""

    @classmethod
    async def connect(cls, *args: Any, **options: Any) -> Self:
        try:
            connection = await super().connect(*args, **options)
        except OperationalError:
            _Connection.refused = True
            raise
        _Connection.refused = False
        return connection


class _Pool(AsyncConnectionPool[AsyncConnection[Row]]):
    """A pool that waits for a busy database, and not for one that refuses connections."""

    async def getconn(self, timeout: float | None = None) -> AsyncConnection[Row]:
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            left = deadline - time.monotonic()
            try:
                return await super().getconn(min(left, SLICE_SECONDS))
            except PoolTimeout:
                if _Connection.refused or left <= SLICE_SECONDS:
                    raise

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncGenerator[AsyncConnection[Row]]:
        async with super().connection(timeout) as connection:
            limit = asyncio.timeout(USE_SECONDS)
            try:
                async with limit:
                    yield connection
            except TimeoutError:
                if not limit.expired():
                    raise
                # psycopg has asked the server to cancel what it was doing.
                raise OperationalError(f"a transaction took longer than {USE_SECONDS} s") from None


def create_pool(settings: DatabaseSettings) -> Pool:
    """Make a pool that is opened by its user and does not wait for the database to be up."""
    return _Pool(
        settings.database_url.get_secret_value(),
        connection_class=_Connection,
        min_size=1,
        max_size=settings.database_pool_size,
        timeout=CONNECT_TIMEOUT_SECONDS,
        kwargs={
            # A pooler in between may give the next transaction another session, without what was prepared.
            "prepare_threshold": None,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            # A host that vanished sends no word: give it up after seconds, not after a quarter of an hour.
            "tcp_user_timeout": CONNECT_TIMEOUT_SECONDS * 1000,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
        # The pool tries again with growing pauses. After a long outage the next try could be a minute away:
        # give up early instead, and let the next request start a new try.
        reconnect_timeout=CONNECT_TIMEOUT_SECONDS,
        # A database that was restarted leaves dead connections in the pool: each is tried before it is lent.
        check=_check,
        open=False,
    )


async def _check(connection: AsyncConnection[Row]) -> None:
    assert isinstance(connection, _Connection)  # noqa: S101  # the pool makes no others
    now = time.monotonic()
    if now - connection.answered_at < CHECK_AFTER_SECONDS:
        return
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            await AsyncConnectionPool.check_connection(connection)
    except TimeoutError:
        await connection.close()
        raise OperationalError("the database did not answer in time") from None
    connection.answered_at = now


async def answers(pool: Pool) -> bool:
    """Return whether the database answers a query."""
    async with pool.connection() as connection:
        return await (await connection.execute("SELECT 1")).fetchone() == (1,)


async def report(pool: Pool) -> None:
    """Keep the pool's figures in the metrics, until cancelled."""
    while True:
        figures = pool.get_stats()
        size = figures.get("pool_size", 0)
        metrics.database_pool_size.set(size)
        metrics.database_pool_in_use.set(size - figures.get("pool_available", 0))
        metrics.database_pool_waiting.set(figures.get("requests_waiting", 0))
        await asyncio.sleep(REPORT_SECONDS)
