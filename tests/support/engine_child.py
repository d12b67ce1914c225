"""`python -m tests.support.engine_child FOLDER PROJECT STACK MODULE FUNCTION`: one `up`, to be killed.

An inline program lives in the test's own process; whoever wants to see an `up` die half way has
to give it a process of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.engine import ROOT, EngineStack


class ChildUp:
    """An `up` of an existing stack in a child process, with the engine below it."""

    def __init__(self, stack: EngineStack, environment: dict[str, str] | None = None) -> None:
        """Start it. Args: environment: added to the stack's, for instance delays of the simulated cloud."""
        program = stack.program
        arguments = [str(stack.folder), stack.project, stack.name, program.__module__, program.__name__]
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *arguments],
            cwd=ROOT,
            env={**os.environ, **stack.environment, **(environment or {})},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_when(self, condition: Callable[[], bool], *, timeout_seconds: float = 60) -> None:
        """SIGKILL for the program and its engine as soon as `condition` holds.

        Raises:
            AssertionError: where the `up` ended before that, or the time ran out.
        """
        deadline = time.monotonic() + timeout_seconds
        try:
            while not condition():
                assert self._process.poll() is None, "the `up` ended before it was to be killed"
                assert time.monotonic() < deadline, "the `up` never came to where it was to be killed"
                time.sleep(0.05)
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        time.sleep(0.5)  # the plugins see within 0.2 s that their engine is gone


def main() -> None:
    """Run the `up` that the arguments describe."""
    folder, project, name, module, function = sys.argv[1:]
    program = getattr(importlib.import_module(module), function)
    extra = {key: value for key, value in os.environ.items() if key.startswith("SLIPWAY_")}
    EngineStack(Path(folder), program, project=project, stack=name, environment=extra).up()


if __name__ == "__main__":
    main()
