"""What the service is told by its environment. It refuses to start without what it needs.

A value that is missing or wrong is named on standard error; the value itself is never printed.
"""

import sys
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def _url(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        if value.get_secret_value().partition("://")[0] not in schemes:
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return check


class DatabaseSettings(BaseSettings):
    """What every process needs: the API, the worker, the migrations and the clean-up job."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[SecretStr, AfterValidator(_url("postgresql", "postgres"))]
    """A libpq URL; TLS by its parameters, e.g. `?sslmode=verify-full&sslrootcert=/path/ca.crt`."""
    database_pool_size: int = Field(default=5, ge=1, le=100)
    """Connections that a process may hold at once."""
    log_level: str = Field(default="info", pattern=r"^(debug|info|warning|error|critical)$")


class WorkerSettings(DatabaseSettings):
    """What the worker needs: the database and the queue."""

    redis_url: Annotated[SecretStr, AfterValidator(_url("rediss", "redis"))]
    """A redis-py URL; TLS by `rediss://` and `?ssl_ca_certs=/path/ca.crt`."""


class ApiSettings(WorkerSettings):
    """What the API needs."""

    jwt_secret: SecretStr = Field(min_length=32)
    """Signs the token with which a note's author may delete it."""
    cache_seconds: int = Field(default=60, ge=1, le=86_400)
    """How long a note is served from the cache."""


def load[S: DatabaseSettings](kind: type[S]) -> S:
    """Read the settings from the environment, or end the process with exit code 2 and what is wrong.

    Args:
        kind: the class of settings that this process needs.
    """
    try:
        return kind()  # pyright: ignore[reportCallIssue]  # the values come from the environment
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"{name}: {problem['msg']}\n")
        sys.stderr.write("The process does not start without valid settings.\n")
        raise SystemExit(2) from None
