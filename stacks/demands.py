"""How many pods a stack may have at one time: what the namespace's quota must admit."""

from collections.abc import Iterator

from components.namespace.namespace import PodDemand
from components.postgres import roles as postgres_roles
from components.postgres.section import InClusterDatabase
from components.redis.section import InClusterRedis
from components.workload.workload import MAX_SURGE
from stacks.settings import Settings


def pod_demands(settings: Settings) -> Iterator[PodDemand]:
    """Yield what each part of a stack may take.

    A rollout does not wait for old pods to end, and an ending one still counts: while all of `max` drain, all of `max`
    and the surge may run already.
    """
    for service in settings.services.values():
        yield PodDemand(2 * service.scaling.max + MAX_SURGE, service.resources)
    if settings.migrations is not None:
        # A Job starts its next try while the pod of the last one may still end.
        yield PodDemand(2, settings.migrations.resources)
    for job in settings.cron_jobs.values():
        yield PodDemand(2, job.resources)
    if isinstance(settings.database, InClusterDatabase):
        yield PodDemand(1, settings.database.resources)
        yield PodDemand(2, postgres_roles.RESOURCES)
    for instance in settings.redis.values():
        if isinstance(instance, InClusterRedis):
            yield PodDemand(1, instance.resources)
