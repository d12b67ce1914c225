"""The pool: patient with a busy database, impatient with one that is away, and never held for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from pydantic import SecretStr

from slipway_app import database
from slipway_app.database import Pool
from slipway_app.settings import DatabaseSettings

NOWHERE = "postgresql://app:pw@127.0.0.1:1/app"


def with_pool(url: str, size: int, work: Callable[[Pool], Awaitable[None]]) -> None:
    settings = DatabaseSettings(database_url=SecretStr(url), database_pool_size=size)

    async def run() -> None:
        async with database.create_pool(settings) as pool:
            await work(pool)

    asyncio.run(run())


def test_a_request_waits_for_a_busy_database(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        async def hold() -> None:
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(%s)", [2 * database.SLICE_SECONDS])

        holding = asyncio.create_task(hold())
        await asyncio.sleep(0.2)
        assert await database.answers(pool)
        await holding

    with_pool(database_url, 1, work)


def test_a_request_does_not_wait_for_a_database_that_refuses_connections() -> None:
    async def work(pool: Pool) -> None:
        begin = time.monotonic()
        for _ in range(3):
            with pytest.raises(PoolTimeout):
                await database.answers(pool)
        # The patience for a busy one would be 15 s.
        assert time.monotonic() - begin < 2 * database.CONNECT_TIMEOUT_SECONDS

    with_pool(NOWHERE, 2, work)


def test_a_transaction_that_hangs_gives_its_connection_back(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "USE_SECONDS", 0.3)

    async def work(pool: Pool) -> None:
        with pytest.raises(OperationalError, match=r"longer than 0.3 s"):
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(60)")
        assert await database.answers(pool)

    with_pool(database_url, 1, work)


def test_a_timeout_of_the_caller_stays_one(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        with pytest.raises(TimeoutError):
            async with pool.connection(), asyncio.timeout(0.1):
                await asyncio.sleep(60)
        assert await database.answers(pool)

    with_pool(database_url, 1, work)


def test_what_fails_in_a_transaction_is_taken_back(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        async def fail() -> None:
            async with pool.connection() as connection:
                await connection.execute("CREATE TABLE never_there (id integer)")
                raise ValueError("ours")

        with pytest.raises(ValueError, match="ours"):
            await fail()
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT to_regclass('never_there')")
            assert await cursor.fetchone() == (None,)

    with_pool(database_url, 1, work)
