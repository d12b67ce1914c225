"""The section `slipway:database`: which PostgreSQL the services get, or that they need none."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from components.shared.quantities import Storage
from components.shared.resources import Amounts, Resources
from components.shared.section import Section, preset
from components.workload.env import SecretName

PostgresVersion = Literal["16"]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$", max_length=63)]
"""A name that PostgreSQL takes without quotes (63 bytes: NAMEDATALEN less one)."""

ExtensionName = Literal[
    "vector", "pg_stat_statements", "pg_trgm", "pgcrypto", "uuid-ossp", "citext", "hstore", "btree_gin"
]
"""Extensions that both RDS and the in-cluster image bring."""

InstanceClass = Annotated[str, StringConstraints(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")]


class _Database(Section):
    name: Identifier = Field(default="app", description="Name of the application's database.")
    user: Identifier = Field(
        default="app", description="Role of the application: owns its database, is no superuser."
    )
    extensions: tuple[ExtensionName, ...] = Field(
        default=(), description="Extensions created in the database."
    )
    version: PostgresVersion = Field(default="16", description="Major version, in quotes.")


class InClusterDatabase(_Database):
    """A StatefulSet of one pod with a volume: for local."""

    kind: Literal["in-cluster"]
    image: str | None = Field(
        default=None, description="Image; the pinned one of facts/versions.py where left out."
    )
    storage: Storage = Field(
        default="5Gi", description="Size of the volume; a StatefulSet cannot change it later."
    )
    max_connections: int = Field(
        default=100, ge=20, le=1000, description="Connections that the server accepts."
    )
    resources: Resources = Field(
        default=Resources(
            requests=Amounts(cpu="100m", memory="256Mi"), limits=Amounts(cpu="1", memory="512Mi")
        ),
        description="Requests and limits of CPU and memory.",
    )


class RdsDatabase(_Database):
    """Amazon RDS for PostgreSQL."""

    kind: Literal["rds"]
    instance_class: InstanceClass = preset(
        "rds_instance_class",
        default="db.t4g.micro",
        description="Class of the instance, such as db.t4g.micro.",
    )
    storage_gib: int = Field(default=20, ge=20, le=65_536, description="Storage in GiB, 20 to 65,536.")
    multi_az: bool = preset("rds_multi_az", default=False, description="A standby in a second zone.")
    master_password: Literal["managed", "generated"] = Field(
        default="managed",
        description="managed: RDS keeps and rotates it; generated: ours, needed for read replicas and blue/green.",
    )


class ExternalDatabase(_Database):
    """A PostgreSQL that somebody else runs; database, role and extensions exist already."""

    kind: Literal["external"]
    host: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)] = (
        Field(description="Host name or address.")
    )
    port: int = Field(default=5432, ge=1, le=65535, description="TCP port.")
    password: SecretName = Field(
        description="Name of the secret in `slipway:secrets` that holds the role's password."
    )
    ca: SecretName | None = Field(
        default=None,
        description="Name of the secret that holds the certificate (PEM) of its authority;"
        " the system's trust where left out.",
    )
    max_connections: int = Field(
        default=100, ge=1, le=262_143, description="Connections that the server accepts."
    )


class NoDatabase(Section):
    """No PostgreSQL at all."""

    kind: Literal["none"]


DatabaseSection = Annotated[
    InClusterDatabase | RdsDatabase | ExternalDatabase | NoDatabase, Field(discriminator="kind")
]
