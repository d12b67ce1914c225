"""The worker: has the model answer what users wrote. `python -m slipway_app.worker`.

Jobs come by the queue, and where Redis lost a signal, by sweeping the table. A job that is at hand is kept by
a sign of life now and then; a worker that dies gives none, and another one takes over. jobs.py says why a job
is done once and never lost.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from psycopg import InterfaceError, OperationalError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from slipway_app import alive, database, jobs, live, llm, logs, metrics, monitor, queue, redis, telemetry
from slipway_app.database import Pool
from slipway_app.llm import LlmClient
from slipway_app.queue import Signal
from slipway_app.resilience import CircuitOpenError, TransientError
from slipway_app.settings import WorkerSettings, load

DATABASE_DOWN = (OperationalError, InterfaceError)
REDIS_DOWN = (RedisError, OSError)
CONNECTIONS = 4
"""To each Redis: one waits for signals, the others serve what runs meanwhile."""
FORGET_SECONDS = 600.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """How often the worker looks where, in seconds."""

    take: float = 1.0
    """How long one look into the queue waits: also how long a SIGTERM may go unnoticed."""
    beat: float = 4.0
    """How often it says that the jobs at hand are at work."""
    abandoned: float = 15.0
    """A job without such a sign for this long was abandoned: more than three were missed."""
    sweep: float = 5.0
    """How often the table is searched for jobs without a signal."""
    queued: float = 15.0
    """A job that waits longer than this may have none. While Redis does not answer, no job has one."""
    retry: float = 1.0
    """After this long a store that did not answer is asked again."""
    stop: float = 25.0
    """How long jobs at hand may take to finish after SIGTERM; with the rest, within 45 s of grace."""


@dataclass(eq=False)
class _Hand:
    """A job at hand: by a signal of the queue, or by a sweep; claimed as soon as `job` is there."""

    signal: Signal | None
    abandoned: bool = False
    job: jobs.Claimed | None = None


class _StoppedError(Exception):
    """The worker ends while a store does not answer: what is at hand is handed back."""


class Worker:
    """Does jobs until it is told to stop.

    Args:
        settings: how many jobs at once, and how long one may take.
        model: who answers.
        pool: the database.
        queue_redis: where jobs are announced; its timeout must be longer than `timing.take`.
        live_redis: where answers are announced.
        timing: how often it looks where.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        model: LlmClient,
        pool: Pool,
        queue_redis: Redis,
        live_redis: Redis,
        timing: Timing | None = None,
    ) -> None:
        self._settings = settings
        self._model = model
        self._pool = pool
        self._queue = queue_redis
        self._live = live_redis
        self._timing = timing or Timing()
        # A container's host name is its pod's; the rest tells restarts in the same pod apart.
        self._name = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns():x}"
        self._at_hand: dict[asyncio.Task[None], _Hand] = {}
        self._wake = asyncio.Event()
        self._stopping = self._queue_is_down = False
        self._swept_at = self._reclaimed_at = float("-inf")

    def stop(self) -> None:
        """Begin to stop: no new job is taken."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until told to stop, then finish or hand back what is at hand."""
        beat = asyncio.create_task(self._beat())
        try:
            while not self._stopping:
                alive.touch()
                await self._round()
            await self._end()
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    # --- Where jobs come from ---

    async def _round(self) -> None:
        """Take as many jobs as there are hands free, waiting for one for a moment."""
        self._wake.clear()
        free = self._settings.worker_concurrency - len(self._at_hand)
        # A job that is taken while the model is not to be asked would only be handed back.
        closed_for = self._model.retry_after_seconds
        if free <= 0 or closed_for > 0:
            await self._pause(min(closed_for or self._timing.take, self._timing.take))
            return
        free -= await self._sweep(free)
        if free <= 0 or self._stopping:
            return
        try:
            if self._due(self._reclaimed_at, self._timing.beat):
                self._reclaimed_at = time.monotonic()
                idle_ms = int(self._timing.abandoned * 1000)
                await self._keep()  # or, after an outage of Redis, this worker would take over from itself
                abandoned = await queue.take_abandoned(self._queue, self._name, free, idle_ms)
                for found in abandoned:
                    self._begin(_Hand(found, abandoned=True))
                free -= len(abandoned)
            if free > 0:
                for found in await queue.take(self._queue, self._name, free, int(self._timing.take * 1000)):
                    self._begin(_Hand(found))
            self._queue_is_down = False
        except REDIS_DOWN as error:
            metrics.redis_errors.inc()
            logger.warning("Redis (queue) does not answer, jobs are swept: %s", type(error).__name__)
            self._queue_is_down = True
            await self._pause(self._timing.retry)

    async def _sweep(self, free: int) -> int:
        if not self._queue_is_down and not self._due(self._swept_at, self._timing.sweep):
            return 0
        self._swept_at = time.monotonic()
        try:
            found = await jobs.sweep(
                self._pool,
                limit=free,
                queued_seconds=0 if self._queue_is_down else self._timing.queued,
                timeout_seconds=self._settings.job_timeout_seconds,
            )
        except DATABASE_DOWN as error:
            logger.error("PostgreSQL does not answer: %s", type(error).__name__)
            return 0
        for job in found:
            self._begin(_Hand(None, job=job))
        return len(found)

    @staticmethod
    def _due(last: float, seconds: float) -> bool:
        return time.monotonic() - last >= seconds

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until a hand is free or the worker is told to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _begin(self, hand: _Hand) -> None:
        task = asyncio.create_task(self._do(hand))
        self._at_hand[task] = hand
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is None:
            del self._at_hand[task]
        self._wake.set()

    # --- What is done with one ---

    async def _do(self, hand: _Hand) -> None:
        job_id = hand.job.id if hand.job else hand.signal.job_id if hand.signal else None
        with logs.bound_contextvars(job=str(job_id)):
            try:
                if hand.job is None and hand.signal is not None:
                    hand.job = await self._claim(hand.signal, hand.abandoned)
                if hand.job is not None:
                    await self._answer(hand.job)
                if hand.signal is not None:
                    await self._tolerate(queue.acknowledge(self._queue, hand.signal.entry_id))
            except _StoppedError:
                raise
            except Exception:
                # The signal is not acknowledged: the job comes back, at most MAX_ATTEMPTS times.
                logger.exception("a job failed by an error of the worker")

    async def _claim(self, found: Signal, abandoned: bool) -> jobs.Claimed | None:
        timeout_seconds = self._settings.job_timeout_seconds
        job = await self._until_it_answers(
            lambda: jobs.claim(self._pool, found.job_id, timeout_seconds=timeout_seconds, abandoned=abandoned)
        )
        if job is None and abandoned:
            # Perhaps its worker died between the commit and the news of it.
            answer = await self._until_it_answers(lambda: jobs.answer_of(self._pool, found.job_id))
            if answer is not None:
                await self._tell(answer)
        return job

    async def _answer(self, job: jobs.Claimed) -> None:
        begin = time.monotonic()
        if job.attempts > jobs.MAX_ATTEMPTS:
            await self._give_up(job, f"its workers died {jobs.MAX_ATTEMPTS} times")
            return
        try:
            async with asyncio.timeout(self._settings.job_timeout_seconds):
                completion = await self._model.complete(job.text)
        except CircuitOpenError:
            # Not the job's fault: no attempt is counted. It is swept as soon as the model may be asked again.
            await self._until_it_answers(lambda: jobs.release(self._pool, job))
            return
        except (TransientError, TimeoutError) as error:
            await self._give_up(job, f"{type(error).__name__}: {error}")
            return
        finished = await self._until_it_answers(lambda: jobs.finish(self._pool, job, completion.text))
        if finished is None:
            logger.info("the conversation was deleted meanwhile")
            return
        await self._tell(finished.message)
        if finished.first:
            metrics.jobs.labels("done").inc()
            metrics.job_duration.observe(time.monotonic() - begin)
            logger.info("answered", extra={"attempts": job.attempts, "cost_eur": completion.cost_eur})

    async def _give_up(self, job: jobs.Claimed, error: str) -> None:
        state = await self._until_it_answers(lambda: jobs.give_up(self._pool, job, error))
        logger.warning("an attempt failed: %s", error, extra={"attempts": job.attempts, "state": state})
        if state == "failed":
            metrics.jobs.labels("failed").inc()
        elif state == "queued":
            await self._tolerate(queue.announce(self._queue, job.id))

    async def _tell(self, answer: jobs.Message) -> None:
        # Should it fail: those who listen look for themselves now and then.
        await redis.tolerate(live.publish(self._live, answer.conversation_id, answer.view()))

    async def _until_it_answers[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask PostgreSQL until it answers; raises _StoppedError when the worker is to end before."""
        while True:
            try:
                return await ask()
            except DATABASE_DOWN as error:
                logger.error("PostgreSQL does not answer, waiting: %s", type(error).__name__)
                if self._stopping:
                    raise _StoppedError from None
                await asyncio.sleep(self._timing.retry)

    async def _tolerate(self, call: Coroutine[Any, Any, None]) -> None:
        """Tell the queue; should it not answer, the table says the same."""
        try:
            await call
        except REDIS_DOWN as error:
            metrics.redis_errors.inc()
            logger.warning("Redis (queue) does not answer: %s", type(error).__name__)

    # --- Life and end ---

    async def _beat(self) -> None:
        forgot_at = time.monotonic()
        while True:
            await self._tolerate(self._keep())
            if self._due(forgot_at, FORGET_SECONDS):
                forgot_at = time.monotonic()
                await self._tolerate(queue.forget_gone_consumers(self._queue))
            await asyncio.sleep(self._timing.beat)

    async def _keep(self) -> None:
        entries = [hand.signal.entry_id for hand in self._at_hand.values() if hand.signal]
        await queue.keep(self._queue, self._name, entries)

    async def _end(self) -> None:
        logger.info("stopping", extra={"at_hand": len(self._at_hand)})
        if self._at_hand:
            await asyncio.wait(list(self._at_hand), timeout=self._timing.stop)
        unfinished = list(self._at_hand)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        for hand in list(self._at_hand.values()):
            await self._hand_back(hand)
        await self._tolerate(queue.forget_consumer(self._queue, self._name))
        logger.info("stopped")

    async def _hand_back(self, hand: _Hand) -> None:
        """Let another worker have the job at once, by whichever store answers."""
        if hand.job is not None:
            try:
                if await jobs.release(self._pool, hand.job):
                    await self._tolerate(queue.announce(self._queue, hand.job.id))
                if hand.signal is not None:
                    await self._tolerate(queue.acknowledge(self._queue, hand.signal.entry_id))
            except DATABASE_DOWN as error:
                logger.error("PostgreSQL does not answer: %s", type(error).__name__)
            else:
                logger.info("handed back", extra={"job": str(hand.job.id)})
                return
        if hand.signal is not None:
            await self._tolerate(queue.hand_back(self._queue, self._name, [hand.signal.entry_id]))


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load(WorkerSettings)
    logs.configure(settings, "worker")
    telemetry.configure(settings, "worker")
    pool = database.create_pool(settings)
    timing = Timing()
    queue_redis = redis.create_client(
        settings.queue_url, connections=CONNECTIONS, timeout_seconds=timing.take + redis.TIMEOUT_SECONDS
    )
    live_redis = redis.create_client(settings.redis_url, connections=CONNECTIONS)
    worker = Worker(settings, llm.create_client(settings), pool, queue_redis, live_redis, timing)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    await pool.open(wait=False)
    chores = [
        asyncio.create_task(monitor.serve(pool, settings.metrics_port)),
        asyncio.create_task(monitor.observe(pool, queue_redis)),
        asyncio.create_task(database.report(pool)),
    ]
    try:
        await worker.run()
    finally:
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        await queue_redis.aclose()
        await live_redis.aclose()
        await pool.close()


if __name__ == "__main__":
    asyncio.run(main())
