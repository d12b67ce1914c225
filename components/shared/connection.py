"""What all connections to a store have in common, and the trust that one outside the cluster needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import pulumi

from components.shared.component import Surroundings
from components.shared.configuration import config_map_of_outputs
from components.shared.pods import Trust

CommonField = Literal["host", "port", "user", "password", "caFile"]


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A store, and the user that the application has there.

    Attributes:
        host: host name or address.
        port: TCP port.
        user: name of the application's user; administers nothing.
        password: its password, a secret.
        trust: the authority of the server's certificate; the system's trust store where it is None.
        ready: what must stand before anything connects.
        part: the part of this namespace that the server's pods are; None for a server outside it.
    """

    host: pulumi.Input[str]
    port: int
    user: str
    password: pulumi.Output[str]
    trust: Trust | None
    ready: tuple[pulumi.Resource, ...] = ()
    part: str | None = None

    @property
    def endpoint(self) -> pulumi.Output[str]:
        """The server's address as `host:port`."""
        return pulumi.Output.concat(self.host, f":{self.port}")

    def address(self, scheme: str, tail: str) -> pulumi.Output[str]:
        """Return `scheme://user:password@host:port` with a tail, the user and the password quoted; a secret.

        Args:
            scheme: such as `postgresql`.
            tail: what follows the port: path and query.
        """

        def build(values: list[str]) -> str:
            host, password = values
            return (
                f"{scheme}://{quote(self.user, safe='')}:{quote(password, safe='')}@{host}:{self.port}{tail}"
            )

        return pulumi.Output.secret(pulumi.Output.all(self.host, self.password).apply(build))

    def common_field(self, name: CommonField) -> pulumi.Input[str]:
        """Return what an environment variable holds that asks for a field which every store has."""
        match name:
            case "host":
                return self.host
            case "port":
                return str(self.port)
            case "user":
                return self.user
            case "password":
                return self.password
            case "caFile":
                return self.trust.file if self.trust is not None else ""


def external_trust(
    name: str,
    ca: str | None,
    secrets: Mapping[str, pulumi.Output[str]],
    surroundings: Surroundings,
    *,
    parent: pulumi.Resource,
) -> Trust | None:
    """Bring the certificate of an external store's authority into the namespace.

    Args:
        name: the store's part, such as `redis-cache`.
        ca: the name of the secret that holds the certificate; None for an authority that the system trusts.
        secrets: the stack's secrets.
        surroundings: where the clients stand.
        parent: the component that the ConfigMap belongs to.
    """
    if ca is None:
        return None
    # A certificate is public; only its way here was that of a secret.
    data = {"ca.crt": pulumi.Output.unsecret(secrets[ca])}
    return Trust(name, config_map_of_outputs(surroundings, name, f"{name}-ca", data, parent=parent))
