"""The section of one service in `slipway:services`: an API, a worker or a frontend."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from components.image.section import ImageSection
from components.shared.names import Name
from components.shared.quantities import Memory
from components.shared.refusal import refuse
from components.shared.resources import Resources
from components.shared.section import Section, nested, preset
from components.workload.env import Environment, EnvName

Role = Literal["api", "worker", "frontend"]
Port = Annotated[int, Field(ge=1024, le=65535)]
"""A port that a process without privileges can listen on."""

HttpPath = Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$", max_length=255)]
Host = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}$", max_length=253)
]
Command = Annotated[tuple[Annotated[str, StringConstraints(min_length=1)], ...], Field(min_length=1)]
"""A program and its arguments, each an item of its own; no shell reads it."""


def _writable(value: str) -> str:
    if not value.startswith("/") or value == "/" or ".." in value.split("/") or value.endswith("/"):
        raise refuse(
            "no absolute path below the root",
            why="The root of a container is read-only; only named folders are writable.",
            remedy="Write a folder such as `/tmp` or `/app/workspace`.",
        )
    return value


WritablePath = Annotated[str, AfterValidator(_writable)]


class Probe(Section):
    """How the kubelet asks a container about its state."""

    path: HttpPath | None = Field(
        default=None, description="HTTP path that answers 200 to 399; needs the service's port."
    )
    command: Command | None = Field(
        default=None, description="Program that exits with 0; for services without a port."
    )
    period_seconds: int = Field(default=10, ge=1, le=300, description="Seconds between two questions.")
    timeout_seconds: int = Field(
        default=3, ge=1, le=60, description="Seconds after which an answer counts as failed."
    )
    failure_threshold: int = Field(
        default=3, ge=1, le=120, description="Failures in a row after which the kubelet acts."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.command is None):
            raise refuse(
                "neither or both of `path` and `command`",
                why="The kubelet asks in exactly one way.",
                remedy="Give `path` for a service with a port, or `command`.",
            )
        return self


class Probes(Section):
    """The three questions. Readiness takes a pod out of the Service; liveness restarts it."""

    startup: Probe | None = Field(
        default=None,
        description="Until it succeeds the other two wait. Without it the liveness probe is asked 30 times.",
    )
    liveness: Probe = Field(description="Is the process stuck? Must not look at PostgreSQL or Redis.")
    readiness: Probe = Field(description="Can it serve now? May look at what it needs.")

    @property
    def startup_or_default(self) -> Probe:
        """The startup probe: its own, or the liveness probe's question with patience for 30 periods."""
        return self.startup or self.liveness.model_copy(update={"failure_threshold": 30, "period_seconds": 2})


class Route(Section):
    """Where a service is reached from outside."""

    host: Host = Field(description="Host name, such as api.example.com.")
    path: HttpPath = Field(default="/", description="Prefix of the path.")


