"""Engines of stacks that exist already: a local one by its private files, a team's by the environment of its user."""

from __future__ import annotations

import os
from pathlib import Path

from slipway.operate.clusters import IMAGE_LOAD
from slipway.operate.engine import CancellableCommand, Engine
from slipway.operate.home import FOLDER, UNSET, Home
from slipway.operate.machine import Machine, OperateError
from slipway.operate.tools import Needs, Tools, find_tools

_PRIVATE_UV = Path(".tools", "venv", "bin")
"""Where scripts/bootstrap puts uv where the machine has none."""


def local_engine(machine: Machine, home: Home) -> Engine:
    """Return the engine of a stack that is kept on this machine.

    Raises:
        OperateError: when pulumi is missing.
    """
    tools = find_tools(machine, home.root, Needs(kubectl=False))
    home.prepare()
    if not home.stack_file.exists():
        home.copy_stack_file({})
    return _engine(home, tools, home.variables(), (*UNSET, IMAGE_LOAD))


def team_engine(machine: Machine, home: Home) -> Engine:
    """Return the engine of a stack whose state is where its team keeps it.

    Raises:
        OperateError: when the environment names no backend, the stack is not there, or pulumi is missing.
    """
    backend = require_backend(machine, home.stack)
    tools = find_tools(machine, home.root, Needs(kubectl=False))
    home.root.mkdir(mode=0o700, exist_ok=True)
    home.folder.mkdir(mode=0o700, exist_ok=True)
    home.copy_stack_file({})
    variables = {
        "PULUMI_BACKEND_URL": backend,
        "PULUMI_STACK": home.stack,
        "PULUMI_OPTION_CONFIG_FILE": str(home.stack_file),
    }
    engine = _engine(home, tools, variables, ())
    if not engine.exists():
        raise OperateError(
            f"{backend} has no stack {home.stack}. Creating it decides how its secrets are encrypted, so it is done by "
            f"hand, once: pulumi stack init {home.stack} --secrets-provider=awskms://...\n"
            f"Commit what that writes into {home.tracked_file.name}."
        )
    return engine


def require_backend(machine: Machine, stack: str) -> str:
    """Return where a team's stack keeps its state.

    Raises:
        OperateError: when the environment does not say so.
    """
    backend = machine.environment.get("PULUMI_BACKEND_URL", "")
    if not backend:
        raise OperateError(
            f"PULUMI_BACKEND_URL is not set, so nothing says where the state of {stack} is. A stack that others share "
            "keeps it in a bucket with its secrets encrypted by KMS: kept here, it would be lost with this machine.\n"
            "Set it, for instance: export PULUMI_BACKEND_URL=s3://bucket/path"
        )
    return backend


def search_path(machine: Machine, project: Path) -> str:
    """Return a PATH that has what `pulumi` by hand needs: itself, uv, with which it runs the program, and slipway.

    Args:
        machine: its PATH; programs that are on it already are not added again.
        project: the folder with Pulumi.yaml.
    """
    path = machine.environment.get("PATH", os.defpath)
    added = [
        str(folder)
        for program, folder in (
            ("pulumi", project / FOLDER / "bin"),
            ("uv", project / _PRIVATE_UV),
            ("slipway", project / ".venv" / "bin"),
        )
        if machine.which(program) is None and machine.which(str(folder / program))
    ]
    return os.pathsep.join([*added, path])


def _engine(home: Home, tools: Tools, variables: dict[str, str], unset: tuple[str, ...]) -> Engine:
    command = CancellableCommand(tools.pulumi, tools.pulumi_version, unset=unset)
    return Engine(home.project, home.stack, command, variables)
