"""The names of the parts of a stack, and which part a reference means."""

from collections.abc import Iterator

from components.image.section import BuildImage
from components.jobs.jobs import MIGRATION
from components.postgres import in_cluster as postgres
from components.postgres import roles as postgres_roles
from components.workload.env import RedisReference
from stacks.settings import Settings

APPLICATION_IMAGE = "app"
"""The part that is the application's own image, which services share unless they name another."""


def redis_part(instance: str) -> str:
    """Return the part, and the host name, of a Redis instance in the cluster."""
    return f"redis-{instance}"


def redis_reference(settings: Settings, reference: RedisReference) -> str:
    """Return the instance that a reference means: the named one, or the only one.

    Raises:
        KeyError: when it names none and there is not exactly one; `stacks.rules` refuses that before.
    """
    if reference.instance is not None:
        return reference.instance
    if len(settings.redis) != 1:
        raise KeyError("a reference to Redis without an instance, and not exactly one instance")
    return next(iter(settings.redis))


def reserved_parts(settings: Settings) -> Iterator[str]:
    """Yield the names of parts that services and CronJobs must not take."""
    yield from ("namespace", "default-deny", "quota", MIGRATION, postgres.PART, postgres_roles.PART)
    yield from (redis_part(instance) for instance in settings.redis)
    if any(isinstance(service.image, BuildImage) for service in settings.services.values()):
        # Each built image is a part of its own, named as its service.
        yield APPLICATION_IMAGE
