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
        database = quote(self.database, safe="")
        return self.address("postgresql", f"/{database}?sslmode=verify-full&sslrootcert={root}")

    def field(self, name: DatabaseField) -> pulumi.Input[str]:
        """Return what an environment variable with `{ database: name }` holds."""
        match name:
            case "url":
                return self.url()
            case "name":
                return self.database
            case _:
                return self.common_field(name)
