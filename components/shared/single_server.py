"""A store of one pod with a volume inside the cluster: its Service and its StatefulSet. For local."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.shared.component import Surroundings
from components.shared.pods import (
    PodParts,
    VolumeMount,
    container_security,
    data_volume,
    resource_requirements,
)
from components.shared.resources import Resources

core = kubernetes.core.v1

GRACE_SECONDS = 60
"""Seconds to write everything down before SIGKILL: a checkpoint of PostgreSQL, an append-only file of Redis."""


@dataclass(frozen=True)
class SingleServer:
    """What the pod of a store is.

    Attributes:
        part: the part; also the name of its objects, and the host name by which it is reached.
        protocol: the name of its port and its container, such as `postgres`.
        port: the TCP port that it listens on.
        image: its image.
        user_id: the numeric user of that image.
        arguments: what the image's entrypoint is given.
        health: the command that exits with 0 when the server answers.
        startup_tries: how often the health is asked, two seconds apart, before the start has failed.
        resources: requests and limits.
        volumes: what it mounts beside its data.
        data_path: where its data stands.
        storage: the size of its data's volume, in Kubernetes' notation.
        env: environment variables in plain text.
        env_from: Secrets with further environment variables.
    """

    part: str
    protocol: str
    port: int
    image: str
    user_id: int
    arguments: Sequence[str]
    health: Sequence[str]
    startup_tries: int
    resources: Resources
    volumes: Sequence[VolumeMount]
    data_path: str
    storage: str
    env: Sequence[core.EnvVarArgs] = ()
    env_from: Sequence[core.EnvFromSourceArgs] = ()

    def create(
        self, surroundings: Surroundings, *, parent: pulumi.Resource
    ) -> kubernetes.apps.v1.StatefulSet:
        """Create the Service and the StatefulSet, and return the latter.

        Args:
            surroundings: where the store stands.
            parent: the component that it belongs to.
        """
        service = kubernetes.core.v1.Service(
            self.part,
            # The pods come later and wait for the Service's name in DNS, not the other way round.
            metadata=surroundings.metadata(self.part, annotations={"pulumi.com/skipAwait": "true"}),
            spec=core.ServiceSpecArgs(
                selector=surroundings.selector(self.part),
                ports=[core.ServicePortArgs(name=self.protocol, port=self.port, target_port=self.protocol)],
            ),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        pod = PodParts(
            containers=[self._container()],
            volumes=self.volumes,
            user_id=self.user_id,
            grace_seconds=GRACE_SECONDS,
        )
        return kubernetes.apps.v1.StatefulSet(
            self.part,
            metadata=surroundings.metadata(self.part),
            spec=kubernetes.apps.v1.StatefulSetSpecArgs(
                service_name=self.part,
                replicas=1,
                selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=surroundings.selector(self.part)),
                template=pod.template(surroundings.labels(self.part)),
                volume_claim_templates=[data_volume(self.storage)],
            ),
            opts=pulumi.ResourceOptions(parent=parent, depends_on=[service]),
        )

    def _container(self) -> core.ContainerArgs:
        return core.ContainerArgs(
            name=self.protocol,
            image=self.image,
            image_pull_policy="IfNotPresent",
            args=list(self.arguments),
            env=list(self.env) or None,
            env_from=list(self.env_from) or None,
            ports=[core.ContainerPortArgs(name=self.protocol, container_port=self.port)],
            startup_probe=self._probe(period=2, timeout=5, failures=self.startup_tries),
            readiness_probe=self._probe(period=5, timeout=3, failures=3),
            liveness_probe=self._probe(period=10, timeout=5, failures=6),
            resources=resource_requirements(self.resources),
            security_context=container_security(),
            volume_mounts=[
                *(volume.mount() for volume in self.volumes),
                core.VolumeMountArgs(name="data", mount_path=self.data_path),
            ],
        )

    def _probe(self, *, period: int, timeout: int, failures: int) -> core.ProbeArgs:
        return core.ProbeArgs(
            exec_=core.ExecActionArgs(command=list(self.health)),
            period_seconds=period,
            timeout_seconds=timeout,
            failure_threshold=failures,
        )
