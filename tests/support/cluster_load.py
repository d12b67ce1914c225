"""The application's load generator (`app/load`) against a stack, in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.cluster import ROOT, Json

APP = ROOT / "app"
PYTHON = APP / ".venv" / "bin" / "python"
CHECK_SECONDS = 180
"""How long the generator may take after the load, to look whether everything was answered."""


@dataclass
class Load:
    """What came of a load; complete when its block has ended.

    Attributes:
        text: the report for people.
        report: the whole report, as `load.report.as_json` has it.
    """

    text: str = ""
    report: Json = field(default_factory=dict[str, Any])

    @property
    def failures(self) -> list[Json]:
        """Each attempt that failed."""
        return self.report["failures"]

    @property
    def kinds(self) -> set[str]:
        """How requests failed."""
        return {failure["kind"] for failure in self.failures if failure["connection"] != "websocket"}

    @property
    def summary(self) -> str:
        """One line for a person."""
        websockets, messages = self.report["websockets"], self.report["messages"]
        return (
            f"{self.report['requests']} requests at {self.report['rate']:.0f}/s, {self.report['failed_requests']}"
            f" failed, {self.report['failed_attempts']} attempts failed {sorted(self.kinds)};"
            f" {messages['accepted']} messages accepted, {messages['lost']} lost, {messages['answered']} answered;"
            f" WebSockets came back {websockets['reconnects']} times and missed {websockets['missed']}"
        )


def set_up_generator() -> None:
    """Make the environment that the generator runs in."""
    subprocess.run([ROOT / "scripts" / "bootstrap", "app"], check=True, timeout=600)


@contextmanager
def load(folder: Path, url: str, **options: float) -> Iterator[Load]:
    """Put load on an API as long as the block runs.

    Args:
        folder: where the report is written.
        url: the API's address.
        options: of `python -m load`, e.g. `users=3`, `write_seconds=0.5`.
    """
    target, found = folder / "load.json", Load()
    target.unlink(missing_ok=True)
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = [PYTHON, "-m", "load", "--url", url, "--seconds", "0", "--json", target, *flags]
    process = subprocess.Popen(
        command, cwd=APP, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _wait_running(process)
        yield found
        process.send_signal(signal.SIGINT)
        found.text, said = process.communicate(timeout=CHECK_SECONDS)
        assert target.exists(), said
        found.report = json.loads(target.read_text())
    finally:
        process.kill()
        process.communicate()


def _wait_running(process: subprocess.Popen[str]) -> None:
    """Read until the generator says that the load has begun."""
    said: list[str] = []
    for line in process.stderr or ():
        said.append(line)
        if line.startswith("running"):
            return
    raise AssertionError(f"the load did not begin: {''.join(said)}")
