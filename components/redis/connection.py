"""What a service must know to reach Redis; every form of Redis gives the same type."""

from dataclasses import dataclass
from urllib.parse import quote

import pulumi

from components.shared.pods import Trust
from components.workload.env import RedisField


@dataclass(frozen=True)
class RedisConnection:
    """A Redis instance and the ACL user of the application.

    Attributes:
        host: host name or address.
        port: TCP port; always TLS.
        user: name of the ACL user.
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

    def url(self) -> pulumi.Output[str]:
        """Return the address as redis-py reads it, with the server's certificate verified; a secret."""
        authority = f"?ssl_ca_certs={self.trust.file}" if self.trust is not None else ""

        def build(values: list[str]) -> str:
            host, password = values
            return f"rediss://{quote(self.user, safe='')}:{quote(password, safe='')}@{host}:{self.port}/0{authority}"

        return pulumi.Output.secret(pulumi.Output.all(self.host, self.password).apply(build))

    def field(self, name: RedisField) -> pulumi.Input[str]:
        """Return what an environment variable with `{ redis: name }` holds."""
        match name:
            case "url":
                return self.url()
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
