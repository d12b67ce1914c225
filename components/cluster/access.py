"""The way to the Kubernetes API, stated in full: nothing of it comes from a shell's environment."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.cluster.section import ExistingCluster


def existing_cluster(section: ExistingCluster, *, identifier: str) -> kubernetes.Provider:
    """Return the provider for a cluster that a kubeconfig names.

    Args:
        section: the kubeconfig and its context.
        identifier: a constant name of the cluster; only another name makes everything in it be replaced.
    """
    return kubernetes_provider(section.kubeconfig, section.context, identifier=identifier)


def kubernetes_provider(
    kubeconfig: pulumi.Input[str], context: pulumi.Input[str] | None, *, identifier: str
) -> kubernetes.Provider:
    """Return a Kubernetes provider with every setting stated that the SDK would otherwise read from PULUMI_K8S_*.

    Args:
        kubeconfig: path or content of a kubeconfig.
        context: its context; the current one where None, for a content that has only one.
        identifier: a constant name of the cluster; only another name makes everything in it be replaced.
    """
    return kubernetes.Provider(
        "kubernetes",
        kubeconfig=kubeconfig,
        context=context,
        cluster_identifier=identifier,
        enable_server_side_apply=True,
        enable_config_map_mutable=False,
        enable_secret_mutable=False,
        enable_patch_force=False,
        upsert_existing_objects=False,
        # A cluster that does not answer is an error: its objects are never forgotten or passed over.
        delete_unreachable=False,
        skip_update_unreachable=False,
        suppress_deprecation_warnings=False,
        suppress_helm_hook_warnings=False,
    )
