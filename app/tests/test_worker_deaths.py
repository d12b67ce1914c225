"""What is left of a job when a signal, a store or a worker is lost: never nothing, never two answers."""

import asyncio
import json
import signal
from dataclasses import replace

import pytest

from slipway_app import jobs, live, queue
from slipway_app.queue import GROUP, STREAM
from slipway_app.worker import Timing
from tests import stores
from tests.conftest import PostgresServer, RedisServer, wait_until
from tests.stores import Stores
from tests.workers import (
    QUICK,
    Model,
    announce,
    eventually,
    forget_jobs,
    pending,
    play,
    process,
    working,
)


@pytest.fixture(scope="module")
def store(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Stores:
    return stores.create("worker_deaths", postgres_server, redis_server, tmp_path_factory.mktemp("deaths"))


@pytest.fixture(autouse=True)
def no_jobs(store: Stores) -> None:
    forget_jobs(store)


# --- What is lost on the way ---


def test_a_job_whose_signal_was_lost_is_swept(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        job = store.job(conversation)  # never announced
        async with working(store, Model()):
            await eventually(lambda: store.state(job) == ("done", 1))

    play(scenario)


def test_without_redis_jobs_are_done_from_the_table_and_with_it_again_by_the_queue(
    store: Stores, redis_server: RedisServer
) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        redis_server.stop()
        never_sweeps_else = replace(QUICK, sweep=60, queued=60)
        try:
            async with working(store, Model(), timing=never_sweeps_else):
                first = store.job(conversation)
                await eventually(lambda: store.state(first)[0] == "done")
                await asyncio.to_thread(redis_server.start)  # empty: the group is gone
                second = store.job(conversation)
                await announce(store, second)
                await eventually(lambda: store.state(second)[0] == "done")
        finally:
            if redis_server.process is None:
                redis_server.start()

    play(scenario)


def test_without_postgres_the_answer_is_kept_until_it_can_be_stored(
    store: Stores, postgres_server: PostgresServer
) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        job = store.job(conversation)
        await announce(store, job)
        model = Model(blocked=True)
        async with working(store, model):
            await eventually(lambda: len(model.calls) == 1)
            await asyncio.to_thread(postgres_server.stop)
            try:
                model.free.set()
                await asyncio.sleep(1)
            finally:
                await asyncio.to_thread(postgres_server.start)
            await eventually(lambda: store.state(job)[0] == "done", seconds=30)
        assert len(model.calls) == 1

    play(scenario)
    assert len(store.answers(conversation)) == 1


def test_an_answer_that_was_stored_but_not_announced_is_announced_by_who_takes_over(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        job = store.job(conversation)
        await announce(store, job)
        async with store.redis() as client, store.pool() as pool, client.pubsub() as subscription:
            # A worker that died between the commit and the news of it.
            (taken,) = await queue.take(client, "dead", 1, wait_ms=1)
            claimed = await jobs.claim(pool, job, timeout_seconds=60, abandoned=False)
            assert claimed
            await jobs.finish(pool, claimed, "stored")
            await queue.hand_back(client, "dead", [taken.entry_id])
            await subscription.subscribe(live.CHANNEL)
            model = Model()
            async with working(store, model):
                while True:
                    heard = await subscription.get_message(ignore_subscribe_messages=True, timeout=10)
                    if heard:
                        break
            assert json.loads(heard["data"])["conversation"] == conversation
            assert model.calls == []
        assert await pending(store) == 0

    play(scenario)
    assert store.answers(conversation) == ["stored"]


# --- Workers that die or end ---


def test_a_job_of_a_worker_killed_in_the_middle_is_done_by_another_with_one_answer(store: Stores) -> None:
    conversation = store.conversation()
    job = store.job(conversation)
    with process(store, LLM_LATENCY_SECONDS="60") as (killed, _port):
        asyncio.run(announce(store, job))
        wait_until(lambda: store.state(job) == ("running", 1))
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)

    async def scenario() -> None:
        async with working(store, Model()):
            await eventually(lambda: store.state(job) == ("done", 2))
        assert await pending(store) == 0

    play(scenario)
    assert len(store.answers(conversation)) == 1


def test_a_worker_killed_again_and_again_under_load_loses_no_job_and_doubles_none(store: Stores) -> None:
    conversation = store.conversation()
    todo = [store.job(conversation, f"text {number}") for number in range(60)]
    asyncio.run(announce(store, *todo))
    for _ in range(3):
        with process(store, LLM_LATENCY_SECONDS="0.1") as (killed, _port):
            before = len(store.answers(conversation))
            wait_until(lambda before=before: len(store.answers(conversation)) > before)
            killed.send_signal(signal.SIGKILL)
            killed.wait(10)

    def unfinished() -> int:
        return store.number("SELECT count(*) FROM jobs WHERE state <> 'done'")

    async def scenario() -> None:
        async with working(store, Model(), job_timeout_seconds=5):
            await eventually(lambda: unfinished() == 0, seconds=30)

    play(scenario)
    replies = store.query(
        "SELECT reply_to FROM messages WHERE conversation_id = %s AND author = 'assistant'", conversation
    )
    assert len(replies) == len(set(replies)) == 60


def test_a_job_at_hand_is_not_taken_over_while_its_worker_lives(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        job = store.job(conversation)
        await announce(store, job)
        model, other = Model(blocked=True), Model()
        async with working(store, model):
            await eventually(lambda: len(model.calls) == 1)
            async with working(store, other):
                await asyncio.sleep(2.5)  # longer than a silent worker is waited for
            model.free.set()
            await eventually(lambda: store.state(job) == ("done", 1))
        assert other.calls == []

    play(scenario)


def test_at_sigterm_the_job_at_hand_is_finished_and_the_worker_ends_with_0(store: Stores) -> None:
    conversation = store.conversation()
    first = store.job(conversation)
    with process(store, LLM_LATENCY_SECONDS="1", WORKER_CONCURRENCY="1") as (worker, _port):
        asyncio.run(announce(store, first))
        wait_until(lambda: store.state(first)[0] == "running")
        second = store.job(conversation)
        asyncio.run(announce(store, second))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    assert store.state(first) == ("done", 1)
    assert store.state(second) == ("queued", 0)


def test_a_job_that_does_not_finish_in_time_is_handed_back_at_once(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        job = store.job(conversation)
        await announce(store, job)
        model = Model(blocked=True)
        slow_to_reclaim = Timing(take=0.2, beat=0.2, abandoned=60, sweep=60, queued=60, stop=0.2)
        async with working(store, model, timing=slow_to_reclaim):
            await eventually(lambda: len(model.calls) == 1)
        assert store.state(job) == ("queued", 0)
        async with working(store, Model(), timing=slow_to_reclaim):
            await eventually(lambda: store.state(job) == ("done", 1))
        async with store.redis() as client:
            assert await client.xinfo_consumers(STREAM, GROUP) == []

    play(scenario)


def test_what_is_at_hand_while_postgres_is_down_is_handed_back_by_the_queue(
    store: Stores, postgres_server: PostgresServer
) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        job = store.job(conversation)
        await announce(store, job)
        model = Model(blocked=True)
        timing = Timing(take=0.2, beat=0.2, abandoned=60, sweep=60, queued=60, retry=0.1, stop=1)
        async with working(store, model, timing=timing):
            await eventually(lambda: len(model.calls) == 1)
            await asyncio.to_thread(postgres_server.stop)
        await asyncio.to_thread(postgres_server.start)
        async with working(store, Model(), timing=timing):
            await eventually(lambda: store.state(job) == ("done", 2), seconds=30)

    play(scenario)
    assert len(store.answers(conversation)) == 1
