"""Which cluster a stack goes to, and how images get there: decided before anything is touched."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from slipway.operate.home import Choice
from slipway.operate.kind import PREFIX as KIND_PREFIX
from slipway.operate.kubeconfig import Context, Kubeconfig, is_on_this_machine, kubectl_for
from slipway.operate.machine import Machine, OperateError

IMAGE_LOAD = "SLIPWAY_IMAGE_LOAD"
"""Environment variable: a command that brings an image of the Docker daemon into the cluster; the name is appended."""

_ANSWER_SECONDS = 15


@dataclass(frozen=True)
class Target:
    """A cluster that was decided on.

    Attributes:
        context: the name of its context.
        named: whether a person named it for this stack, now or for an earlier `up`.
        make_kind: the name of the kind cluster that has to be there first; empty where the context is to be used as
            it is.
    """

    context: str
    named: bool = False
    make_kind: str = ""


def decide(option: str, kept: Choice | None, stack_file_context: str, kubeconfig: Kubeconfig) -> Target:
    """Decide on the cluster.

    Args:
        option: the context that a person names now; empty where none is named.
        kept: what an earlier `up` has chosen.
        stack_file_context: the context in the stack file.
        kubeconfig: the contexts that there are.

    Raises:
        OperateError: when there is no such context.
    """
    if kept is not None and option in ("", kept.context):
        return Target(kept.context, named=True, make_kind=kept.kind)
    context = option or stack_file_context
    if context in kubeconfig.contexts:
        return Target(context, named=bool(option))
    if not option and context.startswith(KIND_PREFIX):
        return Target(context, make_kind=context.removeprefix(KIND_PREFIX))
    files = ", ".join(map(str, kubeconfig.paths))
    known = (
        f"Contexts there: {', '.join(sorted(kubeconfig.contexts))}."
        if kubeconfig.contexts
        else "It has none."
    )
    raise OperateError(
        f"There is no context {context} in {files}. {known}\n"
        "Name the cluster with `make up CONTEXT=name`, and its kubeconfig with KUBECONFIG."
    )


def refuse_distant(context: Context, docker_networks: Sequence[str]) -> None:
    """Refuse a cluster that nobody has named for this stack and that is not on this machine.

    Raises:
        OperateError: when its API server is, or may be, elsewhere.
    """
    if is_on_this_machine(context, docker_networks=docker_networks):
        return
    through = " through a proxy" if context.proxied else ""
    raise OperateError(
        f"The context {context.name} leads to {context.server or 'no API server'}{through}, which is not on "
        "this machine.\nA `local` stack there could be somebody else's namespace, and its database has no backup.\n"
        f"If you mean it: make up CONTEXT={context.name}"
    )


def require_answer(machine: Machine, kubectl: str, choice: Choice) -> None:
    """Make sure that the API server answers, and takes the credentials.

    Raises:
        OperateError: when it does not.
    """
    command = kubectl_for(kubectl, choice.kubeconfig, choice.context)
    done = machine.run(
        [*command, "get", "--raw", "/readyz", "--request-timeout=10s"], seconds=_ANSWER_SECONDS
    )
    if done.code:
        raise OperateError(
            f"The cluster of the context {choice.context} does not answer: {done.said}\n"
            f"Start it, or name another: make up CONTEXT=name. Kubeconfig: {choice.kubeconfig}"
        )


def announced_registry(machine: Machine, kubectl: str, choice: Choice) -> str:
    """Return the registry that a cluster announces for images of this machine, such as `localhost:5001`; or nothing.

    Source: Kubernetes enhancement 1755, the ConfigMap `local-registry-hosting`.
    """
    command = kubectl_for(kubectl, choice.kubeconfig, choice.context, "kube-public")
    form = r"jsonpath={.data.localRegistryHosting\.v1}"
    done = machine.run(
        [*command, "get", "configmap", "local-registry-hosting", f"--output={form}"], seconds=20
    )
    for line in done.out.splitlines() if done.code == 0 else ():
        key, _, value = line.partition(":")
        if key.strip() == "host":
            return value.strip().strip("\"'")
    return ""


def load_command(machine: Machine, context: str) -> list[str]:
    """Return the command that brings an image into a cluster without a registry; empty where its nodes share Docker's.

    Args:
        machine: its environment may name the command.
        context: the context; those of kind, minikube and k3d tell which program made the cluster.
    """
    if named := machine.environment.get(IMAGE_LOAD, ""):
        return shlex.split(named)
    if context.startswith(KIND_PREFIX):
        return ["kind", "load", "docker-image", "--name", context.removeprefix(KIND_PREFIX)]
    if context.startswith("k3d-"):
        return ["k3d", "image", "import", "--cluster", context.removeprefix("k3d-")]
    return ["minikube", "image", "load"] if context == "minikube" else []


def load_images(machine: Machine, command: Sequence[str], images: Sequence[str]) -> None:
    """Bring images into the cluster.

    Raises:
        OperateError: when the command fails.
    """
    for image in images:
        done = machine.run([*command, image], seconds=600)
        if done.code:
            raise OperateError(
                f"The image {image} was built, but `{shlex.join([*command, image])}` failed: {done.said}\n"
                f"The cluster's nodes would not find it. Name a registry that they pull from with "
                f"REGISTRY=host/path, or another command with {IMAGE_LOAD}."
            )
