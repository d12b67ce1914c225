"""A Redis that somebody else runs: only the certificate of its authority is brought into the namespace."""

from collections.abc import Mapping

import pulumi

from components.redis.connection import RedisConnection
from components.redis.section import ExternalRedis
from components.shared.component import Surroundings
from components.shared.connection import external_trust


def external_redis(
    name: str,
    section: ExternalRedis,
    secrets: Mapping[str, pulumi.Output[str]],
    surroundings: Surroundings,
    parent: pulumi.Resource,
) -> RedisConnection:
    """Return the connection to an external Redis.

    Args:
        name: the name of the instance's part, such as `redis-cache`.
        section: where it is.
        secrets: the stack's secrets, among them its password and certificate.
        surroundings: where its clients stand.
        parent: the component that the certificate's ConfigMap belongs to.
    """
    return RedisConnection(
        host=section.host,
        port=section.port,
        user=section.user,
        password=secrets[section.password],
        trust=external_trust(name, section.ca, secrets, surroundings, parent=parent),
    )
