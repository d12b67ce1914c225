"""This machine as far as `slipway` acts on it: programs, what they print, the environment.

Everything in this package that starts a program does it here, so that tests hand over a machine of their own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Protocol

_END_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""What ends a program from outside; unlike Ctrl-C, a terminal's, it reaches this process alone."""

NOT_STARTED = 127
"""What a shell answers for a program that is not there."""


class OperateError(Exception):
    """Something on this machine or in a cluster is not as it must be; the text says what, why and what to do."""


class InterruptedRunError(OperateError):
    """A person stopped the run."""


class EngineFailedError(OperateError):
    """Pulumi failed; the text is what it printed as errors."""


@dataclass(frozen=True)
class Done:
    """A program that has ended.

    Attributes:
        code: its exit code; 127 where it could not be started.
        out: its standard output.
        error: its standard error.
    """

    code: int
    out: str = ""
    error: str = ""

    @property
    def said(self) -> str:
        """The last line of its standard error, or of its output where there is none."""
        lines = (self.error.strip() or self.out.strip()).splitlines()
        return lines[-1].strip() if lines else f"it ended with {self.code}"


class Machine(Protocol):
    """What the functions of this package are handed."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of this process."""
        ...

    def which(self, program: str) -> str | None:
        """Return the absolute path of a program of this name or path, None where there is none."""
        ...

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str | None = None,
        seconds: float = 60,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Done:
        """Run a program to its end and return what it said; never raises for its failure.

        Args:
            command: program and arguments.
            stdin: its standard input; none where left out.
            seconds: after which it is ended and counts as failed.
            environment: all its variables; this process's where left out.
            folder: its working directory.
        """
        ...

    def foreground(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> int:
        """Run a program that talks to the person at the terminal, and return its exit code."""
        ...


class ThisMachine:
    """The real one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of this process."""
        return os.environ

    def which(self, program: str) -> str | None:
        """Return the absolute path of a program, None where there is none."""
        found = shutil.which(program)
        return os.path.abspath(found) if found else None

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str | None = None,
        seconds: float = 60,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Done:
        """Run a program to its end."""
        try:
            done = subprocess.run(  # noqa: S603 - callers give fixed programs; nothing goes through a shell
                list(command),
                input="" if stdin is None else stdin,
                capture_output=True,
                text=True,
                timeout=seconds,
                env=dict(environment) if environment is not None else None,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Done(NOT_STARTED, error=f"no answer within {seconds:.0f} s")
        except OSError as error:
            return Done(NOT_STARTED, error=os.strerror(error.errno or 0))
        return Done(done.returncode, done.stdout, done.stderr)

    def foreground(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> int:
        """Run a program at the terminal; Ctrl-C is the program's to handle, and it never outlives this one."""
        started: list[subprocess.Popen[bytes]] = []
        asked: list[int] = []

        def end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
            asked.append(signum)
            for process in started:
                process.terminate()

        # Before the program starts: a signal in between would leave it alone in the world.
        before = {number: signal.signal(number, end) for number in _END_SIGNALS}
        try:
            variables = dict(environment) if environment is not None else None
            started.append(subprocess.Popen(list(command), env=variables))  # noqa: S603 - as above
            if asked:
                started[0].terminate()
            return _end_of(started[0])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_of(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the terminal has told it too: it ends by itself
            continue
