"""What a service must know to reach Redis; every form of Redis gives the same type."""

from dataclasses import dataclass
from urllib.parse import quote

import pulumi

from components.shared.connection import Connection
from components.workload.env import RedisField


@dataclass(frozen=True, kw_only=True)
class RedisConnection(Connection):
    """A Redis instance, always reached by TLS, and the application's ACL user."""

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
