"""A worker in the test's process or in one of its own, with a model that does what the test says."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

import httpx

from slipway_app import queue
from slipway_app.llm import LlmClient
from slipway_app.presets import ResilienceFigures, ResiliencePreset
from slipway_app.queue import GROUP, STREAM
from slipway_app.resilience import TransientError
from slipway_app.worker import Timing, Worker
from tests.conftest import APP, free_port, running
from tests.stores import Stores

QUICK = Timing(take=0.2, beat=0.2, abandoned=1.0, sweep=0.2, queued=0.5, retry=0.1, stop=5)
FIGURES = ResiliencePreset.SIMPLE.figures


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


def forget_jobs(store: Stores) -> None:
    """Empty the table of jobs and the queue."""

    async def empty() -> None:
        async with store.redis() as client:
            await client.delete(STREAM)

    store.query("DELETE FROM jobs")
    asyncio.run(empty())


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
