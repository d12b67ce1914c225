"""The worker with a real PostgreSQL and a real Redis: what is done once, and what survives which death."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from uuid import UUID

import httpx
import pytest

from slipway_app import jobs, live, queue
from slipway_app.jobs import MAX_ATTEMPTS
from slipway_app.llm import LlmClient
from slipway_app.presets import ResilienceFigures, ResiliencePreset
from slipway_app.queue import GROUP, STREAM
from slipway_app.resilience import TransientError
from slipway_app.worker import Timing, Worker
from tests import stores
from tests.conftest import APP, PostgresServer, RedisServer, free_port, running, wait_until
from tests.stores import Stores

QUICK = Timing(take=0.2, beat=0.2, abandoned=1.0, sweep=0.2, queued=0.5, retry=0.1, stop=5)
FIGURES = ResiliencePreset.SIMPLE.figures


@pytest.fixture(scope="module")
def store(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Stores:
    return stores.create("worker", postgres_server, redis_server, tmp_path_factory.mktemp("worker"))


@pytest.fixture(autouse=True)
def no_jobs(store: Stores) -> None:
    async def empty() -> None:
        async with store.redis() as client:
            await client.delete(STREAM)

    store.query("DELETE FROM jobs")
    asyncio.run(empty())


class Model:
    """A provider that answers when it is let, fails when it is told, and counts its calls."""

    def __init__(
        self, *, blocked: bool = False, fails: Callable[[str], bool] = lambda _prompt: False
    ) -> None:
        self.calls: list[str] = []
        self.fails = fails
        self.free = asyncio.Event()
        if not blocked:
            self.free.set()

    async def complete(self, prompt: str) -> str:
        self.calls.append(prompt)
        await self.free.wait()
        if self.fails(prompt):
            raise TransientError("it failed")
        return f"answer to {prompt}"


async def no_sleep(_seconds: float) -> None:
    await asyncio.sleep(0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def working(
    store: Stores,
    model: Model,
    *,
    timing: Timing = QUICK,
    figures: ResilienceFigures = FIGURES,
    clock: Callable[[], float] = Clock(),  # noqa: B008
    **settings: object,
) -> AsyncGenerator[Worker]:
    """A worker in this process, stopped at the end."""
    client = LlmClient("test", model, figures, clock=clock, sleep=no_sleep)
    async with store.pool() as pool, store.redis() as queue_redis, store.redis() as live_redis:
        worker = Worker(store.settings(**settings), client, pool, queue_redis, live_redis, timing)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await asyncio.wait_for(task, 15)


async def eventually(holds: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


async def announce(store: Stores, *announced: UUID) -> None:
    async with store.redis() as client:
        for job in announced:
            await queue.announce(client, job)


async def pending(store: Stores) -> int:
    async with store.redis() as client:
        return (await client.xpending(STREAM, GROUP))["pending"]


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 60))  # type: ignore[arg-type]


@contextmanager
def process(store: Stores, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A worker as the cluster starts it."""
    port = free_port()
    variables = {**store.environment, "METRICS_PORT": str(port), **environment}
    command = [sys.executable, "-m", "slipway_app.worker"]
    with running(command, env=variables, cwd=APP, stdout=subprocess.DEVNULL) as started:
        yield started, port


def get(port: int, path: str) -> httpx.Response | None:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
    return None


def shown(port: int, path: str) -> str:
    answer = get(port, path)
    return answer.text if answer else ""


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
