"""`down`: a stack of this machine and everything in it, gone; its passphrase stays for the next `up`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from slipway.operate.engine import Engine
from slipway.operate.home import Home
from slipway.operate.kind import KindCluster
from slipway.operate.machine import Machine
from slipway.operate.progress import Progress
from slipway.operate.tools import Needs, find_tools
from slipway.operate.up import Screen, go_on, told


@dataclass(frozen=True)
class Standing:
    """What there is to remove.

    Attributes:
        resources: how many resources are in the state.
        volumes: names of the parts whose volumes hold data.
    """

    resources: int
    volumes: tuple[str, ...]


def standing(engine: Engine) -> Standing:
    """Return what a stack's state holds."""
    real = [
        one
        for one in engine.resources()
        if one.get("custom") and not str(one.get("type")).startswith("pulumi:")
    ]
    volumes = [
        str(one["urn"]).rpartition("::")[2] for one in real if str(one["type"]).endswith(":StatefulSet")
    ]
    return Standing(len(real), tuple(sorted(volumes)))


def take_down(engine: Engine, home: Home, screen: Screen) -> Mapping[str, int]:
    """Delete everything that the stack has made, then the stack.

    Args:
        engine: the stack.
        home: its private files.
        screen: what the person sees.

    Returns:
        How many resources were deleted, by word.

    Raises:
        OperateError: when something could not be deleted, or the run was stopped.
    """
    go_on(engine, engine.variables["PULUMI_BACKEND_URL"], screen)
    progress = Progress(screen.tell, time.monotonic)
    with told(engine, progress, ()), screen.watch(progress):
        engine.destroy(progress.on_event)
    forget(home)
    return progress.counts


def remove_clusters(machine: Machine, home: Home) -> list[str]:
    """Remove the kind clusters that were made for the project, with everything in them, and their registry.

    Args:
        machine: where they are.
        home: the private files of one of the project's stacks.

    Returns:
        Their names.

    Raises:
        OperateError: when one could not be removed.
    """
    names = home.made_clusters()
    tools = find_tools(machine, home.root, Needs(kind=True))
    for name in names:
        KindCluster(machine, tools, name, home.kubeconfig).remove()
        home.mark_cluster(name, made=False)
    return names


def forget(home: Home) -> None:
    """Remove the private files that only a running stack needs."""
    home.keep(None)
    home.stack_file.unlink(missing_ok=True)
    home.kubeconfig.unlink(missing_ok=True)
