"""Stand-ins for what `slipway up` drives: the Pulumi command, an engine, a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pulumi import automation as auto

from slipway.cli.main import main
from slipway.operate.engine import CancellableCommand, Engine
from slipway.operate.progress import Progress


class FakeCommand(CancellableCommand):
    """Pulumi as far as the Automation API goes: it writes commands down and answers them."""

    def __init__(self, answers: Mapping[str, str | int] | None = None) -> None:
        """Args: answers: parts of a command line to its standard output, or to an exit code."""
        super().__init__("/bin/pulumi", "3.259.0")
        self.answers = dict(answers or {})
        self.lines: list[str] = []
        self.folders: list[Path] = []
        self.interrupted = 0
        self.meanwhile = lambda: None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],  # noqa: ARG002
        on_output: auto.OnOutput | None = None,  # noqa: ARG002
        on_error: auto.OnOutput | None = None,  # noqa: ARG002
        *,
        stdin: str | None = None,  # noqa: ARG002
    ) -> auto.CommandResult:
        line = " ".join(args)
        self.lines.append(line)
        self.folders.append(Path(cwd))
        if line.startswith(("up", "destroy")):
            self.meanwhile()
        for part, answer in self.answers.items():
            if part in line and isinstance(answer, int):
                raise auto.CommandError(auto.CommandResult("", "error: the reason", answer))
            if part in line:
                return auto.CommandResult(str(answer), "", 0)
        default = "[]" if "history" in line else "{}"
        return auto.CommandResult(default, "", 0)

    def interrupt(self) -> None:
        self.interrupted += 1


@dataclass
class FakeScreen:
    lines: list[str] = field(default_factory=list)

    def tell(self, line: str) -> None:
        self.lines.append(line)

    @contextmanager
    def watch(self, progress: Progress) -> Iterator[None]:
        assert progress.problems == []
        yield


class KnownEngine(Engine):
    """An engine of a stack that is up, or not."""

    known = True
    did: list[str] = []  # noqa: RUF012 - emptied for each test

    def exists(self) -> bool:
        return self.known

    def create(self) -> None:
        self.did.append("create")

    def pulumi(self, arguments: Sequence[str], standard_input: str | None) -> str:  # noqa: ARG002
        self.did.append(" ".join(arguments))
        return "{}"


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the whole command."""
    monkeypatch.setattr(sys, "argv", ["slipway", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)
