"""The parts of a stack, in the order in which they depend on each other.

Each method builds one part and never asks which form of another it got: connections, images and the cluster look the
same wherever they come from.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_random as random
import pulumi_tls as tls

from components.certificates.authority import CertificateAuthority
from components.cluster.access import existing_cluster, kubernetes_provider
from components.cluster.section import ExistingCluster
from components.image.image import BuiltImage, ImageRef, released_image
from components.image.section import BuildImage, ImageSection
from components.jobs.jobs import MIGRATION, Migration, ScheduledProgram
from components.namespace.namespace import Namespace
from components.postgres import in_cluster as postgres
from components.postgres import roles as postgres_roles
from components.postgres.connection import PostgresConnection
from components.postgres.external import external_postgres
from components.postgres.section import ExternalDatabase, InClusterDatabase, NoDatabase, RdsDatabase
from components.redis.connection import RedisConnection
from components.redis.external import external_redis
from components.redis.in_cluster import InClusterRedisServer
from components.redis.section import ElastiCacheRedis, ExternalRedis, InClusterRedis, RedisInstance
from components.secrets.secrets import Secrets
from components.shared.component import Surroundings
from components.workload.runtime import Runtime
from components.workload.section import Service
from components.workload.workload import Workload
from stacks import pending
from stacks.bindings import Sources, bind
from stacks.demands import pod_demands
from stacks.flows import FlowTable
from stacks.names import APPLICATION_IMAGE, redis_part
from stacks.settings import Settings

ConfiguredSecret = Callable[[str], pulumi.Output[str]]


class Platform:
    """Everything that one stack creates.

    Attributes:
        namespace: the Kubernetes namespace.
        images: the images by service.
        workloads: the running services by name.
    """

    namespace: Namespace
    images: Mapping[str, ImageRef]
    workloads: Mapping[str, Workload]

    def __init__(self, settings: Settings, *, project: Path, configured_secret: ConfiguredSecret) -> None:
        """Create every part.

        Args:
            settings: the stack.
            project: the folder that paths of the stack file start from.
            configured_secret: gives the value of a key below `secrets:`, as a secret.
        """
        self._settings = settings
        self._project = project
        self._flows = FlowTable(settings)
        self._options = pulumi.ResourceOptions(providers=self._providers())
        self.namespace = self._namespace()
        self._secrets = Secrets("secrets", settings.secrets, configured=configured_secret, opts=self._options)
        self._surroundings = Surroundings(
            app=settings.app.name,
            environment=settings.environment,
            namespace=self.namespace.namespace_name,
            name_key=self._secrets.name_key,
        )
        self._authority = self._certificate_authority()
        self._sources = Sources(
            secrets=self._secrets.values,
            database=self._database(),
            redis={name: self._redis(name, instance) for name, instance in settings.redis.items()},
        )
        self.images = self._images()
        runtimes = {name: self._runtime(name, service) for name, service in settings.services.items()}
        migrated = self._migration(runtimes)
        self.workloads = {
            name: self._workload(name, service, runtimes[name], migrated)
            for name, service in settings.services.items()
        }
        self._cron_jobs(runtimes, migrated)

    def _providers(self) -> list[pulumi.ProviderResource]:
        return [self._kubernetes(), random.Provider("random"), tls.Provider("tls")]

    def _kubernetes(self) -> kubernetes.Provider:
        cluster = self._settings.cluster
        identifier = f"{self._settings.app.name}-{self._settings.environment}"
        if isinstance(cluster, ExistingCluster):
            return existing_cluster(cluster, identifier=identifier)
        return kubernetes_provider(pending.unknown("eks-kubeconfig"), None, identifier=identifier)

    def _namespace(self) -> Namespace:
        app = self._settings.app
        return Namespace(
            self._settings.namespace,
            app=app.name,
            environment=self._settings.environment,
            owner=app.owner,
            demands=list(pod_demands(self._settings)),
            opts=self._options,
        )

    def _certificate_authority(self) -> CertificateAuthority | None:
        stores = (self._settings.database, *self._settings.redis.values())
        if not any(isinstance(store, InClusterDatabase | InClusterRedis) for store in stores):
            return None
        return CertificateAuthority("authority", app=self._settings.app.name, opts=self._options)

    def _database(self) -> PostgresConnection | None:
        match self._settings.database:
            case InClusterDatabase() as section:
                assert self._authority is not None  # noqa: S101 - made above for exactly this kind
                return postgres.InClusterPostgres(
                    postgres.PART,
                    section,
                    surroundings=self._surroundings,
                    namespace_name=self._settings.namespace,
                    authority=self._authority,
                    allowances=self._flows.of(postgres.PART),
                    roles_allowances=self._flows.of(postgres_roles.PART),
                    opts=self._options,
                ).connection
            case ExternalDatabase() as section:
                return external_postgres(section, self._secrets.values, self._surroundings, self._secrets)
            case RdsDatabase() as section:
                return pending.rds_connection(section)
            case NoDatabase():
                return None

    def _redis(self, name: str, instance: RedisInstance) -> RedisConnection:
        match instance:
            case InClusterRedis() as section:
                assert self._authority is not None  # noqa: S101 - made above for exactly this kind
                part = redis_part(name)
                return InClusterRedisServer(
                    part,
                    section,
                    surroundings=self._surroundings,
                    namespace_name=self._settings.namespace,
                    authority=self._authority,
                    allowances=self._flows.of(part),
                    opts=self._options,
                ).connection
            case ExternalRedis() as section:
                return external_redis(
                    redis_part(name), section, self._secrets.values, self._surroundings, self._secrets
                )
            case ElastiCacheRedis():
                return pending.elasticache_connection(name)

    def _images(self) -> dict[str, ImageRef]:
        shared: ImageRef | None = None
        images: dict[str, ImageRef] = {}
        for name, service in self._settings.services.items():
            if service.image is not None:
                images[name] = self._image(name, service.image)
            else:
                shared = shared or self._image(APPLICATION_IMAGE, self._settings.image)
                images[name] = shared
        return images

    def _image(self, name: str, section: ImageSection) -> ImageRef:
        if isinstance(section, BuildImage):
            app = self._settings.app.name
            return BuiltImage(name, section, app=app, project=self._project, opts=self._options).ref
        release = section.release or self._settings.release
        assert release is not None  # noqa: S101 - `stacks.rules` refuses a release image without one
        return released_image(section, release)

    def _runtime(self, name: str, service: Service) -> Runtime:
        return Runtime(
            name,
            service,
            surroundings=self._surroundings,
            image=self.images[name],
            bindings=bind(self._settings, service, self._sources),
            opts=self._options,
        )

    def _migration(self, runtimes: Mapping[str, Runtime]) -> tuple[pulumi.Resource, ...]:
        section = self._settings.migrations
        if section is None:
            return ()
        migration = Migration(
            MIGRATION,
            section,
            surroundings=self._surroundings,
            runtime=runtimes[section.service],
            image_identity=self.images[section.service].identity,
            allowances=self._flows.of(MIGRATION),
            opts=self._options,
        )
        return (migration.job,)

    def _workload(
        self, name: str, service: Service, runtime: Runtime, migrated: tuple[pulumi.Resource, ...]
    ) -> Workload:
        return Workload(
            name,
            service,
            surroundings=self._surroundings,
            runtime=runtime,
            allowances=self._flows.of(name),
            prefer_different_nodes=self._settings.environment == "prod",
            after=migrated,
            opts=self._options,
        )

    def _cron_jobs(self, runtimes: Mapping[str, Runtime], migrated: tuple[pulumi.Resource, ...]) -> None:
        for name, section in self._settings.cron_jobs.items():
            ScheduledProgram(
                name,
                section,
                surroundings=self._surroundings,
                runtime=runtimes[section.service],
                allowances=self._flows.of(name),
                after=migrated,
                opts=self._options,
            )
