"""Who may talk to whom: the one list of flows, from which every NetworkPolicy is made.

A flow stands here because a service's environment refers to what it reaches. What no flow names is denied.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from components.jobs.jobs import MIGRATION
from components.postgres import in_cluster as postgres
from components.postgres import roles as postgres_roles
from components.postgres.section import ExternalDatabase, InClusterDatabase
from components.redis import in_cluster as redis
from components.redis.section import ExternalRedis, InClusterRedis
from components.shared.network_policy import (
    Allowance,
    Allowances,
    AnywherePeer,
    InternetPeer,
    PartPeer,
    Peer,
    PodsPeer,
)
from components.workload.env import DatabaseReference, RedisReference, ServiceReference, references
from components.workload.section import Service
from stacks.names import redis_part, redis_reference
from stacks.settings import Settings

DNS_PORTS = (53, 1053, 5353)
"""A policy's port is the pod's, not the Service's: CoreDNS listens on 53, without that privilege on 1053 or 5353."""

HTTPS_PORT = 443
MANAGED_REDIS_PORT = 6379
MANAGED_POSTGRES_PORT = 5432
DNS_PEER = PodsPeer(("k8s-app", "kube-dns"), namespace="kube-system")
"""CoreDNS, which carries this label in every distribution."""

PROMETHEUS_PEER = PodsPeer(("app.kubernetes.io/name", "prometheus"))


@dataclass(frozen=True)
class Flow:
    """One permission: a part of the stack may open connections to a port of another, or of somebody outside.

    Attributes:
        source: the part, or who outside.
        target: the part, or whom outside.
        port: TCP port of the target.
    """

    source: Peer
    target: Peer
    port: int


def flows(settings: Settings) -> tuple[Flow, ...]:
    """Return every flow of a stack, without DNS, which every part may use."""
    return tuple(dict.fromkeys(_flows(settings)))


class FlowTable:
    """The flows of a stack, by the part that they concern."""

    def __init__(self, settings: Settings) -> None:
        """Read every flow of a stack once.

        Args:
            settings: the stack.
        """
        self._ingress: defaultdict[Peer, list[Allowance]] = defaultdict(list)
        self._egress: defaultdict[Peer, list[Allowance]] = defaultdict(list)
        for flow in flows(settings):
            self._ingress[flow.target].append(Allowance(flow.source, (flow.port,)))
            self._egress[flow.source].append(Allowance(flow.target, (flow.port,)))

    def of(self, part: str) -> Allowances:
        """Return what one part is allowed: the flows that it begins and ends, and DNS."""
        me = PartPeer(part)
        dns = Allowance(DNS_PEER, DNS_PORTS, protocols=("UDP", "TCP"))
        return Allowances(ingress=tuple(self._ingress[me]), egress=(dns, *self._egress[me]))


def _flows(settings: Settings) -> Iterator[Flow]:
    for name, service in settings.services.items():
        yield from _needs(settings, name, service)
        yield from _callers(name, service)
    if settings.migrations is not None:
        yield from _needs(settings, MIGRATION, settings.services[settings.migrations.service])
    for name, job in settings.cron_jobs.items():
        yield from _needs(settings, name, settings.services[job.service])
    if isinstance(settings.database, InClusterDatabase):
        yield Flow(PartPeer(postgres_roles.PART), PartPeer(postgres.PART), postgres.PORT)


def _needs(settings: Settings, part: str, service: Service) -> Iterator[Flow]:
    """Yield the flows that a program begins, read from what its environment refers to."""
    me = PartPeer(part)
    for reference in references(service.env):
        match reference:
            case DatabaseReference():
                yield Flow(me, *_database(settings))
            case RedisReference():
                yield Flow(me, *_redis(settings, redis_reference(settings, reference)))
            case ServiceReference(service=called):
                port = settings.services[called].port
                if port is not None:
                    yield Flow(me, PartPeer(called), port)
            case _:
                pass
    if service.internet:
        yield Flow(me, InternetPeer(), HTTPS_PORT)


def _callers(name: str, service: Service) -> Iterator[Flow]:
    if service.port is not None and service.routes:
        yield Flow(AnywherePeer(), PartPeer(name), service.port)
    if service.metrics is not None:
        port = service.metrics.port or service.port
        if port is not None:
            yield Flow(PROMETHEUS_PEER, PartPeer(name), port)


def _database(settings: Settings) -> tuple[Peer, int]:
    match settings.database:
        case InClusterDatabase():
            return PartPeer(postgres.PART), postgres.PORT
        case ExternalDatabase(port=port):
            return AnywherePeer(), port
        case _:
            return AnywherePeer(), MANAGED_POSTGRES_PORT


def _redis(settings: Settings, instance: str) -> tuple[Peer, int]:
    match settings.redis[instance]:
        case InClusterRedis():
            return PartPeer(redis_part(instance)), redis.PORT
        case ExternalRedis(port=port):
            return AnywherePeer(), port
        case _:
            return AnywherePeer(), MANAGED_REDIS_PORT
