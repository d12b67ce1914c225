"""The worker with a real PostgreSQL and a real Redis: each job once, and figures that say how it goes."""

import asyncio
import json
import subprocess
import sys

import pytest

from slipway_app import live
from slipway_app.jobs import MAX_ATTEMPTS
from slipway_app.queue import STREAM
from tests import stores
from tests.conftest import APP, PostgresServer, RedisServer, wait_until
from tests.stores import Stores
from tests.workers import (
    FIGURES,
    Clock,
    Model,
    announce,
    eventually,
    forget_jobs,
    get,
    pending,
    play,
    process,
    shown,
    working,
)


@pytest.fixture(scope="module")
def store(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Stores:
    return stores.create("worker", postgres_server, redis_server, tmp_path_factory.mktemp("worker"))


@pytest.fixture(autouse=True)
def no_jobs(store: Stores) -> None:
    forget_jobs(store)


# --- In order ---


def test_announced_jobs_are_answered_once_and_leave_the_queue_empty(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        todo = [store.job(conversation, f"text {number}") for number in range(20)]
        model, other = Model(), Model()
        async with working(store, model), working(store, other):
            await announce(store, *todo, *todo)  # each is announced twice
            await eventually(lambda: all(store.state(job) == ("done", 1) for job in todo))
            await asyncio.sleep(0.5)
        assert sorted(model.calls + other.calls) == sorted(f"text {number}" for number in range(20))
        assert await pending(store) == 0
        async with store.redis() as client:
            assert await client.xlen(STREAM) == 0

    play(scenario)
    assert sorted(store.answers(conversation)) == sorted(f"answer to text {number}" for number in range(20))


def test_no_more_jobs_are_at_work_than_the_settings_say(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        todo = [store.job(conversation, str(number)) for number in range(5)]
        await announce(store, *todo)
        model = Model(blocked=True)
        async with working(store, model, worker_concurrency=2):
            await eventually(lambda: len(model.calls) == 2)
            await asyncio.sleep(1)
            assert len(model.calls) == 2
            model.free.set()
            await eventually(lambda: all(store.state(job)[0] == "done" for job in todo))

    play(scenario)


def test_the_answer_is_announced_to_those_who_listen(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        async with store.redis() as client, client.pubsub() as subscription:
            await subscription.subscribe(live.CHANNEL)
            await announce(store, store.job(conversation))
            async with working(store, Model()):
                while True:
                    heard = await subscription.get_message(ignore_subscribe_messages=True, timeout=10)
                    if heard:
                        break
        message = store.number(
            "SELECT id FROM messages WHERE author = 'assistant' AND conversation_id = %s", conversation
        )
        assert json.loads(heard["data"]) == {"conversation": conversation, "message": message}

    play(scenario)


# --- A model that fails ---


def test_a_job_that_fails_at_every_attempt_ends_as_failed_and_others_are_done(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        bad = store.job(conversation, "bad")
        good = store.job(conversation, "good")
        await announce(store, bad, good)
        never_opens = FIGURES._replace(retries=1, failure_threshold=1_000)
        async with working(store, Model(fails=lambda prompt: prompt == "bad"), figures=never_opens):
            await eventually(lambda: store.state(bad) == ("failed", MAX_ATTEMPTS))
            await eventually(lambda: store.state(good) == ("done", 1))
        assert await pending(store) == 0

    play(scenario)
    assert store.answers(conversation) == ["answer to good"]


def test_a_job_that_takes_too_long_is_an_attempt_that_failed(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        job = store.job(conversation)
        await announce(store, job)
        async with working(store, Model(blocked=True), job_timeout_seconds=0.1):
            await eventually(lambda: store.state(job) == ("failed", MAX_ATTEMPTS))

    play(scenario)


def test_an_outage_of_the_model_fails_no_job_and_they_are_done_after_it(store: Stores) -> None:
    conversation = store.conversation()
    clock = Clock()

    async def scenario() -> None:
        todo = [store.job(conversation, str(number)) for number in range(6)]
        await announce(store, *todo)
        model = Model(fails=lambda _prompt: True)
        async with working(store, model, clock=clock):
            await eventually(lambda: len(model.calls) >= FIGURES.failure_threshold)
            await eventually(lambda: all(store.state(job)[0] == "queued" for job in todo))
            before = len(model.calls)
            await asyncio.sleep(1)
            assert len(model.calls) == before  # the circuit is open: nobody asks
            clock.now += 60
            await eventually(lambda: len(model.calls) == before + 1)  # a single one tries, and fails
            await eventually(lambda: all(store.state(job)[0] == "queued" for job in todo))
            model.fails = lambda _prompt: False
            clock.now += 60
            await eventually(lambda: all(store.state(job)[0] == "done" for job in todo))
        assert max(store.state(job)[1] for job in todo) <= 2

    play(scenario)
    assert len(store.answers(conversation)) == 6


def test_a_job_that_kills_its_workers_is_given_up_without_another_try(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        job = store.job(conversation)
        store.query("UPDATE jobs SET attempts = %s WHERE id = %s", MAX_ATTEMPTS, job)
        await announce(store, job)
        model = Model()
        async with working(store, model):
            await eventually(lambda: store.state(job)[0] == "failed")
        assert model.calls == []

    play(scenario)


# --- What it shows of itself ---


def test_figures_health_checks_and_the_sign_of_life(store: Stores) -> None:
    conversation = store.conversation()
    probe = [sys.executable, "-m", "slipway_app.alive"]
    with process(store) as (_worker, port):
        asyncio.run(announce(store, store.job(conversation)))
        wait_until(lambda: len(store.answers(conversation)) == 1)
        wait_until(lambda: get(port, "/metrics") is not None)
        for path in ("/health/live", "/health/ready"):
            answer = get(port, path)
            assert answer
            assert answer.status_code == 200
        for line in (
            'jobs_total{outcome="done"} 1.0',
            'llm_requests_total{model="simulated-1",outcome="ok"} 1.0',
            "queue_jobs_waiting 0.0",
            "queue_oldest_job_age_seconds 0.0",
            "llm_circuit_open 0.0",
        ):  # those of the queue are brought up to date every few seconds
            wait_until(lambda line=line: f"\n{line}\n" in shown(port, "/metrics"))
        assert subprocess.run(probe, env=store.environment, cwd=APP, check=False).returncode == 0


def test_without_postgres_the_worker_lives_and_is_not_ready(store: Stores) -> None:
    with process(store, DATABASE_URL="postgresql://app:pw@127.0.0.1:1/app") as (_worker, port):
        wait_until(lambda: get(port, "/health/live") is not None)
        alive, ready = get(port, "/health/live"), get(port, "/health/ready")
        assert alive
        assert alive.status_code == 200
        assert ready is not None
        assert ready.status_code == 503


def test_the_sign_of_life_is_missing_without_a_worker(store: Stores, tmp_path: object) -> None:
    probe = [sys.executable, "-m", "slipway_app.alive"]
    elsewhere = {**store.environment, "TMPDIR": str(tmp_path)}
    assert subprocess.run(probe, env=elsewhere, cwd=APP, check=False).returncode == 1
