"""What every pod of ours is: restricted, without a token, with a read-only root.

The settings are those of the Pod Security Standard "restricted" (Kubernetes documentation, "Pod Security Standards"),
plus a read-only root file system; a namespace's label refuses pods that ask for more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.shared.names import Name
from components.shared.resources import Resources

core = kubernetes.core.v1

TRUST_FOLDER = "/etc/slipway/tls"
"""Where pods find the certificates of the authorities that they trust: `<folder>/<name>/ca.crt`."""


@dataclass(frozen=True)
class Trust:
    """The certificate of an authority, as pods mount it.

    Attributes:
        name: what the authority vouches for, such as `postgres`.
        config_map: the name of the ConfigMap that holds `ca.crt`.
    """

    name: Name
    config_map: pulumi.Input[str]

    @property
    def file(self) -> str:
        """The path of the certificate inside a pod."""
        return f"{TRUST_FOLDER}/{self.name}/ca.crt"

    def volume(self) -> "VolumeMount":
        """Return the volume that brings the certificate into a pod."""
        source = core.VolumeArgs(
            name=f"trust-{self.name}", config_map=core.ConfigMapVolumeSourceArgs(name=self.config_map)
        )
        return VolumeMount(source, f"{TRUST_FOLDER}/{self.name}", read_only=True)


@dataclass(frozen=True)
class VolumeMount:
    """A volume and where a container finds it."""

    volume: core.VolumeArgs
    path: str
    read_only: bool = False

    def mount(self) -> core.VolumeMountArgs:
        """Return the container's side."""
        return core.VolumeMountArgs(
            name=self.volume.name, mount_path=self.path, read_only=self.read_only or None
        )


def scratch_volumes(paths: Sequence[str], size_limit: str) -> list[VolumeMount]:
    """Return an empty volume for each folder that a container may write to.

    Args:
        paths: the folders.
        size_limit: the size above which the pod is evicted, in Kubernetes' notation.
    """
    return [
        VolumeMount(
            core.VolumeArgs(
                name=f"scratch-{index}", empty_dir=core.EmptyDirVolumeSourceArgs(size_limit=size_limit)
            ),
            path,
        )
        for index, path in enumerate(paths)
    ]


def data_volume(storage: str) -> core.PersistentVolumeClaimArgs:
    """Return the claim of a StatefulSet's volume, named `data`.

    Args:
        storage: its size in Kubernetes' notation.
    """
    return core.PersistentVolumeClaimArgs(
        metadata=kubernetes.meta.v1.ObjectMetaArgs(name="data"),
        spec=core.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            resources=core.VolumeResourceRequirementsArgs(requests={"storage": storage}),
        ),
    )


def resource_requirements(resources: Resources) -> core.ResourceRequirementsArgs:
    """Return requests and limits as Kubernetes takes them."""
    return core.ResourceRequirementsArgs(
        requests={"cpu": resources.requests.cpu, "memory": resources.requests.memory},
        limits={"cpu": resources.limits.cpu, "memory": resources.limits.memory},
    )


def container_security() -> core.SecurityContextArgs:
    """Return the security context of every container."""
    return core.SecurityContextArgs(
        allow_privilege_escalation=False,
        capabilities=core.CapabilitiesArgs(drop=["ALL"]),
        read_only_root_filesystem=True,
        run_as_non_root=True,
        seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
    )


def pod_security(user_id: int) -> core.PodSecurityContextArgs:
    """Return the security context of a pod whose processes and volumes belong to one numeric user."""
    return core.PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=user_id,
        run_as_group=user_id,
        fs_group=user_id,
        # Without it the kubelet walks through a whole volume at each start.
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=core.SeccompProfileArgs(type="RuntimeDefault"),
    )


@dataclass(frozen=True)
class PodParts:
    """What differs between our pods.

    Attributes:
        containers: the containers.
        volumes: the volumes that they mount.
        user_id: the numeric user and group of the processes.
        init_containers: what runs to its end before the containers start.
        service_account: the name of the ServiceAccount; the namespace's default, without a token, where left out.
        grace_seconds: seconds from the order to stop to SIGKILL.
        restart_policy: Always for services, Never for Jobs.
        spread: the labels whose pods keep apart from each other; none for a single pod.
        anti_affinity: whether pods with these labels prefer different nodes even more strongly.
    """

    containers: Sequence[core.ContainerArgs]
    volumes: Sequence[VolumeMount]
    user_id: int
    init_containers: Sequence[core.ContainerArgs] = ()
    service_account: pulumi.Input[str] | None = None
    grace_seconds: int = 30
    restart_policy: str | None = None
    spread: Mapping[str, str] | None = None
    anti_affinity: bool = False

    def template(
        self, labels: Mapping[str, str], annotations: Mapping[str, pulumi.Input[str]] | None = None
    ) -> core.PodTemplateSpecArgs:
        """Return the template of the pods, with the given labels and annotations."""
        return core.PodTemplateSpecArgs(
            metadata=kubernetes.meta.v1.ObjectMetaArgs(labels=dict(labels), annotations=annotations),
            spec=core.PodSpecArgs(
                containers=list(self.containers),
                init_containers=list(self.init_containers) or None,
                volumes=[mount.volume for mount in self.volumes],
                security_context=pod_security(self.user_id),
                service_account_name=self.service_account,
                automount_service_account_token=False,
                # Service links would put an environment variable for each Service of the namespace into each container.
                enable_service_links=False,
                termination_grace_period_seconds=self.grace_seconds,
                restart_policy=self.restart_policy,
                topology_spread_constraints=_spread(self.spread) if self.spread else None,
                affinity=_different_nodes(self.spread) if self.spread and self.anti_affinity else None,
            ),
        )


def _spread(labels: Mapping[str, str]) -> list[core.TopologySpreadConstraintArgs]:
    return [
        core.TopologySpreadConstraintArgs(
            max_skew=1,
            topology_key=key,
            # A wish: a cluster with one node or one zone must still be able to run the pods.
            when_unsatisfiable="ScheduleAnyway",
            label_selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=dict(labels)),
        )
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]


def _different_nodes(labels: Mapping[str, str]) -> core.AffinityArgs:
    term = core.PodAffinityTermArgs(
        topology_key="kubernetes.io/hostname",
        label_selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=dict(labels)),
    )
    return core.AffinityArgs(
        pod_anti_affinity=core.PodAntiAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[
                core.WeightedPodAffinityTermArgs(weight=100, pod_affinity_term=term)
            ]
        )
    )
