"""What each service is told: the references of its environment, resolved.

Whatever comes from a secret, the database or Redis is delivered by a Secret; a ConfigMap holds only text of the stack
file and addresses inside the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.postgres.connection import PostgresConnection
from components.redis.connection import RedisConnection
from components.shared.pods import Trust
from components.workload.env import DatabaseReference, RedisReference, SecretReference, ServiceReference
from components.workload.runtime import Bindings
from components.workload.section import Service
from stacks.names import redis_reference
from stacks.settings import Settings


@dataclass(frozen=True)
class Sources:
    """What references can refer to.

    Attributes:
        secrets: the values of `slipway:secrets`, by name.
        database: the connection to PostgreSQL, if there is one.
        redis: the connections to Redis, by instance.
    """

    secrets: Mapping[str, pulumi.Output[str]]
    database: PostgresConnection | None
    redis: Mapping[str, RedisConnection]


def bind(settings: Settings, service: Service, sources: Sources) -> Bindings:
    """Return what a service is told.

    Args:
        settings: the stack.
        service: the service.
        sources: what its references refer to.

    Raises:
        KeyError: for a reference to what does not exist; `stacks.rules` refuses that before.
    """
    plain: dict[str, str] = dict(service.typed_variables)
    secret: dict[str, pulumi.Input[str]] = {}
    trusts: dict[str, Trust] = {}
    needs: list[pulumi.Resource] = []
    connections: list[PostgresConnection | RedisConnection] = []

    def use(connection: PostgresConnection | RedisConnection) -> None:
        if connection.trust is not None:
            trusts[connection.trust.name] = connection.trust
        if connection not in connections:
            connections.append(connection)
        needs.extend(resource for resource in connection.ready if resource not in needs)

    for name, value in service.env.items():
        match value:
            case str():
                plain[name] = value
            case ServiceReference(service=called):
                plain[name] = service_url(settings, called)
            case SecretReference(secret=key):
                secret[name] = sources.secrets[key]
            case DatabaseReference(database=field):
                if sources.database is None:
                    raise KeyError("a reference to a database that the stack does not have")
                use(sources.database)
                secret[name] = sources.database.field(field)
            case RedisReference(redis=field):
                connection = sources.redis[redis_reference(settings, value)]
                use(connection)
                secret[name] = connection.field(field)
    return Bindings(
        plain=plain,
        secret=secret,
        trusts=tuple(trusts.values()),
        needs=tuple(needs),
        endpoints=tuple(connection.endpoint for connection in connections),
    )


def service_url(settings: Settings, name: str) -> str:
    """Return the address of a service inside the cluster."""
    return f"http://{name}:{settings.services[name].port}"
