"""Redis inside the cluster: one pod with a volume, TLS only, and no use of it without a password. For local.

Data that matters stands on ElastiCache: here nothing takes over when the node is lost.
"""

import hashlib

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random

from components.certificates.authority import CertificateAuthority, ServerCertificate, service_dns_names
from components.redis.connection import RedisConnection
from components.redis.section import InClusterRedis
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
from components.shared.quantities import MEBIBYTE, parse_memory
from facts.versions import REDIS_IMAGE, REDIS_USER_ID

core = kubernetes.core.v1

PORT = 6379
APPLICATION_USER = "app"
HEALTH_USER = "health"
PASSWORD_LENGTH = 32
"""Characters of the generated password: 190 bits of letters and digits, which need no quoting anywhere."""

IDLE_TIMEOUT_SECONDS = 300
"""Idle clients are dropped after this; the LLM starter's compose file has the same figure."""

GRACE_SECONDS = 60
_DATA = "/data"
_TLS = "/etc/slipway/server"
_ACL = "/etc/slipway/acl"
_CONFIGURATION = "/etc/slipway/redis"


def redis_configuration(section: InClusterRedis) -> str:
    """Return redis.conf: TLS only, users from a file, an append-only file, and what happens when the memory is full."""
    settings = {
        "port": "0",
        "tls-port": str(PORT),
        "tls-cert-file": f"{_TLS}/tls.crt",
        "tls-key-file": f"{_TLS}/tls.key",
        "tls-ca-cert-file": f"{_TLS}/ca.crt",
        "tls-auth-clients": "no",
        "tls-protocols": '"TLSv1.2 TLSv1.3"',
        "aclfile": f"{_ACL}/users.acl",
        "dir": _DATA,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": str(parse_memory(section.max_memory) * MEBIBYTE),
        "maxmemory-policy": section.eviction,
        "timeout": str(IDLE_TIMEOUT_SECONDS),
        "tcp-keepalive": "60",
    }
    return "".join(f"{key} {value}\n" for key, value in settings.items())


def access_control(password: str) -> str:
    """Return the file of users: `default` is off, `health` may only ping, the application administers nothing.

    Args:
        password: the application's password; only its hash stands in the file.
    """
    digest = hashlib.sha256(password.encode()).hexdigest()
    return (
        "user default off\n"
        f"user {HEALTH_USER} on nopass resetkeys resetchannels -@all +ping\n"
        f"user {APPLICATION_USER} on #{digest} ~* &* +@all -@admin -@dangerous +info\n"
    )