class Scaling(Section):
    """How many pods, and what makes them more. `min` equal to `max` means a fixed number without an autoscaler."""

    min: int = preset("scaling_min", default=1, ge=1, le=500, description="Pods at the least.")
    max: int = preset("scaling_max", default=2, ge=1, le=500, description="Pods at the most.")
    cpu: int | None = Field(
        default=70, ge=1, le=200, description="CPU to hold, in percent of the request; null for none."
    )
    memory: int | None = Field(
        default=80, ge=1, le=200, description="Memory to hold, in percent of the request; null for none."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.min > self.max:
            raise refuse(
                f"min {self.min} is above max {self.max}",
                why="Kubernetes refuses such an autoscaler.",
                remedy="Raise `max` or lower `min`.",
                at=("max",),
            )
        if self.min < self.max and self.cpu is None and self.memory is None:
            raise refuse(
                "an autoscaler without a measure",
                why="It would never scale.",
                remedy="Give `cpu` or `memory` in percent, or set `max` equal to `min`.",
                at=("cpu",),
            )
        return self


class Pool(Section):
    """The database connections of one process, as SQLAlchemy counts them."""

    size: int = Field(default=5, ge=1, le=1000, description="Connections kept open.")
    overflow: int = Field(default=5, ge=0, le=1000, description="Connections opened beyond that under load.")


class Metrics(Section):
    """Where Prometheus reads the service's figures."""

    path: HttpPath = Field(default="/metrics", description="HTTP path of the figures.")
    port: Port | None = Field(
        default=None, description="Port of the figures where it is not the service's port."
    )


CachePreset = Literal[
    "disabled", "minimal", "simple", "development", "production", "ai-development", "ai-production"
]
ResiliencePreset = Literal["simple", "development", "production"]


class ApplicationPresets(Section):
    """What the application itself chooses by one word: it is told the word, and holds the figures behind it.

    The words are those of source 001 (`CACHE_PRESET`, `RESILIENCE_PRESET`).
    """

    cache: CachePreset | None = Field(
        default=None,
        description="How long the application keeps cached values, and its Redis pool: CACHE_PRESET.",
    )
    resilience: ResiliencePreset | None = Field(
        default=None,
        description="Its retries and circuit breaker for what it calls: RESILIENCE_PRESET.",
    )

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that tell the application."""
        told = {"CACHE_PRESET": self.cache, "RESILIENCE_PRESET": self.resilience}
        return {name: word for name, word in told.items() if word is not None}


class WebSocket(Section):
    """How connections that stay open are treated on their way to the service."""

    idle_seconds: int = Field(
        default=300,
        ge=121,
        le=3600,
        description="Seconds without a message after which one is closed: WEBSOCKET_IDLE_SECONDS.",
    )
    affinity: bool = Field(
        default=False,
        description="Whether an address stays with one pod; only for services that keep state in the process.",
    )


class Service(Section):
    """One service of the application."""

    role: Role = Field(description="api, worker or frontend. A worker has no port of its own and no routes.")
    image: ImageSection | None = Field(
        default=None, description="Its own image; the application's where left out."
    )
    command: Command | None = Field(
        default=None, description="Program and arguments; the image's own where left out."
    )
    port: Port | None = Field(
        default=None, description="HTTP port, 1024 to 65535; required for api and frontend."
    )
    routes: tuple[Route, ...] = Field(
        default=(), description="Host names and paths by which it is reached from outside."
    )
    probes: Probes | None = Field(
        default=None, description="Startup, liveness and readiness; required where there is a port."
    )
    resources: Resources = Field(description="Requests and limits of CPU and memory; required.")
    scaling: Scaling = nested(Scaling, description="How many pods, and what makes them more.")
    processes: int = Field(
        default=1, ge=1, le=64, description="Processes in one pod that each keep their own pool."
    )
    pool: Pool | None = Field(
        default=None, description="Database connections of one process; needed with `{database: …}`."
    )
    env: Environment = Field(default_factory=dict, description="Environment variables of the container.")
    requires: tuple[EnvName, ...] = Field(
        default=(), description="Variables without which it refuses to start; each must be given under `env`."
    )
    presets: ApplicationPresets = nested(
        ApplicationPresets, description="What the application chooses by one word, typed here."
    )
    websocket: WebSocket | None = Field(
        default=None, description="How its WebSockets are treated; null where it has none."
    )
    metrics: Metrics | None = Field(
        default=None, description="Where Prometheus reads its figures; null where it has none."
    )
    writable_paths: tuple[WritablePath, ...] = Field(
        default=("/tmp",),  # noqa: S108 - the name of a volume's mount, not a file of ours
        description="Folders that the container may write to, each an empty volume; the root is read-only.",
    )
    scratch: Memory = Field(default="256Mi", description="Size limit of each writable folder.")
    user_id: int = Field(
        default=1000, ge=1, le=65535, description="Numeric user and group of the process; never 0."
    )
    internet: bool = Field(
        default=False, description="Whether it may reach HTTPS addresses outside the cluster (port 443)."
    )
    pre_stop_seconds: int = Field(
        default=5, ge=0, le=60, description="Seconds between a pod's removal from the Service and SIGTERM."
    )
    grace_seconds: int = Field(
        default=45,
        ge=1,
        le=3600,
        description="Seconds from removal to SIGKILL; above `preStopSeconds` and the server's own grace.",
    )

    @model_validator(mode="after")
    def _role_fits(self) -> Self:
        if self.role == "worker":
            if self.port is not None or self.routes:
                raise refuse(
                    "a worker with a port or routes",
                    why="Workers get neither a Service nor an ingress: nothing would ever reach it.",
                    remedy="Leave `port` and `routes` out (figures have `metrics.port`), or write `role: api`.",
                    at=("port",) if self.port is not None else ("routes",),
                )
        elif self.port is None:
            raise refuse(
                f"a service of role {self.role} without a port",
                why="Its Service would have nothing to send requests to.",
                remedy="Give `port`, such as 8000, or write `role: worker`.",
            )
        return self

    @model_validator(mode="after")
    def _metrics_have_a_port(self) -> Self:
        if self.metrics is not None and self.metrics.port is None and self.port is None:
            raise refuse(
                "figures without a port",
                why="Prometheus would have nowhere to read them.",
                remedy="Give `metrics.port`, such as 9090.",
                at=("metrics",),
            )
        return self

    @model_validator(mode="after")
    def _probes_fit(self) -> Self:
        if self.probes is None:
            if self.port is not None:
                raise refuse(
                    "a service with a port but without probes",
                    why="Pods would get requests before they can answer, and a stuck one would stay.",
                    remedy="Give `probes.liveness` and `probes.readiness` with their paths.",
                )
            return self
        for name in ("startup", "liveness", "readiness"):
            probe: Probe | None = getattr(self.probes, name)
            if probe is not None and probe.path is not None and self.port is None:
                raise refuse(
                    f"the {name} probe asks by HTTP, but the service has no port",
                    why="The kubelet would have nothing to ask.",
                    remedy="Give the probe a `command`.",
                    at=("probes", name, "path"),
                )
        return self

    @model_validator(mode="after")
    def _nothing_is_told_twice(self) -> Self:
        for name in self.typed_variables:
            if name in self.env:
                raise refuse(
                    f"{name} stands under `env` and in a typed setting",
                    why="Which of the two the program was told could only be guessed.",
                    remedy="Keep the typed one (`presets`, `websocket`) and remove the variable.",
                    at=("env", name),
                )
        return self

    @model_validator(mode="after")
    def _websockets_need_a_port(self) -> Self:
        if self.websocket is not None and self.port is None:
            raise refuse(
                "WebSockets without a port",
                why="There is no Service that a client could connect to.",
                remedy="Remove `websocket`, or give the service a port and the role api or frontend.",
                at=("websocket",),
            )
        return self

    @model_validator(mode="after")
    def _grace_is_long_enough(self) -> Self:
        if self.grace_seconds <= self.pre_stop_seconds:
            raise refuse(
                f"graceSeconds {self.grace_seconds} is not above preStopSeconds {self.pre_stop_seconds}",
                why="The process would be killed before it was asked to stop: requests would break off.",
                remedy="Raise `graceSeconds` above `preStopSeconds` plus the server's own grace (gunicorn: 30).",
                at=("graceSeconds",),
            )
        return self

    @property
    def typed_variables(self) -> dict[str, str]:
        """The environment variables that come from typed settings, not from `env`."""
        idle = {} if self.websocket is None else {"WEBSOCKET_IDLE_SECONDS": str(self.websocket.idle_seconds)}
        return {**self.presets.variables, **idle}

    @property
    def autoscaled(self) -> bool:
        """Whether an autoscaler sets the number of pods."""
        return self.scaling.min < self.scaling.max

    @property
    def connections_per_pod(self) -> int:
        """The database connections that one pod may open."""
        return self.processes * (self.pool.size + self.pool.overflow) if self.pool is not None else 0


Services = Annotated[dict[Name, Service], Field(min_length=1)]
