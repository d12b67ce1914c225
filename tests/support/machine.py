"""A machine for tests: it has the programs it is told to have, and they answer what they are told to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slipway.operate.machine import Done

type Answer = Done | str | Callable[[str], Done]
"""What a program answers; a plain text is its output, a function is given the command line."""


@dataclass
class FakeMachine:
    """A machine that runs nothing.

    Attributes:
        programs: names or paths of programs that are there.
        answers: parts of a command line to what it answers; the first that fits counts. Any other command succeeds
            without a word.
        environment: its variables.
    """

    programs: Sequence[str] = ("pulumi", "kubectl", "docker", "kind")
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    commands: list[str] = field(default_factory=list[str], init=False)
    inputs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]], init=False)
    given: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]], init=False)

    def which(self, program: str) -> str | None:
        """The path of a program that is there."""
        if program in self.programs:
            return program if program.startswith("/") else f"/bin/{program}"
        return None

    def run(
        self,
        command: Sequence[str],
        *,
        stdin: str | None = None,
        seconds: float = 60,  # noqa: ARG002
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,  # noqa: ARG002
    ) -> Done:
        """Write a command down and answer it."""
        line = " ".join(command)
        self.commands.append(line)
        self.given.append(environment or {})
        if stdin is not None:
            self.inputs.append((line, stdin))
        for part, answer in self.answers.items():
            if part in line:
                if isinstance(answer, Done):
                    return answer
                return Done(0, answer) if isinstance(answer, str) else answer(line)
        return Done(0)

    def foreground(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> int:
        """Write a command down and end well."""
        return self.run(command, environment=environment).code

    def ran(self, part: str) -> list[str]:
        """The command lines with that part."""
        return [line for line in self.commands if part in line]

    def sent(self, part: str) -> list[str]:
        """What the command lines with that part were given as standard input."""
        return [text for line, text in self.inputs if part in line]
