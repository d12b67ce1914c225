"""What the platform asks: does the process live, may it have requests, and what are its figures."""

import asyncio
import logging
from collections.abc import Awaitable

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from slipway_app import database, metrics, redis

TIMEOUT_SECONDS = 2.0
"""Shorter than the timeout of a readiness probe (3 s), so that the answer says what is wrong."""
logger = logging.getLogger(__name__)
router = APIRouter()


class Health(BaseModel):
    """What the readiness check says."""

    status: str
    """`ready`; `degraded`: without Redis; `unavailable`: without PostgreSQL; `draining`: about to end."""
    postgres: bool
    redis: bool


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers. Says nothing about PostgreSQL or Redis: a restart would not repair them."""
    return {"status": "alive"}


@router.get("/health/ready")
async def ready(request: Request, response: Response) -> Health:
    """200 when requests can be served (without Redis: slower, `degraded`), 503 without PostgreSQL."""
    state = request.app.state
    postgres, cache, queue = await asyncio.gather(
        _holds("PostgreSQL", database.answers(state.pool)),
        _holds("Redis (cache)", redis.answers(state.cache)),
        _holds("Redis (queue)", redis.answers(state.queue)),
    )
    draining: bool = state.draining.is_set()
    if draining or not postgres:
        response.status_code = 503
    status = "ready" if cache and queue else "degraded"
    status = "draining" if draining else status if postgres else "unavailable"
    return Health(status=status, postgres=postgres, redis=cache and queue)


@router.get("/metrics")
async def figures() -> Response:
    """Every figure of this server, all its processes together, for Prometheus."""
    # In a thread: with several processes it reads a file for each and kind.
    content, media_type = await asyncio.to_thread(metrics.exposition)
    return Response(content, media_type=media_type)


async def _holds(what: str, check: Awaitable[bool]) -> bool:
    try:
        return await asyncio.wait_for(check, TIMEOUT_SECONDS)
    except Exception as error:  # whatever it is, it is not healthy
        logger.warning("health check: %s does not answer: %s", what, type(error).__name__)
        return False
