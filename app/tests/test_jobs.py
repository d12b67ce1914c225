"""The table of jobs in a real PostgreSQL: claimed by one, finished once, found again when lost."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import psycopg
import pytest

from slipway_app import conversations, jobs
from slipway_app.database import Pool
from slipway_app.jobs import MAX_ATTEMPTS, Claimed
from tests import stores
from tests.conftest import PostgresServer, RedisServer
from tests.stores import Stores

TIMEOUT = 60.0


@pytest.fixture(scope="module")
def store(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Stores:
    return stores.create("jobs", postgres_server, redis_server, tmp_path_factory.mktemp("jobs"))


@pytest.fixture(autouse=True)
def no_jobs(store: Stores) -> None:
    store.query("DELETE FROM jobs")


def play[T](store: Stores, scenario: Callable[[Pool], Awaitable[T]]) -> T:
    async def with_pool() -> T:
        async with store.pool() as pool:
            return await scenario(pool)

    return asyncio.run(with_pool())


async def claim(pool: Pool, job: UUID, *, abandoned: bool = False) -> Claimed | None:
    return await jobs.claim(pool, job, timeout_seconds=TIMEOUT, abandoned=abandoned)


async def claimed(pool: Pool, job: UUID) -> Claimed:
    found = await claim(pool, job, abandoned=True)
    assert found
    return found


async def swept(pool: Pool, limit: int = 10) -> list[UUID]:
    found = await jobs.sweep(pool, limit=limit, queued_seconds=5, timeout_seconds=TIMEOUT)
    return [job.id for job in found]


def begun_long_ago(store: Stores, job: UUID) -> None:
    store.query("UPDATE jobs SET started_at = now() - interval '61 s' WHERE id = %s", job)


def test_of_ten_workers_one_claims_a_job(store: Stores) -> None:
    conversation = store.conversation()
    job = store.job(conversation, "hello")

    async def scenario(pool: Pool) -> None:
        found = [one for one in await asyncio.gather(*(claim(pool, job) for _ in range(10))) if one]
        assert [(one.id, one.attempts, one.conversation_id, one.text) for one in found] == [
            (job, 1, conversation, "hello")
        ]
        assert await claim(pool, uuid4()) is None

    play(store, scenario)


def test_a_running_job_is_claimed_again_only_when_it_was_lost(store: Stores) -> None:
    job = store.job(store.conversation())

    async def scenario(pool: Pool) -> None:
        await claimed(pool, job)
        assert await claim(pool, job) is None
        again = await claim(pool, job, abandoned=True)
        assert again
        assert again.attempts == 2
        begun_long_ago(store, job)
        assert await claim(pool, job) is not None

    play(store, scenario)


def test_a_job_finished_twice_has_one_answer(store: Stores) -> None:
    conversation = store.conversation()
    job = store.job(conversation)

    async def scenario(pool: Pool) -> None:
        first_worker = await claimed(pool, job)
        second_worker = await claimed(pool, job)
        first, second = await asyncio.gather(
            jobs.finish(pool, first_worker, "one"), jobs.finish(pool, second_worker, "two")
        )
        assert first
        assert second
        assert first.message == second.message
        assert [first.first, second.first].count(True) == 1
        assert await jobs.answer_of(pool, job) == first.message
        assert await claim(pool, job, abandoned=True) is None

    play(store, scenario)
    assert len(store.answers(conversation)) == 1
    assert store.state(job)[0] == "done"


def test_an_answer_and_its_job_are_stored_both_or_neither(store: Stores) -> None:
    conversation = store.conversation()
    job = store.job(conversation)

    async def scenario(pool: Pool) -> None:
        found = await claimed(pool, job)
        with pytest.raises(psycopg.errors.CheckViolation):
            await jobs.finish(pool, found, "x" * 10_001)
        assert store.state(job) == ("running", 1)
        assert await jobs.answer_of(pool, job) is None

    play(store, scenario)
    assert store.answers(conversation) == []


def test_the_answer_to_a_deleted_conversation_is_dropped(store: Stores) -> None:
    conversation = store.conversation()
    job = store.job(conversation)

    async def scenario(pool: Pool) -> None:
        found = await claimed(pool, job)
        store.query("DELETE FROM conversations WHERE id = %s", conversation)
        assert await jobs.finish(pool, found, "too late") is None

    play(store, scenario)


def test_messages_of_a_conversation_become_visible_in_the_order_of_their_ids(store: Stores) -> None:
    conversation = store.conversation()
    job = store.job(conversation)

    async def scenario(pool: Pool) -> None:
        found = await claimed(pool, job)
        async with pool.connection() as slow:
            # A message that has its number and is not committed yet.
            await slow.execute(conversations.LOCK, [conversation])
            row = await (
                await slow.execute(
                    "INSERT INTO messages (conversation_id, author, text) VALUES (%s, 'user', 'slow')"
                    " RETURNING id",
                    [conversation],
                )
            ).fetchone()
            others = [
                asyncio.ensure_future(jobs.finish(pool, found, "answer")),
                asyncio.ensure_future(conversations.add_message(pool, conversation, "fast")),
            ]
            ended, _waiting = await asyncio.wait(others, timeout=0.3)
            assert not ended  # neither has overtaken it
        await asyncio.gather(*others)
        assert row
        later = await conversations.messages_after(pool, conversation, row[0])
        assert {message.text for message in later} == {"answer", "fast"}

    play(store, scenario)


def test_a_failed_attempt_is_queued_again_until_the_last_one(store: Stores) -> None:
    job = store.job(store.conversation())

    async def scenario(pool: Pool) -> list[str | None]:
        states = list[str | None]()
        for _ in range(MAX_ATTEMPTS):
            found = await claim(pool, job)
            assert found
            states.append(await jobs.give_up(pool, found, "the model " + "x" * 1000))
        assert await claim(pool, job, abandoned=True) is None
        return states

    assert play(store, scenario) == ["queued"] * (MAX_ATTEMPTS - 1) + ["failed"]
    assert store.state(job) == ("failed", MAX_ATTEMPTS)
    assert store.number("SELECT length(error) FROM jobs WHERE id = %s", job) == 500


def test_a_worker_cannot_give_up_or_release_what_another_has_claimed_since(store: Stores) -> None:
    job = store.job(store.conversation())

    async def scenario(pool: Pool) -> None:
        zombie = await claimed(pool, job)
        await claimed(pool, job)
        assert await jobs.give_up(pool, zombie, "too late") is None
        assert not await jobs.release(pool, zombie)

    play(store, scenario)
    assert store.state(job) == ("running", 2)


def test_a_released_job_is_as_if_it_had_not_been_claimed(store: Stores) -> None:
    job = store.job(store.conversation())

    async def scenario(pool: Pool) -> None:
        assert await jobs.release(pool, await claimed(pool, job))

    play(store, scenario)
    assert store.state(job) == ("queued", 0)


def test_a_sweep_finds_what_waits_too_long_and_what_was_lost_and_nothing_else(store: Stores) -> None:
    conversation = store.conversation()
    waiting, lost, finished = (store.job(conversation, age_seconds=age) for age in (6, 70, 80))
    running, _new = store.job(conversation), store.job(conversation)

    async def scenario(pool: Pool) -> None:
        for job in (lost, running):
            await claimed(pool, job)
        await jobs.finish(pool, await claimed(pool, finished), "answer")
        for job in (lost, finished):
            begun_long_ago(store, job)
        assert set(await swept(pool)) == {waiting, lost}
        assert await swept(pool) == []

    play(store, scenario)


def test_workers_that_sweep_at_once_share_the_oldest_jobs(store: Stores) -> None:
    conversation = store.conversation()
    waiting = [store.job(conversation, age_seconds=100 - age) for age in range(10)]

    async def scenario(pool: Pool) -> None:
        first, second = await asyncio.gather(swept(pool, 4), swept(pool, 4))
        assert len({*first, *second}) == len(first) + len(second)
        rest = await swept(pool, 10)
        assert {*first, *second, *rest} == set(waiting)

    play(store, scenario)


def test_the_backlog_counts_what_no_worker_has_begun(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario(pool: Pool) -> None:
        assert await jobs.backlog(pool) == (0, 0)
        store.job(conversation, age_seconds=40)
        await claimed(pool, store.job(conversation, age_seconds=50))
        waiting, age = await jobs.backlog(pool)
        assert waiting == 1
        assert 40 <= age < 50

    play(store, scenario)
