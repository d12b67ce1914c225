"""A fresh checkout of the project, in which `slipway up` is tried as a person would, with simulated provider plugins.

The plugins lie in a PULUMI_HOME of the checkout: nothing of the product knows about them.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.engine.plugins.cloud import Cloud
from tests.engine.plugins.install import install
from tests.support.engine import pulumi_binary

ROOT = Path(__file__).resolve().parents[2]
SLIPWAY = (sys.executable, "-m", "slipway")
CONTEXT, OTHER = "simulated", "other"
"""Contexts of the cluster that `simulated_tools` knows."""

_COPIED = ("Pulumi.yaml", "Pulumi.local.yaml", ".gitignore")
_END_SECONDS = 300


@dataclass
class Run:
    """A `slipway` command that runs, or has ended.

    Attributes:
        process: it.
        lines: what it has printed so far, standard error too.
    """

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as printed:
            self.lines.extend(line.rstrip("\n") for line in printed)

    @property
    def text(self) -> str:
        """What it has printed."""
        return "\n".join(self.lines)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return as soon as something holds.

        Raises:
            AssertionError: when the command ends before.
        """
        deadline = time.monotonic() + _END_SECONDS
        while not condition():
            assert self.process.poll() is None, f"it ended before that:\n{self.text}"
            assert time.monotonic() < deadline, f"it never came to that:\n{self.text}"
            time.sleep(0.05)

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        code = self.process.wait(_END_SECONDS)
        self._reader.join(_END_SECONDS)
        return code


class Checkout:
    """A copy of the project under git, of which only the stack `local` is tried."""

    def __init__(
        self, folder: Path, *, environment: Mapping[str, str] | None = None, namespace: str = ""
    ) -> None:
        """Prepare it.

        Args:
            folder: an empty or new folder.
            environment: added to the variables of every command.
            namespace: the stack's namespace, where it is not the usual one.
        """
        self.project = folder / "project"
        self.cloud = Cloud(folder / "cloud")
        self.project.mkdir(parents=True)
        for name in _COPIED:
            shutil.copy(ROOT / name, self.project / name)
        if namespace:
            file = self.project / "Pulumi.local.yaml"
            before = file.read_text()
            file.write_text(
                before.replace("owner: platform-team }", f"owner: tests, namespace: {namespace} }}")
            )
            assert file.read_text() != before
        install(folder / "home")
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "SLIPWAY_PULUMI": pulumi_binary(),
            "SLIPWAY_SIMULATED_CLOUD": str(folder / "cloud"),
            **(environment or {}),
        }

    def commit(self) -> None:
        """Put everything under git."""
        author = ("-c", "user.name=tests", "-c", "user.email=tests@example.com")
        for command in (
            ("init", "--quiet"),
            ("add", "--all"),
            (*author, "commit", "--quiet", "--message=all"),
        ):
            subprocess.run(("git", *command), cwd=self.project, check=True)

    def changed_files(self) -> str:
        """What git sees as changed or new."""
        command = ("git", "status", "--porcelain")
        return subprocess.run(command, cwd=self.project, capture_output=True, text=True, check=True).stdout

    def start(self, *arguments: str, **environment: str) -> Run:
        """Start a `slipway` command."""
        return Run(
            subprocess.Popen(
                [*SLIPWAY, *arguments],
                cwd=self.project,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )

    def slipway(self, *arguments: str, code: int = 0) -> str:
        """Run a `slipway` command to its end and return what it printed.

        Args:
            arguments: the command.
            code: the exit code that is expected.
        """
        run = self.start(*arguments)
        assert run.end() == code, run.text
        return run.text

    def shell(self, script: str) -> str:
        """Run a shell script in the project, `slipway` and `pulumi` on PATH; returns its standard output."""
        slipway = f'slipway() {{ {shlex.join(SLIPWAY)} "$@"; }}\n'
        path = f"{Path(self.environment['SLIPWAY_PULUMI']).parent}{os.pathsep}{self.environment['PATH']}"
        done = subprocess.run(
            ["sh", "-ec", slipway + script],
            cwd=self.project,
            env={**self.environment, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill(self, run: Run) -> None:
        """SIGKILL for slipway and for the engine below it, as when the machine loses its power."""
        locks = (self.project / ".slipway" / "state" / ".pulumi" / "locks").rglob("*.json")
        (engine,) = [int(json.loads(lock.read_text())["pid"]) for lock in locks]
        os.kill(engine, signal.SIGKILL)
        run.process.kill()
        run.end()
        time.sleep(0.5)  # the plugins see within 0.2 s that their engine is gone


def simulated_tools(folder: Path) -> dict[str, str]:
    """Make a kubectl and a docker with one cluster on this machine; returns the variables that lead to them."""
    view = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "contexts": [{"name": name, "context": {"cluster": "c"}} for name in (CONTEXT, OTHER)],
    }
    folder.mkdir()
    for name, script in (
        (
            "kubectl",
            f"case \"$*\" in *'config view'*) echo {shlex.quote(json.dumps(view))} ;; *hosting*) exit 1 ;; esac",
        ),
        ("docker", 'case "$*" in *version*) echo 28.0.0 ;; esac'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    given = {"SLIPWAY_IMAGE_LOAD": "", "KUBECONFIG": str(folder / "kubeconfig")}
    return {**given, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
