"""What a service must know to reach Redis; every form of Redis gives the same type."""

from dataclasses import dataclass

import pulumi

from components.shared.connection import Connection
from components.workload.env import RedisField


@dataclass(frozen=True, kw_only=True)
class RedisConnection(Connection):
    """A Redis instance, always reached by TLS, and the application's ACL user."""

    def url(self) -> pulumi.Output[str]:
        """Return the address as redis-py reads it, with the server's certificate verified; a secret."""
        authority = f"?ssl_ca_certs={self.trust.file}" if self.trust is not None else ""
        return self.address("rediss", f"/0{authority}")

    def field(self, name: RedisField) -> pulumi.Input[str]:
        """Return what an environment variable with `{ redis: name }` holds."""
        return self.url() if name == "url" else self.common_field(name)
