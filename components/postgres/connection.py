"""What a service must know to reach PostgreSQL; every form of database gives the same type."""

from dataclasses import dataclass
from urllib.parse import quote

import pulumi

from components.shared.connection import Connection
from components.workload.env import DatabaseField


@dataclass(frozen=True, kw_only=True)
class PostgresConnection(Connection):
    """A database and the role that owns it, which is no superuser.

    Attributes:
        database: name of the database.
    """

    database: str

    def url(self) -> pulumi.Output[str]:
        """Return the address as libpq reads it, with the server's name and certificate verified; a secret."""
        root = self.trust.file if self.trust is not None else "system"

        def build(values: list[str]) -> str:
            host, password = values
            return (
                f"postgresql://{quote(self.user, safe='')}:{quote(password, safe='')}@{host}:{self.port}"
                f"/{quote(self.database, safe='')}?sslmode=verify-full&sslrootcert={root}"
            )

        return pulumi.Output.secret(pulumi.Output.all(self.host, self.password).apply(build))

    def field(self, name: DatabaseField) -> pulumi.Input[str]:
        """Return what an environment variable with `{ database: name }` holds."""
        match name:
            case "url":
                return self.url()
            case "host":
                return self.host
            case "port":
                return str(self.port)
            case "name":
                return self.database
            case "user":
                return self.user
            case "password":
                return self.password
            case "caFile":
                return self.trust.file if self.trust is not None else ""
