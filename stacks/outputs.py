"""What a person needs after `pulumi up`: where things are, and the commands that look at them."""

import pulumi

from components.cluster.section import ExistingCluster
from components.postgres.section import InClusterDatabase
from stacks.platform import Platform
from stacks.settings import Settings


def export_outputs(settings: Settings, platform: Platform) -> None:
    """Export the outputs of a stack.

    Args:
        settings: the stack.
        platform: its parts.
    """
    pulumi.export("environment", settings.environment)
    pulumi.export("namespace", platform.namespace.namespace_name)
    if isinstance(settings.cluster, ExistingCluster):
        cluster = settings.cluster
        pulumi.export("cluster", {"kubeconfig": cluster.kubeconfig, "context": cluster.context})
    if isinstance(settings.database, InClusterDatabase):
        pulumi.export("database", settings.database.name)
    pulumi.export("ports", {name: service.port for name, service in settings.services.items()})
    pulumi.export("images", {name: image.reference for name, image in platform.images.items()})
    pulumi.export("urls", _urls(settings))
    pulumi.export("commands", _commands(settings))


def _urls(settings: Settings) -> dict[str, list[str]]:
    return {
        name: [f"https://{route.host}{route.path}" for route in service.routes]
        for name, service in settings.services.items()
        if service.routes
    }


def _commands(settings: Settings) -> dict[str, str]:
    """Return the next steps as commands; each names cluster and namespace, so that none acts on another stack."""
    cluster = settings.cluster
    kubectl = "kubectl"
    if isinstance(cluster, ExistingCluster):
        kubectl += f" --kubeconfig {cluster.kubeconfig} --context {cluster.context}"
    kubectl += f" --namespace {settings.namespace}"
    commands = {"status": f"{kubectl} get pods,hpa,jobs"}
    for name, service in settings.services.items():
        commands[f"logs-{name}"] = f"{kubectl} logs deployment/{name} --follow"
        if service.port is not None:
            commands[f"open-{name}"] = f"{kubectl} port-forward service/{name} {service.port}:{service.port}"
    return commands