class InClusterRedisServer(pulumi.ComponentResource):
    """A Redis server in the namespace.

    Attributes:
        connection: how services reach it.
    """

    connection: RedisConnection

    def __init__(
        self,
        name: str,
        section: InClusterRedis,
        *,
        surroundings: Surroundings,
        namespace_name: str,
        authority: CertificateAuthority,
        allowances: Allowances,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the server.

        Args:
            name: the name of the component, its part, the Service and the StatefulSet, such as `redis-cache`.
            section: what is wanted.
            surroundings: where it stands.
            namespace_name: the namespace's name as text, for the host names of the certificate.
            authority: what signs its certificate.
            allowances: who may reach it.
            opts: the options of the component.
        """
        super().__init__("slipway:redis:InClusterRedis", name, None, opts)
        self._name = name
        self._section = section
        self._surroundings = surroundings
        network_policy(surroundings, name, allowances, parent=self)
        ca = {"ca.crt": authority.certificate}
        trust = Trust(name, config_map_of_outputs(surroundings, name, f"{name}-ca", ca, parent=self))
        password = random.RandomPassword(
            f"{name}-app",
            length=PASSWORD_LENGTH,
            special=False,
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["result"]),
        )
        secret_password = pulumi.Output.secret(password.result)
        certificate = authority.issue(name, service_dns_names(name, namespace_name), parent=self)
        server = self._server(certificate, authority.certificate, secret_password, self._service())
        self.connection = RedisConnection(
            host=name,
            port=PORT,
            user=APPLICATION_USER,
            password=secret_password,
            trust=trust,
            ready=(server,),
            part=name,
        )
        self.register_outputs({"host": name})

    def _service(self) -> kubernetes.core.v1.Service:
        return kubernetes.core.v1.Service(
            self._name,
            # The pods come later and wait for the Service's name in DNS, not the other way round.
            metadata=self._surroundings.metadata(
                self._name, self._name, annotations={"pulumi.com/skipAwait": "true"}
            ),
            spec=core.ServiceSpecArgs(
                selector=self._surroundings.selector(self._name),
                ports=[core.ServicePortArgs(name="redis", port=PORT, target_port="redis")],
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _volumes(
        self, certificate: ServerCertificate, ca: pulumi.Output[str], password: pulumi.Output[str]
    ) -> list[VolumeMount]:
        configuration = config_map(
            self._surroundings,
            self._name,
            f"{self._name}-conf",
            {"redis.conf": redis_configuration(self._section)},
            parent=self,
        )
        tls = secret(
            self._surroundings,
            self._name,
            f"{self._name}-tls",
            {"tls.crt": certificate.certificate, "tls.key": certificate.private_key, "ca.crt": ca},
            parent=self,
        )
        acl = secret(
            self._surroundings,
            self._name,
            f"{self._name}-acl",
            {"users.acl": password.apply(access_control)},
            parent=self,
        )
        sources = (
            (
                core.VolumeArgs(
                    name="tls", secret=core.SecretVolumeSourceArgs(secret_name=tls, default_mode=0o440)
                ),
                _TLS,
            ),
            (
                core.VolumeArgs(
                    name="acl", secret=core.SecretVolumeSourceArgs(secret_name=acl, default_mode=0o440)
                ),
                _ACL,
            ),
            (
                core.VolumeArgs(
                    name="configuration", config_map=core.ConfigMapVolumeSourceArgs(name=configuration)
                ),
                _CONFIGURATION,
            ),
        )
        return [
            *(VolumeMount(volume, path, read_only=True) for volume, path in sources),
            *scratch_volumes(["/tmp"], "64Mi"),  # noqa: S108 - a mount's name
        ]

    def _server(
        self,
        certificate: ServerCertificate,
        ca: pulumi.Output[str],
        password: pulumi.Output[str],
        service: kubernetes.core.v1.Service,
    ) -> kubernetes.apps.v1.StatefulSet:
        volumes = self._volumes(certificate, ca, password)
        ping = (
            f"redis-cli --tls --cacert {_TLS}/ca.crt -p {PORT} --no-auth-warning"
            f" --user {HEALTH_USER} --pass none ping | grep -q PONG"
        )
        probe = core.ExecActionArgs(command=["sh", "-c", ping])
        container = core.ContainerArgs(
            name="redis",
            image=self._section.image or REDIS_IMAGE,
            image_pull_policy="IfNotPresent",
            args=["redis-server", f"{_CONFIGURATION}/redis.conf"],
            ports=[core.ContainerPortArgs(name="redis", container_port=PORT)],
            startup_probe=core.ProbeArgs(
                exec_=probe, period_seconds=2, timeout_seconds=5, failure_threshold=60
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
            containers=[container], volumes=volumes, user_id=REDIS_USER_ID, grace_seconds=GRACE_SECONDS
        )
        return kubernetes.apps.v1.StatefulSet(
            self._name,
            metadata=self._surroundings.metadata(self._name),
            spec=kubernetes.apps.v1.StatefulSetSpecArgs(
                service_name=self._name,
                replicas=1,
                selector=kubernetes.meta.v1.LabelSelectorArgs(
                    match_labels=self._surroundings.selector(self._name)
                ),
                template=pod.template(self._surroundings.labels(self._name)),
                volume_claim_templates=[data_volume(self._section.storage)],
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[service]),
        )
