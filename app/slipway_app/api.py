"""The API, put together. gunicorn starts it: `gunicorn -c python:slipway_app.server`."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout

from slipway_app import (
    account_routes,
    conversation_routes,
    database,
    health,
    live,
    logs,
    ratelimits,
    redis,
    security,
    telemetry,
    work,
)
from slipway_app.accounts import Unauthorized
from slipway_app.lists import Lists
from slipway_app.observe import QUIET, Observe
from slipway_app.settings import ApiSettings, load

QUEUE_CONNECTIONS = 5
"""Connections of a process to the queue's Redis: short commands, a few thousand a second over one."""
logger = logging.getLogger(__name__)


def create_app() -> FastAPI:
    """Build the service from its environment; ends the process when a setting is missing or wrong."""
    settings = load(ApiSettings)
    logs.configure(settings, "api")
    telemetry.configure(settings, "api")
    app = FastAPI(
        title="Slipway chat",
        # Documentation pages load scripts from elsewhere; the schema stays, at /openapi.json.
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        telemetry={"operation_spans": False, "exclude": lambda scope: scope["path"] in QUIET},
    )
    state = app.state
    state.settings = settings
    state.draining = asyncio.Event()
    state.pool = database.create_pool(settings)
    state.cache = redis.create_client(
        settings.redis_url, connections=settings.cache_preset.figures.connections
    )
    state.queue = redis.create_client(settings.queue_url, connections=QUEUE_CONNECTIONS)
    # A client of its own: the subscription keeps its connection, which the cache then could not use.
    state.hub = live.Hub(redis.create_client(settings.redis_url, connections=1))
    state.limits = ratelimits.RateLimits(state.cache, settings)
    state.lists = Lists(state.cache, settings.cache_preset)
    _add_routes(app, settings)
    _add_handlers(app)
    _add_middleware(app, settings)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    state = app.state
    # wait=False: the process starts without its database, and its readiness check says so.
    await state.pool.open(wait=False)
    state.hub.start()
    chores = [
        asyncio.create_task(database.report(state.pool)),
        asyncio.create_task(state.lists.tell_untold()),
    ]
    try:
        yield
    finally:
        for chore in chores:
            chore.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await chore
        await state.hub.stop()
        await state.cache.aclose()
        await state.queue.aclose()
        await state.pool.close()


def _add_routes(app: FastAPI, settings: ApiSettings) -> None:
    app.include_router(health.router)
    for router in (account_routes.router, conversation_routes.router):
        app.include_router(router, max_body_size=security.MAX_BODY_BYTES)
    app.include_router(live.router)
    if settings.enable_work:
        app.include_router(work.router)


def _add_middleware(app: FastAPI, settings: ApiSettings) -> None:
    # The last one added is the first to see a request.
    app.add_middleware(ratelimits.LimitAddresses, limits=app.state.limits)
    app.add_middleware(security.RefuseLarge)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "X-Cache", "Retry-After"],
            max_age=600,
        )
    app.add_middleware(Observe, draining=app.state.draining, https=settings.environment != "local")


def _add_handlers(app: FastAPI) -> None:
    for kind in (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout):
        app.add_exception_handler(kind, _database_down)
    app.add_exception_handler(Unauthorized, _unauthorized)
    app.add_exception_handler(ratelimits.TooManyRequestsError, _too_many)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _database_down(_request: Request, error: Exception) -> Response:
    logger.error("PostgreSQL does not answer: %s", type(error).__name__)
    return JSONResponse({"detail": "the database does not answer"}, 503, {"Retry-After": "1"})


async def _unauthorized(_request: Request, _error: Exception) -> Response:
    detail = "a valid token is needed: Authorization: Bearer <token of POST /tokens>"
    return JSONResponse({"detail": detail}, 401, {"WWW-Authenticate": "Bearer"})


async def _too_many(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ratelimits.TooManyRequestsError):
        raise error
    return ratelimits.refusal(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    """Say what is wrong, without repeating what was sent: it may hold a password."""
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [{"loc": problem["loc"], "msg": problem["msg"]} for problem in error.errors()]
    return JSONResponse({"detail": problems}, 422)
