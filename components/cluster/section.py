"""The section `slipway:cluster`: which Kubernetes the workloads run on."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from components.shared.section import Section


class ExistingCluster(Section):
    """A cluster that exists already, named by a context of a kubeconfig."""

    kind: Literal["existing"]
    context: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="Context of the kubeconfig; always named, since the current one is whatever somebody"
        " used last with `kubectl`."
    )
    kubeconfig: Annotated[str, StringConstraints(min_length=1)] = Field(
        default="~/.kube/config",
        description="Path of the kubeconfig; stated here, so that KUBECONFIG in a shell changes nothing.",
    )


class EksCluster(Section):
    """Amazon EKS."""

    kind: Literal["eks"]


ClusterSection = Annotated[ExistingCluster | EksCluster, Field(discriminator="kind")]
