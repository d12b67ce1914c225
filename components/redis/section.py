"""The section `slipway:redis`: the Redis instances that services use, each with its purpose."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from components.shared.names import Name
from components.shared.quantities import Memory, Storage, parse_memory
from components.shared.refusal import refuse
from components.shared.resources import Amounts, Resources
from components.shared.section import Section, preset
from components.workload.env import SecretName

RedisVersion = Literal["7"]
Purpose = Literal["cache", "queue", "both"]
EvictionPolicy = Literal["allkeys-lru", "noeviction", "volatile-lru"]

EVICTION: dict[Purpose, EvictionPolicy] = {
    "cache": "allkeys-lru",
    "queue": "noeviction",
    "both": "volatile-lru",
}
"""What Redis does when it is full: a cache may lose any key, a queue none, one for both only keys with a TTL."""

MAX_MEMORY_PERCENT = 75
"""Highest share of the container's memory limit that data may take: the rest is for copy-on-write while it saves,
client buffers and fragmentation. Source: redis.io, "Redis administration", memory; DevMatrix set 100 % and would be
killed."""


class _Redis(Section):
    purpose: Purpose = Field(
        default="cache",
        description="cache, queue, or both; decides which keys are evicted when the memory is full.",
    )
    version: RedisVersion = Field(default="7", description="Major version, in quotes.")

    @property
    def eviction(self) -> EvictionPolicy:
        """Redis' `maxmemory-policy` for the purpose."""
        return EVICTION[self.purpose]


class InClusterRedis(_Redis):
    """A StatefulSet of one pod with a volume: for local."""

    kind: Literal["in-cluster"]
    image: str | None = Field(
        default=None, description="Image; the pinned one of facts/versions.py where left out."
    )
    storage: Storage = Field(
        default="1Gi", description="Size of the volume; a StatefulSet cannot change it later."
    )
    max_memory: Memory = Field(
        default="128Mi", description="Memory for data (`maxmemory`), below the container's limit."
    )
    resources: Resources = Field(
        default=Resources(
            requests=Amounts(cpu="50m", memory="128Mi"), limits=Amounts(cpu="500m", memory="256Mi")
        ),
        description="Requests and limits of CPU and memory.",
    )

    @model_validator(mode="after")
    def _data_fits_the_container(self) -> Self:
        limit = self.resources.limits.memory_mebibytes
        if parse_memory(self.max_memory) * 100 > limit * MAX_MEMORY_PERCENT:
            raise refuse(
                f"maxMemory {self.max_memory} is above {MAX_MEMORY_PERCENT} % of the container's limit of"
                f" {self.resources.limits.memory}",
                why="While it saves, Redis needs more than its data: the kernel would kill it, and with it what was"
                " not saved.",
                remedy=f"Lower `maxMemory` to {limit * MAX_MEMORY_PERCENT // 100}Mi or raise"
                " `resources.limits.memory`.",
                at=("maxMemory",),
            )
        return self


class ElastiCacheRedis(_Redis):
    """Amazon ElastiCache for Redis OSS."""

    kind: Literal["elasticache"]
    node_type: Annotated[str, StringConstraints(pattern=r"^cache\.[a-z0-9]+\.[a-z0-9]+$")] = preset(
        "elasticache_node_type",
        default="cache.t4g.micro",
        description="Type of the nodes, such as cache.t4g.micro.",
    )
    replicas: int = preset(
        "elasticache_replicas", default=0, ge=0, le=5, description="Replicas that can take over."
    )


class ExternalRedis(_Redis):
    """A Redis that somebody else runs, reached by TLS."""

    kind: Literal["external"]
    host: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)] = (
        Field(description="Host name or address.")
    )
    port: int = Field(default=6379, ge=1, le=65535, description="TCP port with TLS.")
    user: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        default="default", description="ACL user."
    )
    password: SecretName = Field(
        description="Name of the secret in `slipway:secrets` that holds the password."
    )
    ca: SecretName | None = Field(
        default=None,
        description="Name of the secret that holds the certificate (PEM) of its authority;"
        " the system's trust where left out.",
    )


RedisInstance = Annotated[InClusterRedis | ElastiCacheRedis | ExternalRedis, Field(discriminator="kind")]
RedisSection = dict[Name, RedisInstance]
