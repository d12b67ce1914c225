"""Installs the simulated plugins in a private PULUMI_HOME, at the versions of the SDKs.

The engine asks for the version of the SDK that registers a resource; a plugin of another version
would be looked up in the network, which is switched off.
"""

from __future__ import annotations

import importlib.metadata
import shlex
import sys
from pathlib import Path

PACKAGES = ("docker", "kubernetes", "random", "tls")

_ROOT = Path(__file__).resolve().parents[3]


def install(home: Path) -> None:
    """Make `home` a PULUMI_HOME that holds a plugin for each package."""
    for package in PACKAGES:
        version = importlib.metadata.version(f"pulumi-{package}")
        folder = home / "plugins" / f"resource-{package}-v{version}"
        folder.mkdir(parents=True)
        script = folder / f"pulumi-resource-{package}"
        command = shlex.join([sys.executable, "-m", "tests.engine.plugins", package, version])
        script.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(_ROOT))} exec {command} "$@"\n')
        script.chmod(0o755)
        (folder / "PulumiPlugin.yaml").write_text("runtime: go\n")
