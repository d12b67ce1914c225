"""PostgreSQL inside the cluster: one pod with a volume, TLS for every connection over the network. For local.

Data that matters stands on RDS: here nothing takes over when the node is lost.
"""

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from components.certificates.authority import CertificateAuthority, ServerCertificate, service_dns_names
from components.postgres.connection import PostgresConnection
from components.postgres.roles import Administrator, DatabaseRoles
from components.postgres.section import InClusterDatabase
from components.shared.component import Surroundings
from components.shared.configuration import config_map, config_map_of_outputs, secret
from components.shared.network_policy import Allowances, network_policy
from components.shared.pods import (
    PodParts,
    Trust,
    VolumeMount,
    container_security,
    data_volume,
    resource_requirements,
    scratch_volumes,
)
from facts.versions import PGVECTOR_IMAGE, POSTGRES_IMAGE, POSTGRES_USER_ID

core = kubernetes.core.v1

PART = "postgres"
PORT = 5432
ADMINISTRATOR = "postgres"
PASSWORD_LENGTH = 32
"""Characters of a generated password: 190 bits of letters and digits, which need no quoting anywhere."""

SLOW_QUERY_MILLISECONDS = 500
"""Statements that take longer are logged; source 004 asks for slow queries above half a second."""

GRACE_SECONDS = 60
"""Seconds for a fast shutdown with its checkpoint."""

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
        administrator = self._password("administrator")
        server = self._server(certificate, administrator, self._service())
        self.connection = self._roles(trust, administrator, server, roles_allowances)
        self.register_outputs({"host": name, "database": section.name, "user": section.user})

    def _password(self, whose: str) -> pulumi.Output[str]:
        password = random.RandomPassword(
            f"{self._name}-{whose}",
            length=PASSWORD_LENGTH,
            special=False,
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["result"]),
        )
        return pulumi.Output.secret(password.result)

    def _trust(self, authority: CertificateAuthority) -> Trust:
        data = {"ca.crt": authority.certificate}
        return Trust(
            self._name, config_map_of_outputs(self._surroundings, PART, f"{self._name}-ca", data, parent=self)
        )

    def _service(self) -> kubernetes.core.v1.Service:
        return kubernetes.core.v1.Service(
            self._name,
            metadata=self._surroundings.metadata(
                PART,
                self._name,
                # The pods come later and wait for the Service's name in DNS, not the other way round.
                annotations={"pulumi.com/skipAwait": "true"},
            ),
            spec=core.ServiceSpecArgs(
                selector=self._surroundings.selector(PART),
                ports=[core.ServicePortArgs(name="postgres", port=PORT, target_port="postgres")],
            ),
            opts=pulumi.ResourceOptions(parent=self),
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
        self,
        certificate: ServerCertificate,
        administrator: pulumi.Output[str],
        service: kubernetes.core.v1.Service,
    ) -> kubernetes.apps.v1.StatefulSet:
        hba = config_map(self._surroundings, PART, f"{self._name}-hba", {"pg_hba.conf": _HBA}, parent=self)
        tls = secret(
            self._surroundings,
            PART,
            f"{self._name}-tls",
            {"tls.crt": certificate.certificate, "tls.key": certificate.private_key},
            parent=self,
        )
        environment = secret(
            self._surroundings,
            PART,
            f"{self._name}-administrator",
            {"POSTGRES_PASSWORD": administrator},
            parent=self,
        )
        volumes = [
            VolumeMount(
                core.VolumeArgs(name="configuration", config_map=core.ConfigMapVolumeSourceArgs(name=hba)),
                _CONFIGURATION,
                read_only=True,
            ),
            VolumeMount(
                core.VolumeArgs(
                    name="tls",
                    # PostgreSQL takes a key that belongs to root only when nobody else but its group reads it.
                    secret=core.SecretVolumeSourceArgs(secret_name=tls, default_mode=0o640),
                ),
                _TLS,
                read_only=True,
            ),
            *scratch_volumes(["/tmp", "/var/run/postgresql"], "64Mi"),  # noqa: S108 - a mount's name
        ]
        question = ["pg_isready", "--quiet", "--host=127.0.0.1", f"--username={ADMINISTRATOR}"]
        probe = core.ExecActionArgs(command=question)
        container = core.ContainerArgs(
            name="postgres",
            image=self._image,
            image_pull_policy="IfNotPresent",
            args=self._arguments(),
            env=[
                core.EnvVarArgs(name="POSTGRES_USER", value=ADMINISTRATOR),
                # A folder below the mount: a fresh volume may hold lost+found, which initdb refuses.
                core.EnvVarArgs(name="PGDATA", value=f"{_DATA}/pgdata"),
            ],
            env_from=[core.EnvFromSourceArgs(secret_ref=core.SecretEnvSourceArgs(name=environment))],
            ports=[core.ContainerPortArgs(name="postgres", container_port=PORT)],
            startup_probe=core.ProbeArgs(
                exec_=probe, period_seconds=2, timeout_seconds=5, failure_threshold=90
            ),
            readiness_probe=core.ProbeArgs(
                exec_=probe, period_seconds=5, timeout_seconds=3, failure_threshold=3
            ),
            liveness_probe=core.ProbeArgs(
                exec_=probe, period_seconds=10, timeout_seconds=5, failure_threshold=6
            ),
            resources=resource_requirements(self._section.resources),
            security_context=container_security(),
            volume_mounts=[
                *(volume.mount() for volume in volumes),
                core.VolumeMountArgs(name="data", mount_path=_DATA),
            ],
        )
        pod = PodParts(
            containers=[container], volumes=volumes, user_id=POSTGRES_USER_ID, grace_seconds=GRACE_SECONDS
        )
        return kubernetes.apps.v1.StatefulSet(
            self._name,
            metadata=self._surroundings.metadata(PART, self._name),
            spec=kubernetes.apps.v1.StatefulSetSpecArgs(
                service_name=self._name,
                replicas=1,
                selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=self._surroundings.selector(PART)),
                template=pod.template(self._surroundings.labels(PART)),
                volume_claim_templates=[data_volume(self._section.storage)],
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[service]),
        )

    def _roles(
        self,
        trust: Trust,
        administrator: pulumi.Output[str],
        server: kubernetes.apps.v1.StatefulSet,
        allowances: Allowances,
    ) -> PostgresConnection:
        password = self._password("app")
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
