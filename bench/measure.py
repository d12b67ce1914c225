"""Time of child processes: what a person waits for, and the processor time that a busy machine doesn't distort."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """Seconds of one or the median of several runs: by the clock, and of the processor (user and system)."""

    wall: float
    cpu: float

    @classmethod
    def median(cls, timings: Sequence[Timing]) -> Timing:
        """The medians of both."""
        return cls(
            statistics.median(one.wall for one in timings), statistics.median(one.cpu for one in timings)
        )

    def __str__(self) -> str:
        return f"{self.cpu:.2f} s processor, {self.wall:.2f} s clock"


_LAST_LINES = 20
"""How much a failed process is quoted."""


class BenchError(Exception):
    """A measured process failed; the text is what it printed last."""


def run_python(arguments: Sequence[str], *, folder: Path) -> Timing:
    """Run this Python with arguments in a folder, and wait.

    Raises:
        BenchError: when it exits with anything but 0.
    """
    # Compiled files are kept and present, whatever the caller's setting: every run but the first is like that.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before, start = _children(), time.perf_counter()
    result = subprocess.run(  # noqa: S603 - this Python with arguments of our own
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    timing = Timing(time.perf_counter() - start, _children() - before)
    if result.returncode != 0:
        said = "\n".join((result.stdout + result.stderr).splitlines()[-_LAST_LINES:])
        raise BenchError(f"{' '.join(arguments)} exited with {result.returncode}:\n{said}")
    return timing


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
