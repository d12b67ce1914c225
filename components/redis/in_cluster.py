"""Redis inside the cluster: one pod with a volume, TLS only, and no use of it without a password. For local.

Data that matters stands on ElastiCache: here nothing takes over when the node is lost.
"""

import hashlib

import pulumi
import pulumi_kubernetes as kubernetes

from components.certificates.authority import CertificateAuthority, ServerCertificate, service_dns_names
from components.redis.connection import RedisConnection
from components.redis.section import InClusterRedis
from components.shared.component import Surroundings
from components.shared.configuration import config_map, config_map_of_outputs, secret
from components.shared.network_policy import Allowances, network_policy
from components.shared.passwords import generated_password
from components.shared.pods import Trust, VolumeMount, scratch_volumes
from components.shared.quantities import MEBIBYTE, parse_memory
from components.shared.single_server import SingleServer
from facts.versions import REDIS_IMAGE, REDIS_USER_ID

core = kubernetes.core.v1

PORT = 6379
APPLICATION_USER = "app"
HEALTH_USER = "health"
IDLE_TIMEOUT_SECONDS = 300
"""Idle clients are dropped after this; the LLM starter's compose file has the same figure."""

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
        password = generated_password(f"{name}-app", parent=self)
        certificate = authority.issue(name, service_dns_names(name, namespace_name), parent=self)
        server = self._server(certificate, authority.certificate, password)
        self.connection = RedisConnection(
            host=name,
            port=PORT,
            user=APPLICATION_USER,
            password=password,
            trust=trust,
            ready=(server,),
            part=name,
        )
        self.register_outputs({"host": name})

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
        self, certificate: ServerCertificate, ca: pulumi.Output[str], password: pulumi.Output[str]
    ) -> kubernetes.apps.v1.StatefulSet:
        ping = (
            f"redis-cli --tls --cacert {_TLS}/ca.crt -p {PORT} --no-auth-warning"
            f" --user {HEALTH_USER} --pass none ping | grep -q PONG"
        )
        return SingleServer(
            part=self._name,
            protocol="redis",
            port=PORT,
            image=self._section.image or REDIS_IMAGE,
            user_id=REDIS_USER_ID,
            arguments=["redis-server", f"{_CONFIGURATION}/redis.conf"],
            health=["sh", "-c", ping],
            startup_tries=60,
            resources=self._section.resources,
            volumes=self._volumes(certificate, ca, password),
            data_path=_DATA,
            storage=self._section.storage,
        ).create(self._surroundings, parent=self)
