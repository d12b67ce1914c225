"""A service that keeps running: its Deployment, and what scales, protects and reaches it."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.shared.component import Surroundings
from components.shared.network_policy import Allowances, network_policy
from components.shared.pods import PodParts
from components.workload.runtime import Runtime
from components.workload.section import Probe, Service

core = kubernetes.core.v1
autoscaling = kubernetes.autoscaling.v2

HTTP_PORT = "http"
METRICS_PORT = "metrics"
PATCH_FORCE = "pulumi.com/patchForce"
"""Annotation with which the provider takes fields over that somebody else has set."""

REPLICAS = "spec.replicas"
MAX_SURGE = 1
"""Pods that a rollout starts above the wanted number; with none unavailable, it begins with a new pod."""

REVISION_HISTORY = 3
"""Old ReplicaSets kept; their configuration is gone after a rollout, so that Slipway rolls back by the stack file."""

PROGRESS_DEADLINE_SECONDS = 600
"""Seconds without progress after which a rollout has failed; Kubernetes' own default, stated."""

SCALE_DOWN_WINDOW_SECONDS = 300
"""Seconds of less load before pods go; Kubernetes' own default, stated."""

SCALE_PERIOD_SECONDS = 60


class Workload(pulumi.ComponentResource):
    """The pods of one service.

    Attributes:
        deployment: the Deployment.
    """

    deployment: kubernetes.apps.v1.Deployment

    def __init__(
        self,
        name: str,
        section: Service,
        *,
        surroundings: Surroundings,
        runtime: Runtime,
        allowances: Allowances,
        prefer_different_nodes: bool,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the workload.

        Args:
            name: the service's name.
            section: the service.
            surroundings: where it stands.
            runtime: what its programs run with.
            allowances: whom it may reach and who may reach it.
            prefer_different_nodes: whether its pods prefer nodes without one of them even before they spread.
            after: what must be done before its pods start, such as the migration.
            opts: the options of the component.
        """
        super().__init__("slipway:workload:Workload", name, None, opts)
        self._name = name
        self._section = section
        self._surroundings = surroundings
        network_policy(surroundings, name, allowances, parent=self)
        self.deployment = self._deployment(runtime, prefer_different_nodes, after)
        if section.port is not None:
            self._service(section.port)
        if section.autoscaled:
            self._autoscaler()
        if section.scaling.min > 1:
            self._disruption_budget()
        self.register_outputs({})

    def _deployment(
        self, runtime: Runtime, prefer_different_nodes: bool, after: Sequence[pulumi.Resource]
    ) -> kubernetes.apps.v1.Deployment:
        section = self._section
        probes = section.probes
        container = runtime.container(
            self._name,
            command=section.command,
            resources=section.resources,
            ports=self._container_ports(),
            startup=self._probe(probes.startup_or_default) if probes else None,
            liveness=self._probe(probes.liveness) if probes else None,
            readiness=self._probe(probes.readiness) if probes else None,
            pre_stop_seconds=section.pre_stop_seconds,
        )
        selector = self._surroundings.selector(self._name)
        pod = PodParts(
            containers=[container],
            volumes=runtime.volumes,
            user_id=runtime.user_id,
            service_account=runtime.service_account,
            grace_seconds=section.grace_seconds,
            spread=selector,
            anti_affinity=prefer_different_nodes,
        )
        # A service may get an autoscaler or lose it. Where it has lost one, the number that the autoscaler has set
        # is taken over; where it has got one, the number stays until the autoscaler changes it.
        scaled = section.autoscaled
        return kubernetes.apps.v1.Deployment(
            self._name,
            metadata=self._surroundings.metadata(
                self._name, annotations=None if scaled else {PATCH_FORCE: "true"}
            ),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                # The autoscaler's alone where there is one: stating it here would undo its work at each `up`.
                replicas=None if scaled else section.scaling.min,
                selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=selector),
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=kubernetes.apps.v1.RollingUpdateDeploymentArgs(
                        max_surge=MAX_SURGE, max_unavailable=0
                    ),
                ),
                revision_history_limit=REVISION_HISTORY,
                progress_deadline_seconds=PROGRESS_DEADLINE_SECONDS,
                template=pod.template(self._surroundings.labels(self._name)),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*runtime.needs, *after],
                ignore_changes=[REPLICAS] if scaled else None,
            ),
        )

    def _container_ports(self) -> list[core.ContainerPortArgs]:
        section = self._section
        metrics_port = section.metrics.port if section.metrics is not None else None
        named = (
            (HTTP_PORT, section.port),
            (METRICS_PORT, metrics_port if metrics_port != section.port else None),
        )
        return [
            core.ContainerPortArgs(name=name, container_port=port) for name, port in named if port is not None
        ]

    def _probe(self, probe: Probe) -> core.ProbeArgs:
        return core.ProbeArgs(
            http_get=core.HTTPGetActionArgs(path=probe.path, port=HTTP_PORT)
            if probe.path is not None
            else None,
            exec_=core.ExecActionArgs(command=list(probe.command)) if probe.command is not None else None,
            period_seconds=probe.period_seconds,
            timeout_seconds=probe.timeout_seconds,
            failure_threshold=probe.failure_threshold,
        )

    def _service(self, port: int) -> None:
        websocket = self._section.websocket
        kubernetes.core.v1.Service(
            self._name,
            metadata=self._surroundings.metadata(self._name),
            spec=core.ServiceSpecArgs(
                selector=self._surroundings.selector(self._name),
                ports=[core.ServicePortArgs(name=HTTP_PORT, port=port, target_port=HTTP_PORT)],
                session_affinity="ClientIP" if websocket is not None and websocket.affinity else None,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.deployment]),
        )

    def _autoscaler(self) -> None:
        scaling = self._section.scaling
        measures = (("cpu", scaling.cpu), ("memory", scaling.memory))
        autoscaling.HorizontalPodAutoscaler(
            self._name,
            metadata=self._surroundings.metadata(self._name),
            spec=autoscaling.HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=autoscaling.CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=self._name
                ),
                min_replicas=scaling.min,
                max_replicas=scaling.max,
                metrics=[
                    autoscaling.MetricSpecArgs(
                        type="Resource",
                        resource=autoscaling.ResourceMetricSourceArgs(
                            name=name,
                            target=autoscaling.MetricTargetArgs(
                                type="Utilization", average_utilization=percent
                            ),
                        ),
                    )
                    for name, percent in measures
                    if percent is not None
                ],
                behavior=autoscaling.HorizontalPodAutoscalerBehaviorArgs(
                    scale_up=autoscaling.HPAScalingRulesArgs(
                        stabilization_window_seconds=0,
                        select_policy="Max",
                        policies=[
                            autoscaling.HPAScalingPolicyArgs(
                                type=kind, value=value, period_seconds=SCALE_PERIOD_SECONDS
                            )
                            for kind, value in (("Percent", 100), ("Pods", 2))
                        ],
                    ),
                    scale_down=autoscaling.HPAScalingRulesArgs(
                        stabilization_window_seconds=SCALE_DOWN_WINDOW_SECONDS,
                        policies=[
                            autoscaling.HPAScalingPolicyArgs(
                                type="Pods", value=1, period_seconds=SCALE_PERIOD_SECONDS
                            )
                        ],
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.deployment]),
        )

    def _disruption_budget(self) -> None:
        kubernetes.policy.v1.PodDisruptionBudget(
            self._name,
            metadata=self._surroundings.metadata(self._name),
            spec=kubernetes.policy.v1.PodDisruptionBudgetSpecArgs(
                min_available=min_available(self._section.scaling.min),
                selector=kubernetes.meta.v1.LabelSelectorArgs(
                    match_labels=self._surroundings.selector(self._name)
                ),
                # A pod that is not ready serves nobody: it must not keep a node from being drained.
                unhealthy_pod_eviction_policy="AlwaysAllow",
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )


def min_available(minimum_of_replicas: int) -> int:
    """Return how many pods a drain must leave: all but one, so that a drain can always go on.

    Args:
        minimum_of_replicas: pods at the least, two or more.
    """
    return minimum_of_replicas - 1
