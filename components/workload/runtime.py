"""What a service's programs run with: its ServiceAccount, its environment, its trusted authorities and its image.

The Deployment, the migration Job and the CronJobs of a service all get the same one, so that a migration sees exactly
what the service will see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.image.image import ImageRef
from components.shared.component import Surroundings
from components.shared.configuration import config_map, secret
from components.shared.pods import (
    PodParts,
    Trust,
    VolumeMount,
    container_security,
    resource_requirements,
    scratch_volumes,
)
from components.shared.resources import Resources
from components.workload.section import Service

core = kubernetes.core.v1

# A network policy lets a new pod through a moment after it has started, and each try of a Job is a new pod: a program
# that connects once and gives up would never succeed. The Job's own deadline ends the wait.
_WAIT = """import socket, sys, time
for endpoint in sys.argv[1:]:
    host, _, port = endpoint.rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=3).close()
            break
        except OSError as error:
            print(f"{endpoint}: {error}", flush=True)
            time.sleep(1)
"""


@dataclass(frozen=True)
class Bindings:
    """What a service is told.

    Attributes:
        plain: environment variables without secrets.
        secret: environment variables that hold or contain a secret.
        trusts: the authorities whose certificates it needs.
        needs: what must stand before its programs can run.
        endpoints: the stores that it connects to, each as `host:port`.
    """

    plain: Mapping[str, str]
    secret: Mapping[str, pulumi.Input[str]]
    trusts: Sequence[Trust]
    needs: Sequence[pulumi.Resource]
    endpoints: Sequence[pulumi.Input[str]] = ()


class Runtime(pulumi.ComponentResource):
    """What the programs of one service run with.

    Attributes:
        needs: what must stand before its programs can run.
        user_id: the numeric user of its processes.
        service_account: the name of its ServiceAccount.
        fingerprint: changes with anything that its programs are told.
        volumes: what its containers mount.
    """

    def __init__(
        self,
        name: str,
        section: Service,
        *,
        surroundings: Surroundings,
        image: ImageRef,
        bindings: Bindings,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the ServiceAccount and the environment.

        Args:
            name: the service's name.
            section: the service.
            surroundings: where it stands.
            image: its image.
            bindings: what it is told.
            opts: the options of the component.
        """
        super().__init__("slipway:workload:Runtime", f"{name}-runtime", None, opts)
        self._section = section
        self._image = image
        self.needs = tuple(bindings.needs)
        self.user_id = section.user_id
        self._endpoints = tuple(bindings.endpoints)
        account = kubernetes.core.v1.ServiceAccount(
            name,
            metadata=surroundings.metadata(name),
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.service_account: pulumi.Output[str] = account.metadata.apply(
            lambda metadata: metadata.name or name
        )
        self._sources: list[core.EnvFromSourceArgs] = []
        names: list[pulumi.Output[str]] = []
        if bindings.plain:
            names.append(config_map(surroundings, name, f"{name}-env", bindings.plain, parent=self))
            self._sources.append(
                core.EnvFromSourceArgs(config_map_ref=core.ConfigMapEnvSourceArgs(name=names[-1]))
            )
        if bindings.secret:
            names.append(secret(surroundings, name, f"{name}-env", bindings.secret, parent=self))
            self._sources.append(core.EnvFromSourceArgs(secret_ref=core.SecretEnvSourceArgs(name=names[-1])))
        trusted = [pulumi.Output.from_input(trust.config_map) for trust in bindings.trusts]
        self.fingerprint: pulumi.Output[str] = pulumi.Output.all(*names, *trusted).apply(",".join)
        self.volumes: list[VolumeMount] = [
            *scratch_volumes(section.writable_paths, section.scratch),
            *(trust.volume() for trust in bindings.trusts),
        ]
        self.register_outputs({})

    def container(
        self,
        name: str,
        *,
        command: Sequence[str] | None,
        resources: Resources,
        ports: Sequence[core.ContainerPortArgs] = (),
        startup: core.ProbeArgs | None = None,
        liveness: core.ProbeArgs | None = None,
        readiness: core.ProbeArgs | None = None,
        pre_stop_seconds: int = 0,
    ) -> core.ContainerArgs:
        """Return a container that runs a program of the service.

        Args:
            name: the container's name.
            command: program and arguments; the image's own where None.
            resources: requests and limits.
            ports: the ports that it listens on.
            startup: until it succeeds the other probes wait.
            liveness: restarts the container when it fails.
            readiness: takes the pod out of its Service when it fails.
            pre_stop_seconds: seconds between the removal from the Service and SIGTERM.
        """
        sleep = core.LifecycleHandlerArgs(sleep=core.SleepActionArgs(seconds=pre_stop_seconds))
        return core.ContainerArgs(
            name=name,
            image=self._image.reference,
            image_pull_policy=self._image.pull_policy,
            command=list(command) if command is not None else None,
            env_from=self._sources,
            ports=list(ports) or None,
            startup_probe=startup,
            liveness_probe=liveness,
            readiness_probe=readiness,
            # Load balancers and kube-proxy learn of a leaving pod a moment later: until then it goes on serving.
            lifecycle=core.LifecycleArgs(pre_stop=sleep) if pre_stop_seconds else None,
            resources=resource_requirements(resources),
            security_context=container_security(),
            volume_mounts=[volume.mount() for volume in self.volumes],
        )

    def job_pod(self, name: str, command: Sequence[str], resources: Resources) -> PodParts:
        """Return the pod of a program that runs to its end; it waits first until its stores can be reached.

        Args:
            name: the container's name.
            command: program and arguments.
            resources: requests and limits.
        """
        return PodParts(
            containers=[self.container(name, command=command, resources=resources)],
            init_containers=[self._wait_for_stores(resources)] if self._endpoints else [],
            volumes=self.volumes,
            user_id=self.user_id,
            service_account=self.service_account,
            restart_policy="Never",
        )

    def _wait_for_stores(self, resources: Resources) -> core.ContainerArgs:
        return core.ContainerArgs(
            name="wait-for-stores",
            image=self._image.reference,
            image_pull_policy=self._image.pull_policy,
            command=["python", "-c", _WAIT, *self._endpoints],
            resources=resource_requirements(resources),
            security_context=container_security(),
        )
