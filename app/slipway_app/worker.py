"""The worker: counts the words of new notes. `python -m slipway_app.worker`.

The queue only wakes it early; what counts is the table: a note is counted even when Redis lost its message.
A file says that it is at work; `python -m slipway_app.alive` reads it for the probe.
"""

import asyncio
import logging
import signal
import time

from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from redis.exceptions import RedisError

from slipway_app import alive, database, redis
from slipway_app.settings import WorkerSettings, load

WAIT_SECONDS = 1.0
"""How long one look into the queue waits: also how long a SIGTERM may go unnoticed."""
SWEEP_SECONDS = 15.0
"""How often the table is searched for notes whose message was lost."""
logger = logging.getLogger("slipway_app.worker")


async def run(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Work until told to stop; finish the note at hand."""
    pool, queue = database.create_pool(settings), redis.create_client(settings)
    await pool.open(wait=False)
    last_sweep = 0.0
    try:
        while not stop.is_set():
            alive.touch()
            note_id = await _next(queue)
            sweep = time.monotonic() - last_sweep >= SWEEP_SECONDS
            if note_id is None and not sweep:
                continue
            try:
                counted = await database.count_words(pool, None if sweep else note_id)
            except (OperationalError, PoolTimeout) as error:
                logger.error("PostgreSQL does not answer: %s", type(error).__name__)
                await asyncio.sleep(WAIT_SECONDS)
                continue
            if sweep:
                last_sweep = time.monotonic()
            await _forget(queue, counted)
    finally:
        await queue.aclose()
        await pool.close()


async def _next(queue: "redis.Redis") -> int | None:
    try:
        await redis.beat(queue, alive.LIMIT_SECONDS)
        return await redis.dequeue(queue, WAIT_SECONDS)
    except (RedisError, OSError) as error:
        logger.warning("Redis does not answer: %s", type(error).__name__)
        await asyncio.sleep(WAIT_SECONDS)
        return None


async def _forget(queue: "redis.Redis", counted: list[int]) -> None:
    """A cached copy lacks the count: drop it."""
    for note_id in counted:
        logger.info("counted note %d", note_id)
        try:
            await redis.forget_note(queue, note_id)
        except (RedisError, OSError) as error:
            logger.warning("Redis does not answer: %s", type(error).__name__)


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = load(WorkerSettings)
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s %(message)s")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop)


if __name__ == "__main__":
    asyncio.run(main())
