"""PostgreSQL inside the cluster: one pod with a volume, TLS for every connection over the network. For local.

Data that matters stands on RDS: here nothing takes over when the node is lost.
"""

import pulumi
import pulumi_kubernetes as kubernetes

from components.certificates.authority import CertificateAuthority, ServerCertificate, service_dns_names
from components.postgres.connection import PostgresConnection
from components.postgres.roles import Administrator, DatabaseRoles
from components.postgres.section import InClusterDatabase
from components.shared.component import Surroundings
from components.shared.configuration import config_map, config_map_of_outputs, secret
from components.shared.network_policy import Allowances, network_policy
from components.shared.passwords import generated_password
from components.shared.pods import Trust, VolumeMount, scratch_volumes
from components.shared.single_server import SingleServer
from facts.versions import PGVECTOR_IMAGE, POSTGRES_IMAGE, POSTGRES_USER_ID

core = kubernetes.core.v1

PART = "postgres"
PORT = 5432
ADMINISTRATOR = "postgres"
SLOW_QUERY_MILLISECONDS = 500
"""Statements that take longer are logged; source 004 asks for slow queries above half a second."""

_DATA = "/var/lib/postgresql/data"
_TLS = "/etc/slipway/server"
_CONFIGURATION = "/etc/slipway/postgres"
# Nothing over the network without TLS and a password; the socket is only reachable inside the pod.
_HBA = """local   all all     scram-sha-256
hostssl all all all scram-sha-256
"""


class InClusterPostgres(pulumi.ComponentResource):
    """A PostgreSQL server in the namespace, with the application's database and role.

    Attributes:
        connection: how services reach it.
    """

    connection: PostgresConnection

    def __init__(
        self,
        name: str,
        section: InClusterDatabase,
        *,
        surroundings: Surroundings,
        namespace_name: str,
        authority: CertificateAuthority,
        allowances: Allowances,
        roles_allowances: Allowances,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the server.

        Args:
            name: the name of the component, the Service and the StatefulSet.
            section: what is wanted.
            surroundings: where it stands.
            namespace_name: the namespace's name as text, for the host names of the certificate.
            authority: what signs its certificate.
            allowances: who may reach it.
            roles_allowances: whom the Job that makes the roles may reach.
            opts: the options of the component.
        """
        super().__init__("slipway:postgres:InClusterPostgres", name, None, opts)
        self._name = name
        self._section = section
        self._surroundings = surroundings
        self._image = section.image or (PGVECTOR_IMAGE if "vector" in section.extensions else POSTGRES_IMAGE)
        network_policy(surroundings, PART, allowances, parent=self)
        trust = self._trust(authority)
        certificate = authority.issue(name, service_dns_names(name, namespace_name), parent=self)
        administrator = generated_password(f"{name}-administrator", parent=self)
        server = self._server(certificate, administrator)
        self.connection = self._roles(trust, administrator, server, roles_allowances)
        self.register_outputs({"host": name, "database": section.name, "user": section.user})

    def _trust(self, authority: CertificateAuthority) -> Trust:
        data = {"ca.crt": authority.certificate}
        return Trust(
            self._name, config_map_of_outputs(self._surroundings, PART, f"{self._name}-ca", data, parent=self)
        )

    def _arguments(self) -> list[str]:
        settings = {
            "ssl": "on",
            "ssl_cert_file": f"{_TLS}/tls.crt",
            "ssl_key_file": f"{_TLS}/tls.key",
            "ssl_min_protocol_version": "TLSv1.2",
            "hba_file": f"{_CONFIGURATION}/pg_hba.conf",
            "password_encryption": "scram-sha-256",
            "max_connections": str(self._section.max_connections),
            "shared_preload_libraries": "pg_stat_statements",
            "log_min_duration_statement": str(SLOW_QUERY_MILLISECONDS),
        }
        return ["postgres", *(part for key, value in settings.items() for part in ("-c", f"{key}={value}"))]

    def _server(
        self, certificate: ServerCertificate, administrator: pulumi.Output[str]
    ) -> kubernetes.apps.v1.StatefulSet:
        environment = secret(
            self._surroundings,
            PART,
            f"{self._name}-administrator",
            {"POSTGRES_PASSWORD": administrator},
            parent=self,
        )
        return SingleServer(
            part=self._name,
            protocol="postgres",
            port=PORT,
            image=self._image,
            user_id=POSTGRES_USER_ID,
            arguments=self._arguments(),
            health=["pg_isready", "--quiet", "--host=127.0.0.1", f"--username={ADMINISTRATOR}"],
            startup_tries=90,
            resources=self._section.resources,
            volumes=self._volumes(certificate),
            data_path=_DATA,
            storage=self._section.storage,
            env=[
                core.EnvVarArgs(name="POSTGRES_USER", value=ADMINISTRATOR),
                # A folder below the mount: a fresh volume may hold lost+found, which initdb refuses.
                core.EnvVarArgs(name="PGDATA", value=f"{_DATA}/pgdata"),
            ],
            env_from=[core.EnvFromSourceArgs(secret_ref=core.SecretEnvSourceArgs(name=environment))],
        ).create(self._surroundings, parent=self)

    def _volumes(self, certificate: ServerCertificate) -> list[VolumeMount]:
        hba = config_map(self._surroundings, PART, f"{self._name}-hba", {"pg_hba.conf": _HBA}, parent=self)
        tls = secret(
            self._surroundings,
            PART,
            f"{self._name}-tls",
            {"tls.crt": certificate.certificate, "tls.key": certificate.private_key},
            parent=self,
        )
        configuration = core.VolumeArgs(
            name="configuration", config_map=core.ConfigMapVolumeSourceArgs(name=hba)
        )
        # PostgreSQL takes a key that belongs to root only when nobody else but its group reads it.
        key = core.VolumeArgs(
            name="tls", secret=core.SecretVolumeSourceArgs(secret_name=tls, default_mode=0o640)
        )
        return [
            VolumeMount(configuration, _CONFIGURATION, read_only=True),
            VolumeMount(key, _TLS, read_only=True),
            *scratch_volumes(["/tmp", "/var/run/postgresql"], "64Mi"),  # noqa: S108 - a mount's name
        ]

    def _roles(
        self,
        trust: Trust,
        administrator: pulumi.Output[str],
        server: kubernetes.apps.v1.StatefulSet,
        allowances: Allowances,
    ) -> PostgresConnection:
        password = generated_password(f"{self._name}-app", parent=self)
        roles = DatabaseRoles(
            f"{self._name}-roles",
            surroundings=self._surroundings,
            image=self._image,
            user_id=POSTGRES_USER_ID,
            administrator=Administrator(self._name, PORT, ADMINISTRATOR, administrator, trust),
            database=self._section.name,
            user=self._section.user,
            password=password,
            extensions=self._section.extensions,
            allowances=allowances,
            after=[server],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return PostgresConnection(
            host=self._name,
            port=PORT,
            database=self._section.name,
            user=self._section.user,
            password=password,
            trust=trust,
            ready=(roles.job,),
            part=PART,
        )
