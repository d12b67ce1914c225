"""A database and a Redis for the tests of what runs beside the API, and rows to put into them."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
from pydantic import SecretStr
from redis.asyncio import Redis

from slipway_app import database, redis
from slipway_app.database import Pool
from slipway_app.settings import ApiSettings
from tests.conftest import APP, PostgresServer, RedisServer, run

JWT_SECRET = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Stores:
    """Where they are; `environment` is what a process is told."""

    database_url: str
    redis_url: str
    environment: dict[str, str]

    def settings(self, **changes: object) -> ApiSettings:
        """Settings as a process would read them."""
        values = {"database_url": self.database_url, "redis_url": self.redis_url, "jwt_secret": JWT_SECRET}
        return ApiSettings.model_validate({**values, **changes})

    def query(self, query: str, *arguments: object) -> list[tuple[object, ...]]:
        """Run a query, and return its rows where it has some."""
        with psycopg.connect(self.database_url) as connection:
            cursor = connection.execute(query, arguments)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def number(self, query: str, *arguments: object) -> int:
        """Run a query for a single number."""
        return int(str(self.query(query, *arguments)[0][0]))

    def conversation(self) -> int:
        """A conversation of a new user."""
        return self.number(
            "WITH u AS (INSERT INTO users (email, password_hash)"
            " VALUES (gen_random_uuid() || '@example.com', 'x') RETURNING id)"
            " INSERT INTO conversations (owner, title) SELECT id, 'a title' FROM u RETURNING id"
        )

    def job(self, conversation: int, text: str = "two words", age_seconds: float = 0) -> UUID:
        """A message and its job, as the API stores them."""
        row = self.query(
            "WITH m AS (INSERT INTO messages (conversation_id, author, text)"
            " VALUES (%s, 'user', %s) RETURNING id)"
            " INSERT INTO jobs (message_id, created_at) SELECT id, now() - make_interval(secs => %s) FROM m"
            " RETURNING id",
            conversation,
            text,
            age_seconds,
        )
        return UUID(str(row[0][0]))

    def state(self, job: UUID) -> tuple[str, int]:
        """The state of a job, and its attempts."""
        state, attempts = self.query("SELECT state, attempts FROM jobs WHERE id = %s", job)[0]
        return str(state), int(str(attempts))

    def answers(self, conversation: int) -> list[str]:
        """What the assistant wrote in a conversation."""
        rows = self.query(
            "SELECT text FROM messages WHERE conversation_id = %s AND author = 'assistant' ORDER BY id",
            conversation,
        )
        return [str(row[0]) for row in rows]

    @asynccontextmanager
    async def pool(self) -> AsyncGenerator[Pool]:
        """A pool of the application's kind."""
        async with database.create_pool(self.settings()) as pool:
            yield pool

    @asynccontextmanager
    async def redis(self, timeout_seconds: float = 1.5) -> AsyncGenerator[Redis]:
        """A client of the application's kind."""
        url = SecretStr(self.redis_url)
        client = redis.create_client(url, connections=4, timeout_seconds=timeout_seconds)
        try:
            yield client
        finally:
            await client.aclose()


def create(name: str, postgres: PostgresServer, redis_server: RedisServer, folder: Path) -> Stores:
    """Make the database with its tables; the Redis is the shared one's second, so that queues do not mix."""
    url = postgres.create_database(name)
    redis_url = redis_server.url.removesuffix("/0") + "/1"
    environment = {
        "TMPDIR": str(folder),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(APP),
        "DATABASE_URL": url,
        "REDIS_URL": redis_url,
        "JWT_SECRET": JWT_SECRET,
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "RATE_LIMIT_PER_HOUR": "1000000",
        "DRAIN_SECONDS": "0",
        "LLM_LATENCY_SECONDS": "0.05",
    }
    run(environment, "-m", "alembic", "upgrade", "head")
    return Stores(url, redis_url, environment)
