"""A Redis that somebody else runs: only the certificate of its authority is brought into the namespace."""

from collections.abc import Mapping

import pulumi

from components.redis.connection import RedisConnection
from components.redis.section import ExternalRedis
from components.shared.component import Surroundings
from components.shared.configuration import config_map_of_outputs
from components.shared.pods import Trust


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
    trust = None
    if section.ca is not None:
        # A certificate is public; only its way here was that of a secret.
        data = {"ca.crt": pulumi.Output.unsecret(secrets[section.ca])}
        trust = Trust(name, config_map_of_outputs(surroundings, name, f"{name}-ca", data, parent=parent))
    return RedisConnection(
        host=section.host,
        port=section.port,
        user=section.user,
        password=secrets[section.password],
        trust=trust,
    )
