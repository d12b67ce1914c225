"""A PostgreSQL that somebody else runs: only the certificate of its authority is brought into the namespace."""

from collections.abc import Mapping

import pulumi

from components.postgres.connection import PostgresConnection
from components.postgres.in_cluster import PART
from components.postgres.section import ExternalDatabase
from components.shared.component import Surroundings
from components.shared.connection import external_trust


def external_postgres(
    section: ExternalDatabase,
    secrets: Mapping[str, pulumi.Output[str]],
    surroundings: Surroundings,
    parent: pulumi.Resource,
) -> PostgresConnection:
    """Return the connection to an external database.

    Args:
        section: where it is.
        secrets: the stack's secrets, among them its password and certificate.
        surroundings: where its clients stand.
        parent: the component that the certificate's ConfigMap belongs to.
    """
    return PostgresConnection(
        host=section.host,
        port=section.port,
        database=section.name,
        user=section.user,
        password=secrets[section.password],
        trust=external_trust(PART, section.ca, secrets, surroundings, parent=parent),
    )
