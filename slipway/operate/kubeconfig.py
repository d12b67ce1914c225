"""Which cluster a context of a kubeconfig leads to, and whether that cluster is on this machine."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from slipway.operate.home import write_private
from slipway.operate.machine import Machine, OperateError

DEFAULT_KUBECONFIG = "~/.kube/config"
"""Where kubectl looks without KUBECONFIG; also the default of `slipway:cluster.kubeconfig`."""

_OWN_NAMES = ("localhost", "host.docker.internal", "kubernetes.docker.internal")
"""Names of this machine that need no resolving; the latter two are Docker Desktop's."""


@dataclass(frozen=True)
class Context:
    """A context and the API server that it leads to.

    Attributes:
        name: the context's name.
        server: the address of the API server.
        proxied: whether requests go through a proxy, so that the address says nothing about where they end.
    """

    name: str
    server: str
    proxied: bool


@dataclass(frozen=True)
class Kubeconfig:
    """The kubeconfig that applies: one file, or several that kubectl merges.

    Attributes:
        paths: absolute paths, in the order in which they count.
        contexts: what they hold together, by name.
    """

    paths: tuple[Path, ...]
    contexts: dict[str, Context]

    def single_file(self, machine: Machine, kubectl: str, context: str, copy: Path) -> Path:
        """Return one file that holds a context: the only one, or a private copy of the entry.

        Args:
            machine: runs kubectl.
            kubectl: its path.
            context: the context's name.
            copy: where a copy is written when the kubeconfig is several files.
        """
        if len(self.paths) == 1:
            return self.paths[0]
        command = [
            kubectl,
            "config",
            "view",
            "--minify",
            "--flatten",
            "--raw",
            f"--context={context}",
            "--output=json",
        ]
        done = machine.run(command, environment=_environment(machine, self.paths))
        if done.code:
            raise OperateError(f"The context {context} cannot be read from the kubeconfig: {done.said}")
        write_private(copy, done.out)
        return copy


def read_kubeconfig(machine: Machine, kubectl: str, named: str = DEFAULT_KUBECONFIG) -> Kubeconfig:
    """Read the contexts of the kubeconfig.

    Args:
        machine: runs kubectl.
        kubectl: its path; without one there are no contexts.
        named: the file that the stack names. The default gives way to KUBECONFIG, as it does for kubectl.

    Raises:
        OperateError: when a file is there but cannot be read.
    """
    variable = machine.environment.get("KUBECONFIG", "")
    listed = variable.split(os.pathsep) if named == DEFAULT_KUBECONFIG and variable else [named]
    paths = tuple(Path(entry).expanduser().absolute() for entry in listed if entry)
    if not kubectl:
        return Kubeconfig(paths, {})
    done = machine.run([kubectl, "config", "view", "--output=json"], environment=_environment(machine, paths))
    if done.code:
        files = ", ".join(map(str, paths))
        raise OperateError(
            f"The kubeconfig {files} cannot be read: {done.said}. Correct it, or set KUBECONFIG."
        )
    return Kubeconfig(paths, contexts_of(done.out))


def contexts_of(text: str) -> dict[str, Context]:
    """Return the contexts of what `kubectl config view --output=json` prints, by name."""
    view = cast("dict[str, list[dict[str, dict[str, str]]] | None]", json.loads(text))
    clusters = {str(entry["name"]): entry.get("cluster") or {} for entry in view.get("clusters") or []}
    found: dict[str, Context] = {}
    for entry in view.get("contexts") or []:
        name, cluster = str(entry["name"]), clusters.get((entry.get("context") or {}).get("cluster", ""), {})
        found[name] = Context(name, cluster.get("server", ""), proxied=bool(cluster.get("proxy-url")))
    return found


def is_on_this_machine(
    context: Context, *, docker_networks: Iterable[str] = (), mine: Callable[[str], bool] | None = None
) -> bool:
    """Return whether a context's API server runs on this machine, as far as its address can tell.

    Args:
        context: the context.
        docker_networks: subnets of Docker's networks, such as `172.18.0.0/16`.
        mine: whether an address belongs to an interface of this machine; asked of the kernel where left out.
    """
    host = (urlsplit(context.server).hostname or "").rstrip(".").lower()
    if context.proxied or not host:
        return False
    if host in _OWN_NAMES:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False  # a name can lead anywhere, and elsewhere tomorrow
    networks = [ipaddress.ip_network(network) for network in docker_networks]
    return (
        address.is_loopback
        or address.is_unspecified
        or any(address in network for network in networks if network.version == address.version)
        or (mine or _is_own_address)(host)
    )


def docker_networks(machine: Machine, docker: str) -> tuple[str, ...]:
    """Return the subnets of Docker's networks; none where there is no Docker."""
    if not docker:
        return ()
    names = machine.run([docker, "network", "ls", "--filter", "driver=bridge", "--quiet"]).out.split()
    if not names:
        return ()
    form = "{{range .IPAM.Config}}{{println .Subnet}}{{end}}"
    return tuple(machine.run([docker, "network", "inspect", "--format", form, *names]).out.split())


def _is_own_address(address: str) -> bool:
    """Return whether a socket of this machine can have that address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _environment(machine: Machine, paths: tuple[Path, ...]) -> dict[str, str]:
    return {**machine.environment, "KUBECONFIG": os.pathsep.join(map(str, paths))}


def kubectl_for(kubectl: str, kubeconfig: str, context: str, namespace: str = "") -> tuple[str, ...]:
    """Return kubectl with everything stated that it would otherwise take from its environment.

    Args:
        kubectl: its path.
        kubeconfig: path of the kubeconfig; `~` is the home folder.
        context: its context.
        namespace: the namespace; empty for what lies in none.
    """
    file = Path(kubeconfig).expanduser()
    where = (f"--namespace={namespace}",) if namespace else ()
    return (kubectl, f"--kubeconfig={file}", f"--context={context}", *where)
