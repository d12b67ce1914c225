"""Stand-ins for the managed parts until their components land: enough to preview what runs on Kubernetes.

Nothing can be deployed with them: `refuse_up` stops every run that is no preview before it makes anything.
"""

import pulumi

from components.cluster.section import EksCluster
from components.postgres.connection import PostgresConnection
from components.postgres.section import RdsDatabase
from components.redis.connection import RedisConnection
from components.redis.section import ElastiCacheRedis
from stacks.flows import MANAGED_POSTGRES_PORT, MANAGED_REDIS_PORT
from stacks.load import refused
from stacks.rules import KeyPath, Violation
from stacks.settings import Settings

REDIS_USER = "app"


def unknown(what: str) -> str:
    """Return a text that stands for a value which only a later version can know; the offline record marks it."""
    return f"unknown-{what}-000000"


def managed_parts(settings: Settings) -> tuple[KeyPath, ...]:
    """Return the keys of the stack file that name a managed part."""
    found: list[KeyPath] = []
    if isinstance(settings.cluster, EksCluster):
        found.append(("cluster",))
    if isinstance(settings.database, RdsDatabase):
        found.append(("database",))
    found.extend(
        ("redis", name) for name, instance in settings.redis.items() if isinstance(instance, ElastiCacheRedis)
    )
    return tuple(found)


def warnings(settings: Settings) -> tuple[str, ...]:
    """Return what a preview must say of the managed parts that the stack names."""
    parts = [".".join(map(str, path)) for path in managed_parts(settings)]
    if not parts:
        return ()
    return (
        f"{', '.join(parts)}: managed by AWS; read and checked, but not created yet. `up` refuses this stack.",
    )


def refuse_up(settings: Settings) -> None:
    """Stop a run that would create something on a managed part.

    Raises:
        SettingsError: when the stack names a managed part and the run is no preview.
    """
    if pulumi.runtime.is_dry_run():
        return
    parts = managed_parts(settings)
    if parts:
        raise refused(
            Violation(
                path,
                "a managed AWS part, which this version describes but does not create yet",
                "The workloads would wait for a server that nobody makes.",
                "Preview this stack, or use an existing cluster with `in-cluster` or `external` stores.",
            )
            for path in parts
        )


def rds_connection(section: RdsDatabase) -> PostgresConnection:
    """Return the connection to an RDS instance, its values not known yet."""
    return PostgresConnection(
        host=unknown("rds-host"),
        port=MANAGED_POSTGRES_PORT,
        database=section.name,
        user=section.user,
        password=pulumi.Output.secret(unknown("rds-password")),
        trust=None,
    )


def elasticache_connection(instance: str) -> RedisConnection:
    """Return the connection to an ElastiCache replication group, its values not known yet."""
    return RedisConnection(
        host=unknown(f"elasticache-{instance}-host"),
        port=MANAGED_REDIS_PORT,
        user=REDIS_USER,
        password=pulumi.Output.secret(unknown(f"elasticache-{instance}-password")),
        trust=None,
    )
