"""What the worker shows of itself: its figures and two health checks, over HTTP on METRICS_PORT.

In the same event loop as its work: a loop that hangs answers no health check.
"""

import asyncio
import contextlib
import logging
from collections.abc import Generator

import uvicorn
from psycopg import InterfaceError, OperationalError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from slipway_app import alive, database, jobs, metrics, queue
from slipway_app.database import Pool

OBSERVE_SECONDS = 5.0
HEALTH_TIMEOUT_SECONDS = 2.0
"""Shorter than the timeout of a readiness probe (3 s), so that the answer says what is wrong."""
logger = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves the signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(pool: Pool, port: int) -> None:
    """Serve figures and health checks until cancelled.

    Args:
        pool: the database; the worker is ready while it answers.
        port: where to listen.
    """

    async def live(_request: Request) -> Response:
        fresh = alive.is_fresh()
        return JSONResponse({"status": "alive" if fresh else "stuck"}, 200 if fresh else 503)

    async def ready(_request: Request) -> Response:
        try:
            answers = await asyncio.wait_for(database.answers(pool), HEALTH_TIMEOUT_SECONDS)
        except (OperationalError, InterfaceError, TimeoutError) as error:
            logger.warning("health check: PostgreSQL does not answer: %s", type(error).__name__)
            answers = False
        return JSONResponse({"status": "ready" if answers else "unavailable"}, 200 if answers else 503)

    async def figures(_request: Request) -> Response:
        content, media_type = metrics.exposition()
        return Response(content, media_type=media_type)

    app = Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/metrics", figures),
        ]
    )
    config = uvicorn.Config(
        app,
        host="0.0.0.0",  # noqa: S104  # inside a pod
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
    )
    await _Server(config).serve()


async def observe(pool: Pool, redis: Redis) -> None:
    """Keep the figures of the queue up to date until cancelled.

    The table is the truth; while it does not answer, the stream is nearly as good.
    """
    while True:
        try:
            waiting, oldest_age_seconds = await jobs.backlog(pool)
        except (OperationalError, InterfaceError):
            try:
                waiting, oldest_age_seconds = await queue.backlog(redis)
            except (RedisError, OSError):
                waiting, oldest_age_seconds = None, None
        if waiting is not None and oldest_age_seconds is not None:
            metrics.queue_jobs_waiting.set(waiting)
            metrics.queue_oldest_job_age.set(oldest_age_seconds)
        await asyncio.sleep(OBSERVE_SECONDS)
