"""PostgreSQL, through one pool of connections a process. The queries stand beside what they are about.

An outage of the database must be short for its clients: they get 503 soon, and the pool heals by itself.
"""

from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from slipway_app.settings import DatabaseSettings

type Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]

CONNECT_TIMEOUT_SECONDS = 5
"""How long a request waits for a connection: shorter than a client would wait for the answer."""
STATEMENT_TIMEOUT_SECONDS = 15
"""No query of this application takes longer; one that hangs must not hold a connection for ever."""


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
        configure=_configure,
        open=False,
    )


async def _configure(connection: AsyncConnection[tuple[Any, ...]]) -> None:
    # By a command, not by `options` at connection time: a connection pooler in between would refuse that.
    await connection.execute(
        "SELECT set_config('statement_timeout', %s, false)", [f"{STATEMENT_TIMEOUT_SECONDS}s"]
    )
    await connection.commit()


async def answers(pool: Pool) -> bool:
    """Return whether the database answers a query."""
    async with pool.connection() as connection:
        return await (await connection.execute("SELECT 1")).fetchone() == (1,)
