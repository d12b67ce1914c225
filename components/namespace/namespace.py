"""The namespace: restricted pods only, nothing talks to anything unless allowed, and a ceiling on what it may take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.shared.names import labels
from components.shared.quantities import cpu_text, mebibytes_text
from components.shared.resources import Resources

POD_SECURITY_VERSION = "latest"
"""The version of the Pod Security Standard; `latest` follows the cluster, so that an upgrade never loosens it."""


@dataclass(frozen=True)
class PodDemand:
    """How many pods a part may have at one time, and what each of them takes.

    Attributes:
        pods: pods at the most, those included that start or stop during a rollout.
        resources: what one of them takes.
    """

    pods: int
    resources: Resources


def quota_for(demands: Sequence[PodDemand]) -> dict[str, str]:
    """Return the hard limits of a ResourceQuota that admits all demands at once."""
    return {
        "pods": str(sum(demand.pods for demand in demands)),
        "requests.cpu": cpu_text(
            sum(demand.pods * demand.resources.requests.cpu_millicores for demand in demands)
        ),
        "requests.memory": mebibytes_text(
            sum(demand.pods * demand.resources.requests.memory_mebibytes for demand in demands)
        ),
        "limits.cpu": cpu_text(
            sum(demand.pods * demand.resources.limits.cpu_millicores for demand in demands)
        ),
        "limits.memory": mebibytes_text(
            sum(demand.pods * demand.resources.limits.memory_mebibytes for demand in demands)
        ),
    }


class Namespace(pulumi.ComponentResource):
    """A namespace with its rules.

    Attributes:
        namespace_name: the name, as an output of the object, so that what uses it waits for it.
    """

    namespace_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        app: str,
        environment: str,
        owner: str,
        demands: Sequence[PodDemand],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the namespace.

        Args:
            name: the namespace's name.
            app: the name of the application.
            environment: local, dev, staging or prod.
            owner: the team that is asked about it.
            demands: what the parts may take; the quota is their sum.
            opts: the options of the component.
        """
        super().__init__("slipway:namespace:Namespace", name, None, opts)
        self._labels: Mapping[str, str] = labels(app=app, part="namespace", environment=environment)
        self.namespace_name = self._namespace(name, owner)
        self._default_deny()
        self._quota(demands)
        self.register_outputs({"namespaceName": self.namespace_name})

    def _namespace(self, name: str, owner: str) -> pulumi.Output[str]:
        modes = ("enforce", "audit", "warn")
        pod_security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes} | {
            f"pod-security.kubernetes.io/{mode}-version": POD_SECURITY_VERSION for mode in modes
        }
        namespace = kubernetes.core.v1.Namespace(
            name,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=name, labels={**self._labels, **pod_security, "slipway.dev/owner": owner}
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return namespace.metadata.apply(lambda metadata: metadata.name or name)

    def _metadata(self, name: str) -> kubernetes.meta.v1.ObjectMetaArgs:
        return kubernetes.meta.v1.ObjectMetaArgs(
            name=name, namespace=self.namespace_name, labels=dict(self._labels)
        )

    def _default_deny(self) -> None:
        kubernetes.networking.v1.NetworkPolicy(
            "default-deny",
            metadata=self._metadata("default-deny"),
            spec=kubernetes.networking.v1.NetworkPolicySpecArgs(
                pod_selector=kubernetes.meta.v1.LabelSelectorArgs(), policy_types=["Ingress", "Egress"]
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _quota(self, demands: Sequence[PodDemand]) -> None:
        kubernetes.core.v1.ResourceQuota(
            "quota",
            metadata=self._metadata("quota"),
            spec=kubernetes.core.v1.ResourceQuotaSpecArgs(hard=quota_for(demands)),
            opts=pulumi.ResourceOptions(parent=self),
        )
