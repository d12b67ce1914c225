"""From a stack file to what `slipway.operate` must know of it: that package knows no stacks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from slipway.cli.app import SETTINGS_EXIT, CommandError

if TYPE_CHECKING:
    from slipway.operate.home import Choice
    from slipway.operate.reach import Running
    from slipway.operate.up import StackView
    from stacks.config.stackfile import StackFile
    from stacks.settings import Settings

LOCAL = "local"
"""The environment whose stacks are kept on this machine."""


def read_stack(path: Path) -> tuple[StackFile, Settings]:
    """Read and judge a stack file.

    Raises:
        CommandError: with every error and its line.
    """
    from stacks.config.problems import SettingsError
    from stacks.load import load_stack_file

    try:
        # As a person would name it: errors begin with the path.
        here = Path.cwd()
        return load_stack_file(path.relative_to(here) if path.is_relative_to(here) else path)
    except SettingsError as error:
        raise CommandError(error.text(), SETTINGS_EXIT) from None


def environment_of(path: Path) -> str:
    """Return the environment that a stack file names, even where other things in it are wrong; empty where none."""
    from stacks.config.problems import SettingsError
    from stacks.config.stackfile import PROJECT, scan_stack_file

    try:
        return scan_stack_file(path).file.config.get(f"{PROJECT}:environment", "")
    except SettingsError as error:
        raise CommandError(error.text(), SETTINGS_EXIT) from None


def view_of(file: StackFile, settings: Settings) -> StackView:
    """Return what `up` must know of a stack on an existing cluster.

    Raises:
        CommandError: when the stack makes a cluster of its own.
    """
    from components.cluster.section import ExistingCluster
    from components.image.section import BuildImage
    from slipway.operate.up import StackView

    cluster = settings.cluster
    if not isinstance(cluster, ExistingCluster):
        raise CommandError(
            f"A {LOCAL} stack runs on an existing cluster; this one names {cluster.kind}. Write "
            "`slipway:cluster: { kind: existing, context: kind-slipway }`.",
            SETTINGS_EXIT,
        )
    services = settings.services.values()
    images = [service.image or settings.image for service in services]
    builds = [image for image in images if isinstance(image, BuildImage)]
    return StackView(
        context=cluster.context,
        kubeconfig=cluster.kubeconfig,
        docker_hosts=tuple(dict.fromkeys(image.docker_host for image in builds)),
        pushes=all(image.registry for image in builds),
        services=tuple(settings.services),
        settled=lambda choice: dict(_settled(file, settings, choice)),
    )


def described(path: Path, kubectl: str) -> Running:
    """Return a stack as its stack file describes it, for one that is not up yet.

    Args:
        path: the engine's copy of the stack file, which names the cluster that was chosen.
        kubectl: the path of kubectl.
    """
    from components.cluster.section import ExistingCluster
    from components.postgres.section import InClusterDatabase
    from slipway.operate.kubeconfig import kubectl_for
    from slipway.operate.reach import Running

    _, settings = read_stack(path)
    cluster, database = settings.cluster, settings.database
    assert isinstance(cluster, ExistingCluster)  # noqa: S101 - `up` has written it
    return Running(
        kubectl_for(kubectl, cluster.kubeconfig, cluster.context, settings.namespace),
        {name: service.port for name, service in settings.services.items()},
        database.name if isinstance(database, InClusterDatabase) else "",
    )


def _settled(file: StackFile, settings: Settings, choice: Choice) -> Iterator[tuple[str, str]]:
    """Yield the keys that a choice decides, with their values as JSON."""
    where = {"kind": "existing", "context": choice.context, "kubeconfig": choice.kubeconfig}
    yield "slipway:cluster", json.dumps(where)
    if not choice.registry:
        return
    app = settings.app.name
    image = _section(file, "slipway:image")
    if _stays_here(image):
        yield "slipway:image", json.dumps({**image, "registry": f"{choice.registry}/{app}"})
    services = _section(file, "slipway:services")
    pushed: dict[str, object] = {}
    for name, service in services.items():
        own = _members(_members(service).get("image"))
        if _stays_here(own):
            pushed[name] = {
                **_members(service),
                "image": {**own, "registry": f"{choice.registry}/{app}-{name}"},
            }
    if pushed:
        yield "slipway:services", json.dumps({**services, **pushed})


def _stays_here(image: Mapping[str, object]) -> bool:
    """Return whether a section builds an image that no registry gets."""
    return image.get("kind") == "build" and not image.get("registry")


def _section(file: StackFile, key: str) -> dict[str, object]:
    from stacks.config.namespaces import decode

    return _members(decode(file.config.get(key, "{}")))


def _members(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
