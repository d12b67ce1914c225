"""A PostgreSQL that somebody else runs: only the certificate of its authority is brought into the namespace."""

from collections.abc import Mapping

import pulumi

from components.postgres.connection import PostgresConnection
from components.postgres.section import ExternalDatabase
from components.shared.component import Surroundings
from components.shared.configuration import config_map_of_outputs
from components.shared.pods import Trust

NAME = "postgres"


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
    trust = None
    if section.ca is not None:
        # A certificate is public; only its way here was that of a secret.
        data = {"ca.crt": pulumi.Output.unsecret(secrets[section.ca])}
        trust = Trust(NAME, config_map_of_outputs(surroundings, NAME, f"{NAME}-ca", data, parent=parent))
    return PostgresConnection(
        host=section.host,
        port=section.port,
        database=section.name,
        user=section.user,
        password=secrets[section.password],
        trust=trust,
    )
