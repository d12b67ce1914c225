"""What each environment presets: typed objects, so that a wrong name dies in the type checker and not in production.

A value here applies where the stack file says nothing; None means that the section's own default holds.
"""

from dataclasses import dataclass
from typing import Literal

Environment = Literal["local", "dev", "staging", "prod"]


@dataclass(frozen=True)
class Preset:
    """The presets of one environment.

    Attributes:
        scaling_min: pods of a service at the least.
        scaling_max: pods of a service at the most.
        rds_instance_class: class of the RDS instance.
        rds_multi_az: whether a standby stands in a second zone.
        elasticache_node_type: type of the Redis nodes.
        elasticache_replicas: Redis replicas that can take over.
        backup_retention_days: days that point-in-time recovery reaches back.
        restore_test: how often a backup is restored as a test.
    """

    scaling_min: int | None = None
    scaling_max: int | None = None
    rds_instance_class: str | None = None
    rds_multi_az: bool | None = None
    elasticache_node_type: str | None = None
    elasticache_replicas: int | None = None
    backup_retention_days: int | None = None
    restore_test: Literal["weekly", "monthly", "off"] | None = None


PRESETS: dict[Environment, Preset] = {
    "local": Preset(scaling_min=1, scaling_max=2),
    "dev": Preset(scaling_min=1, scaling_max=2, backup_retention_days=7),
    "staging": Preset(
        scaling_min=2,
        scaling_max=4,
        rds_instance_class="db.t4g.medium",
        elasticache_node_type="cache.t4g.small",
        backup_retention_days=7,
        restore_test="monthly",
    ),
    # Two pods at the least, so that a drained node or a rollout never leaves none; 30 days of recovery and a monthly
    # restore test are what source 004 asks of production.
    "prod": Preset(
        scaling_min=2,
        scaling_max=10,
        rds_instance_class="db.m7g.large",
        rds_multi_az=True,
        elasticache_node_type="cache.m7g.large",
        elasticache_replicas=1,
        backup_retention_days=30,
        restore_test="monthly",
    ),
}


def preset_for(environment: Environment) -> Preset:
    """Return the presets of an environment."""
    return PRESETS[environment]
