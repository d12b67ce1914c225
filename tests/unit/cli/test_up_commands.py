"""`slipway up`, `down`, `env`: settings first, questions where something is lost, and never a traceback."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from slipway.cli import up_commands
from slipway.cli.main import main
from slipway.operate import elsewhere as elsewhere_module
from slipway.operate import up as up_module
from slipway.operate.engine import Engine
from slipway.operate.home import Home
from slipway.operate.lock import LockHeldError
from slipway.operate.machine import InterruptedRunError, OperateError
from slipway.operate.up import Report, Up
from stacks.config.problems import Problem, SettingsError
from tests.support.machine import FakeMachine
from tests.support.up import FakeCommand, KnownEngine, call

ROOT = Path(__file__).resolve().parents[3]
OUTPUTS = {
    "ports": {"api": 8000, "frontend": 8501, "worker": None},
    "database": "chat",
    "urls": {"api": ["https://a/"]},
}


def ends_with(monkeypatch: pytest.MonkeyPatch, end: Report | BaseException) -> list[Up]:
    """What `Up.run` does; the returned list gets each `Up`."""
    seen: list[Up] = []

    def run(self: Up, program: Callable[[], None]) -> Report:
        assert callable(program)
        seen.append(self)
        if isinstance(end, BaseException):
            raise end
        return end

    monkeypatch.setattr(up_module.Up, "run", run)
    return seen


def test_up_ends_with_addresses_and_the_next_three_commands(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = ends_with(monkeypatch, Report({"created": 56}, 70.4, OUTPUTS))
    assert call(monkeypatch, "up", "--context", "mine", "--registry", "r/x", "-C", str(shipped_project)) == 0
    text = capsys.readouterr().out
    assert "local is up: 56 created, 70 s." in text
    assert "https://a/" in text
    commands = [line.split("  ")[1] for line in text[text.index("Next:") :].splitlines()[1:]]
    assert commands == ["slipway open frontend", "slipway logs api", "slipway psql"]
    (one,) = seen
    assert (one.options.context, one.options.registry) == ("mine", "r/x")
    assert (one.view.context, one.view.services) == ("kind-slipway", ("api", "frontend", "worker"))


@pytest.mark.parametrize(("on_path", "name"), [("/bin/slipway", "slipway"), (None, ".venv/bin/slipway")])
def test_the_next_commands_can_be_typed_as_they_are_printed(
    shipped_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    on_path: str | None,
    name: str,
) -> None:
    ends_with(monkeypatch, Report({}, 8, OUTPUTS))
    monkeypatch.setattr("shutil.which", lambda _: on_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/slipway", "up", "-C", str(shipped_project)])
    with pytest.raises(SystemExit):
        main()
    assert f"  {name} open frontend  " in capsys.readouterr().out


def test_up_that_changes_nothing_says_so(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, Report({}, 8, {}))
    assert call(monkeypatch, "up", "-C", str(shipped_project)) == 0
    assert capsys.readouterr().out.strip() == "local is up: nothing had to be changed, 8 s."


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperateError("docker is not found"), 1),
        (LockHeldError("process 7"), 1),
        (InterruptedRunError("Stopped."), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_an_exit_code(
    shipped_project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    ends_with(monkeypatch, error)
    assert call(monkeypatch, "up", "-C", str(shipped_project)) == code
    said = capsys.readouterr().err
    assert said.startswith(str(error) or "Stopped")
    assert "Traceback" not in said


def test_wrong_settings_are_refused_with_their_line_before_anything_else(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = ends_with(monkeypatch, Report({}, 0, {}))
    file = shipped_project / "Pulumi.local.yaml"
    file.write_text(
        file.read_text().replace("  slipway:services:", "  slipway:servces: {}\n  slipway:services:")
    )
    assert call(monkeypatch, "up", "-C", str(shipped_project)) == 2
    said = capsys.readouterr().err
    assert re.search(r"Pulumi\.local\.yaml:\d+:3  slipway:servces", said)
    assert "Did you mean `slipway:services`?" in said
    assert "nothing was changed" in said
    assert seen == []


def test_a_local_stack_on_eks_is_refused(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shipped_project / "Pulumi.local.yaml"
    text = file.read_text().replace("{ kind: existing, context: kind-slipway }", "{ kind: eks }")
    file.write_text(text + "  slipway:aws: { region: eu-central-1, accountId: '123456789012' }\n")
    assert call(monkeypatch, "up", "-C", str(shipped_project)) == 2
    assert "runs on an existing cluster; this one names eks" in capsys.readouterr().err


# --- stacks that a team shares ---------------------------------------------------------------------------------


def _team(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the shell a backend; the returned list gets each stack that is brought up."""
    brought: list[str] = []

    def engine(machine: FakeMachine, home: Home) -> Engine:
        assert machine.programs
        return KnownEngine(home.project, home.stack, FakeCommand(), {"PULUMI_BACKEND_URL": "s3://bucket"})

    def bring_up(_: object, engine: Engine, *rest: object) -> Report:
        assert rest
        brought.append(engine.stack)
        return Report({}, 1, {"ports": {"api": 8000}})

    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    monkeypatch.setattr(elsewhere_module, "team_engine", engine)
    monkeypatch.setattr(up_module, "bring_up", bring_up)
    monkeypatch.setattr(up_module, "go_on", lambda *_: None)
    return brought


def test_a_teams_stack_without_a_backend_is_refused(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "up", "dev", "-C", str(shipped_project)) == 1
    assert "PULUMI_BACKEND_URL is not set" in capsys.readouterr().err
    assert not (shipped_project / ".slipway").exists()


def test_a_teams_stack_is_changed_only_when_somebody_says_so(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    brought = _team(monkeypatch)
    assert call(monkeypatch, "up", "dev", "-C", str(shipped_project)) == 2
    assert (
        "Change dev (dev) in s3://bucket? Nobody can be asked here: say so with --yes."
        in capsys.readouterr().err
    )
    assert brought == []
    assert call(monkeypatch, "up", "dev", "--yes", "-C", str(shipped_project)) == 0
    assert brought == ["dev"]
    assert "slipway open api --stack dev" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 2)])
def test_on_a_terminal_a_person_is_asked(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int
) -> None:
    brought = _team(monkeypatch)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda _: answer)
    assert call(monkeypatch, "up", "dev", "-C", str(shipped_project)) == code
    assert brought == ["dev"] * answer


def test_the_cluster_of_a_teams_stack_is_not_chosen_on_the_command_line(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _team(monkeypatch)
    assert call(monkeypatch, "up", "dev", "--context", "mine", "-C", str(shipped_project)) == 2
    assert "stand in its stack file" in capsys.readouterr().err


# --- the program ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SettingsError([Problem("slipway:x", None, "wrong", "why", "do")]), "this stack cannot be used:"),
        (pulumi.RunError("as it is"), "as it is"),
        (KeyError("lost"), "the program stopped: KeyError: 'lost'"),
    ],
)
def test_a_program_that_fails_is_a_sentence_for_the_engine(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    import stacks.program

    def fail() -> None:
        raise error

    monkeypatch.setattr(stacks.program, "run", fail)
    program: Any = vars(up_commands)["_program"](shipped_project)
    with pytest.raises(pulumi.RunError, match=said.replace("(", r"\(")):
        program()
