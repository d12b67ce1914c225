"""What a process is told by its environment. It refuses to start without what it needs.

A value that is missing or wrong is named on standard error; the value itself is never printed.
"""

import re
import sys
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from slipway_app.presets import CachePreset, ResiliencePreset

Environment = Literal["local", "dev", "staging", "prod"]


def _url(*schemes: str) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        if value.get_secret_value().partition("://")[0] not in schemes:
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return value

    return check


def _listed(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
    return value


HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+")]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[^\s/?#*]+)$")]
RedisUrl = Annotated[SecretStr, AfterValidator(_url("rediss", "redis"))]


class ProcessSettings(BaseSettings):
    """What every process may be told."""

    # An empty variable counts as one that is not there: compose and Kubernetes both like to pass empty ones.
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    environment: Environment = "local"
    log_level: str = Field(default="info", pattern=r"^(debug|info|warning|error|critical)$")
    sentry_dsn: SecretStr | None = None
    """Where errors are reported; nothing is reported without it."""
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    """Where traces are sent, OTLP over HTTP; none are made without it."""


class DatabaseSettings(ProcessSettings):
    """What the migrations and the clean-up job need."""

    database_url: Annotated[SecretStr, AfterValidator(_url("postgresql", "postgres"))]
    """A libpq URL; TLS by its parameters, e.g. `?sslmode=verify-full&sslrootcert=/path/ca.crt`."""
    database_pool_size: int = Field(default=5, ge=1, le=100)
    """Connections that a process may hold at once."""


class WorkerSettings(DatabaseSettings):
    """What the worker needs: the database, Redis, and the model that it asks."""

    redis_url: RedisUrl
    """Cache, rate limits, pub/sub. A redis-py URL; TLS by `rediss://` and `?ssl_ca_certs=/path/ca.crt`."""
    queue_redis_url: RedisUrl | None = None
    """Job queue and revoked tokens: an instance that never evicts. Default: `redis_url`."""
    cache_preset: CachePreset = CachePreset.DEVELOPMENT
    resilience_preset: ResiliencePreset = ResiliencePreset.SIMPLE
    llm_model: str = Field(default="simulated-1", pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$")
    llm_latency_seconds: float = Field(default=0.2, ge=0, le=60)
    """How long the simulated model takes for an answer."""
    llm_failure_rate: float = Field(default=0.0, ge=0, le=1)
    """How many of its calls fail: 0.0 none, 1.0 all."""
    metrics_port: int = Field(default=9090, ge=1, le=65_535)
    """Where the worker serves its figures."""
    job_timeout_seconds: float = Field(default=60, gt=0, le=3_600)
    """After how long a job counts as abandoned by its worker."""
    worker_concurrency: int = Field(default=4, ge=1, le=64)
    """Jobs that a worker does at once."""

    @property
    def queue_url(self) -> SecretStr:
        """The Redis of the queue: its own where there is one."""
        return self.queue_redis_url or self.redis_url


class ApiSettings(WorkerSettings):
    """What the API needs."""

    jwt_secret: SecretStr = Field(min_length=32)
    """Signs the tokens (HS256: a key at least as long as the hash, RFC 7518 3.2)."""
    jwt_expiration_minutes: int = Field(default=60, ge=1, le=43_200)
    rate_limit_per_minute: int = Field(default=100, ge=1, le=1_000_000)
    """Requests of one address."""
    rate_limit_per_hour: int = Field(default=1_000, ge=1, le=100_000_000)
    """Requests of one user."""
    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_listed)] = ()
    """Origins whose pages may call the API, separated by commas, e.g. `https://chat.example.com`."""
    web_concurrency: int = Field(default=1, ge=1, le=64)
    """Worker processes of the server. Each has a database pool of its own."""
    websocket_idle_seconds: int = Field(default=300, gt=120, le=3_600)
    """A WebSocket without a message for this long is closed; above the 60 to 120 s of load balancers."""
    drain_seconds: float = Field(default=5, ge=0, le=60)
    """How long the server goes on serving after SIGTERM while it sends its clients away."""
    enable_work: bool = False
    """Serve GET /work, which burns CPU so that autoscaling can be seen."""

    @field_validator("cors_origins")
    @classmethod
    def _no_open_door(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "*" in value and info.data.get("environment") in {"staging", "prod"}:
            raise ValueError("* would let any website call the API; name the origins in staging and prod")
        if "*" in value and len(value) > 1:
            raise ValueError("* covers every origin: name it alone, or name origins")
        return value


class FrontendSettings(ProcessSettings):
    """What the frontend needs."""

    api_base_url: HttpUrl
    """Where the API answers, e.g. `http://api:8000`."""
    port: int = Field(default=8501, ge=1, le=65_535)


def load[S: ProcessSettings](kind: type[S]) -> S:
    """Read the settings from the environment, or end the process with exit code 2 and what is wrong.

    Args:
        kind: the class of settings that this process needs.
    """
    try:
        return kind()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = ".".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"{name}: {re.sub(r'^Value error, ', '', problem['msg'])}\n")
        sys.stderr.write("The process does not start without valid settings.\n")
        raise SystemExit(2) from None
