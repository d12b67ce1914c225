"""How many connections a PostgreSQL on RDS takes, by the class of its instance.

RDS computes `max_connections` as LEAST({DBInstanceClassMemory/9531392}, 5000); DBInstanceClassMemory is the instance's
memory less what the operating system and RDS take. Source: RDS User Guide, "Quotas and constraints", read 2026-11;
the share that is left was read off db.t4g.micro (81 of 112) and db.r7g.large (1,700 of 1,802).
"""

BYTES_PER_CONNECTION = 9_531_392
MAX_CONNECTIONS = 5_000

MEMORY_GIB: dict[str, float] = {
    "db.t4g.micro": 1,
    "db.t4g.small": 2,
    "db.t4g.medium": 4,
    "db.t4g.large": 8,
    "db.t4g.xlarge": 16,
    "db.m7g.large": 8,
    "db.m7g.xlarge": 16,
    "db.m7g.2xlarge": 32,
    "db.r7g.large": 16,
    "db.r7g.xlarge": 32,
    "db.r7g.2xlarge": 64,
}
"""Memory of the classes that Slipway knows, in GiB. Source: RDS User Guide, "DB instance classes", read 2026-11."""

_RESERVED_GIB_BASE = 0.235
_RESERVED_SHARE = 0.045


def max_connections(instance_class: str) -> int | None:
    """Return how many connections an instance takes, or None for a class that is not in the table.

    The figure is on the careful side: memory less 0.235 GiB and 4.5 %, which gives 81 for db.t4g.micro and about 1,690
    for db.r7g.large.
    """
    memory = MEMORY_GIB.get(instance_class)
    if memory is None:
        return None
    usable = memory * (1 - _RESERVED_SHARE) - _RESERVED_GIB_BASE
    return min(int(usable * 1024**3 / BYTES_PER_CONNECTION), MAX_CONNECTIONS)
