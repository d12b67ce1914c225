"""The API: notes, two health checks, and a path that burns CPU so that autoscaling can be seen.

Started as `uvicorn --factory slipway_app.api:create_app`. On SIGTERM uvicorn stops accepting and
finishes what runs.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import jwt
import psycopg
from fastapi import APIRouter, FastAPI, Header, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, StringConstraints
from redis.exceptions import RedisError

from slipway_app import database, redis
from slipway_app.settings import ApiSettings, load

HEALTH_TIMEOUT_SECONDS = 2.0
"""Shorter than the timeout of a readiness probe (3 s), so that the answer says what is wrong."""
MAX_WORK_MS = 2_000
logger = logging.getLogger("slipway_app")
router = APIRouter()


class NoteText(BaseModel):
    """What a client sends."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]


class NoteView(BaseModel):
    """What a client gets."""

    id: int
    text: str
    created_at: datetime
    words: int | None


class CreatedNote(NoteView):
    """What the author gets: also the token that deletes the note."""

    token: str


class Health(BaseModel):
    """What the readiness check says."""

    status: str
    postgres: bool
    redis: bool


NoteId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers. Says nothing about PostgreSQL or Redis: a restart would not repair them."""
    return {"status": "alive"}


@router.get("/health/ready")
async def ready(request: Request, response: Response) -> Health:
    """200 when requests can be served (without Redis: slower, `degraded`), 503 without PostgreSQL."""
    postgres, cache = await asyncio.gather(
        _holds(database.answers(request.app.state.pool)), _holds(redis.answers(request.app.state.redis))
    )
    if not postgres:
        response.status_code = 503
    status = "unavailable" if not postgres else "ready" if cache else "degraded"
    return Health(status=status, postgres=postgres, redis=cache)


async def _holds(check: Awaitable[bool]) -> bool:
    try:
        return await asyncio.wait_for(check, HEALTH_TIMEOUT_SECONDS)
    except Exception as error:  # whatever it is, it is not healthy
        logger.warning("health check failed: %s", type(error).__name__)
        return False


@router.post("/notes", status_code=201)
async def create(note: NoteText, request: Request) -> CreatedNote:
    """Store a note in PostgreSQL and ask the worker to count its words."""
    stored = await database.insert_note(request.app.state.pool, note.text)
    await _without_redis_too(redis.enqueue(request.app.state.redis, stored.id))
    secret = request.app.state.settings.jwt_secret.get_secret_value()
    token = jwt.encode({"sub": str(stored.id)}, secret, algorithm="HS256")
    return CreatedNote(**stored._asdict(), token=token)


@router.get("/notes/{note_id}")
async def read(note_id: NoteId, request: Request, response: Response) -> NoteView:
    """Return a note, from the cache where it is there; the header `X-Cache` says which."""
    cache, settings = request.app.state.redis, request.app.state.settings
    note = await _without_redis_too(redis.cached_note(cache, note_id))
    response.headers["X-Cache"] = "hit" if note else "miss"
    if note is None:
        note = await database.find_note(request.app.state.pool, note_id)
        if note is None:
            raise HTTPException(404, "no such note")
        await _without_redis_too(redis.cache_note(cache, note, settings.cache_seconds))
    return NoteView(**note._asdict())


@router.delete("/notes/{note_id}", status_code=204)
async def delete(note_id: NoteId, request: Request, authorization: Annotated[str, Header()] = "") -> None:
    """Delete a note. Needs `Authorization: Bearer <token>` with the token that its author was given."""
    secret = request.app.state.settings.jwt_secret.get_secret_value()
    try:
        claims = jwt.decode(authorization.removeprefix("Bearer "), secret, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        raise HTTPException(401, "the note's token is needed") from None
    if claims.get("sub") != str(note_id):
        raise HTTPException(403, "this is the token of another note")
    found = await database.delete_note(request.app.state.pool, note_id)
    await _without_redis_too(redis.forget_note(request.app.state.redis, note_id))
    if not found:
        raise HTTPException(404, "no such note")


@router.get("/work")
def work(ms: Annotated[int, Query(ge=1, le=MAX_WORK_MS)] = 100) -> dict[str, int]:
    """Keep a CPU busy for this many milliseconds (1 to 2000); return how many hashes that made."""
    until, rounds, block = time.perf_counter() + ms / 1000, 0, bytes(1024)
    while time.perf_counter() < until:
        hashlib.sha256(block).digest()
        rounds += 1
    return {"rounds": rounds}


async def _without_redis_too[T](call: Awaitable[T]) -> T | None:
    """Requests are served without Redis: what it would have kept is in PostgreSQL."""
    try:
        return await call
    except (RedisError, OSError) as error:
        logger.warning("Redis does not answer: %s", type(error).__name__)
        return None


async def _database_down(_request: Request, error: Exception) -> Response:
    logger.error("PostgreSQL does not answer: %s", type(error).__name__)
    return JSONResponse({"detail": "the database does not answer"}, status_code=503)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    # wait=False: the process starts without its database, and its readiness check says so.
    await app.state.pool.open(wait=False)
    try:
        yield
    finally:
        await app.state.redis.aclose()
        await app.state.pool.close()


def create_app() -> FastAPI:
    """Build the service from its environment; ends the process when a setting is missing or wrong."""
    settings = load(ApiSettings)
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s %(message)s")
    app = FastAPI(title="Slipway notes", lifespan=_lifespan)
    app.state.settings = settings
    app.state.pool = database.create_pool(settings)
    app.state.redis = redis.create_client(settings)
    app.include_router(router)
    app.add_exception_handler(psycopg.OperationalError, _database_down)
    app.add_exception_handler(PoolTimeout, _database_down)
    return app
