"""`slipway up`, `down`, `env`: settings first, questions where something is lost, and never a traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi
import pytest

from slipway.cli import up_commands
from slipway.cli.main import main
from slipway.operate import down as down_module
from slipway.operate import elsewhere as elsewhere_module
from slipway.operate import up as up_module
from slipway.operate.down import Standing
from slipway.operate.engine import Engine
from slipway.operate.home import Choice, Home
from slipway.operate.lock import LockHeldError
from slipway.operate.machine import EngineFailedError, InterruptedRunError, OperateError
from slipway.operate.up import Report, Up
from stacks.config.problems import Problem, SettingsError
from tests.support.machine import FakeMachine
from tests.unit.operate.test_engine import FakeCommand

ROOT = Path(__file__).resolve().parents[3]
OUTPUTS = {
    "ports": {"api": 8000, "frontend": 8501, "worker": None},
    "database": "chat",
    "urls": {"api": ["https://a/"]},
}


class FakeEngine(Engine):
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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the shipped stacks, on a machine with every tool."""
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    monkeypatch.setattr("slipway.operate.machine.ThisMachine", _machine)

    def engine(machine: FakeMachine, home: Home) -> Engine:
        assert machine.programs
        home.prepare()
        return FakeEngine(home.project, home.stack, FakeCommand(), home.variables())

    monkeypatch.setattr(elsewhere_module, "local_engine", engine)
    FakeEngine.did = []
    return tmp_path


def _machine() -> FakeMachine:
    return FakeMachine(
        answers={"pulumi version": "v3.259.0"}, environment={"PATH": "/bin", "HOME": "/home/me"}
    )


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of the whole command."""
    monkeypatch.setattr(sys, "argv", ["slipway", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


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
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = ends_with(monkeypatch, Report({"created": 56}, 70.4, OUTPUTS))
    assert call(monkeypatch, "up", "--context", "mine", "--registry", "r/x", "-C", str(project)) == 0
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
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    on_path: str | None,
    name: str,
) -> None:
    ends_with(monkeypatch, Report({}, 8, OUTPUTS))
    monkeypatch.setattr("shutil.which", lambda _: on_path)
    monkeypatch.setattr(sys, "argv", [".venv/bin/slipway", "up", "-C", str(project)])
    with pytest.raises(SystemExit):
        main()
    assert f"  {name} open frontend  " in capsys.readouterr().out


def test_up_that_changes_nothing_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends_with(monkeypatch, Report({}, 8, {}))
    assert call(monkeypatch, "up", "-C", str(project)) == 0
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
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
) -> None:
    ends_with(monkeypatch, error)
    assert call(monkeypatch, "up", "-C", str(project)) == code
    said = capsys.readouterr().err
    assert said.startswith(str(error) or "Stopped")
    assert "Traceback" not in said


def test_wrong_settings_are_refused_with_their_line_before_anything_else(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = ends_with(monkeypatch, Report({}, 0, {}))
    file = project / "Pulumi.local.yaml"
    file.write_text(
        file.read_text().replace("  slipway:services:", "  slipway:servces: {}\n  slipway:services:")
    )
    assert call(monkeypatch, "up", "-C", str(project)) == 2
    said = capsys.readouterr().err
    assert re.search(r"Pulumi\.local\.yaml:\d+:3  slipway:servces", said)
    assert "Did you mean `slipway:services`?" in said
    assert "nothing was changed" in said
    assert seen == []


def test_a_local_stack_on_eks_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "Pulumi.local.yaml"
    text = file.read_text().replace("{ kind: existing, context: kind-slipway }", "{ kind: eks }")
    file.write_text(text + "  slipway:aws: { region: eu-central-1, accountId: '123456789012' }\n")
    assert call(monkeypatch, "up", "-C", str(project)) == 2
    assert "runs on an existing cluster; this one names eks" in capsys.readouterr().err


# --- stacks that a team shares ---------------------------------------------------------------------------------


def _team(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the shell a backend; the returned list gets each stack that is brought up."""
    brought: list[str] = []

    def engine(machine: FakeMachine, home: Home) -> Engine:
        assert machine.programs
        return FakeEngine(home.project, home.stack, FakeCommand(), {"PULUMI_BACKEND_URL": "s3://bucket"})

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
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "up", "dev", "-C", str(project)) == 1
    assert "PULUMI_BACKEND_URL is not set" in capsys.readouterr().err
    assert not (project / ".slipway").exists()


def test_a_teams_stack_is_changed_only_when_somebody_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    brought = _team(monkeypatch)
    assert call(monkeypatch, "up", "dev", "-C", str(project)) == 2
    assert (
        "Change dev (dev) in s3://bucket? Nobody can be asked here: say so with --yes."
        in capsys.readouterr().err
    )
    assert brought == []
    assert call(monkeypatch, "up", "dev", "--yes", "-C", str(project)) == 0
    assert brought == ["dev"]
    assert "slipway open api --stack dev" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 2)])
def test_on_a_terminal_a_person_is_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int
) -> None:
    brought = _team(monkeypatch)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda _: answer)
    assert call(monkeypatch, "up", "dev", "-C", str(project)) == code
    assert brought == ["dev"] * answer


def test_the_cluster_of_a_teams_stack_is_not_chosen_on_the_command_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _team(monkeypatch)
    assert call(monkeypatch, "up", "dev", "--context", "mine", "-C", str(project)) == 2
    assert "stand in its stack file" in capsys.readouterr().err


# --- down ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A stack with data; the list gets what is taken down."""
    gone: list[str] = []

    def take_down(engine: Engine, home: Home, screen: object) -> Mapping[str, int]:
        assert home
        assert screen
        gone.append(engine.stack)
        return {"deleted": 56}

    monkeypatch.setattr(FakeEngine, "known", True)
    monkeypatch.setattr(down_module, "standing", lambda _: Standing(56, ("postgres", "redis-cache")))
    monkeypatch.setattr(down_module, "take_down", take_down)
    return gone


def test_down_asks_before_data_is_lost(
    project: Path, standing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "down", "-C", str(project)) == 2
    assert "Remove local: 56 resources, with the data of postgres, redis-cache?" in capsys.readouterr().err
    assert standing == []
    assert call(monkeypatch, "down", "--yes", "-C", str(project)) == 0
    assert standing == ["local"]
    assert "local is gone: 56 resources deleted." in capsys.readouterr().out


def test_down_never_removes_prod(
    project: Path, standing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "down", "prod", "--yes", "-C", str(project)) == 2
    assert "`down` never removes it" in capsys.readouterr().err
    assert standing == []


def test_down_works_with_a_stack_file_that_has_errors_elsewhere(
    project: Path, standing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "Pulumi.local.yaml"
    file.write_text(file.read_text().replace("role: worker", "role: wrker"))
    assert call(monkeypatch, "down", "--yes", "-C", str(project)) == 0
    assert standing == ["local"]


def test_down_of_what_is_not_up_says_so(
    project: Path, standing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FakeEngine, "known", False)
    assert call(monkeypatch, "down", "-C", str(project)) == 0
    assert "local is not up: there is nothing to remove." in capsys.readouterr().out
    assert standing == []


def test_down_removes_a_kind_cluster_only_if_it_was_made_here(
    project: Path, standing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    removed: list[Home] = []
    monkeypatch.setattr(down_module, "remove_clusters", lambda _, home: removed.append(home))
    arguments = ("down", "--cluster", "--yes", "-C", str(project))
    assert call(monkeypatch, *arguments) == 2
    assert "made no kind cluster here" in capsys.readouterr().err
    home = Home(project, "local")
    home.mark_cluster("slipway")
    home.keep(Choice("kind-slipway", "/k", kind="slipway"))
    assert call(monkeypatch, *arguments[:2], "-C", str(project)) == 2
    assert "Remove the kind cluster slipway with everything in it?" in capsys.readouterr().err
    assert removed == []
    assert call(monkeypatch, *arguments) == 0
    assert removed == [home]
    assert home.choice() is None
    assert FakeEngine.did == ["stack rm --yes --force --preserve-config"]
    monkeypatch.setattr(FakeEngine, "known", False)
    assert call(monkeypatch, *arguments) == 0
    assert len(FakeEngine.did) == 1
    assert standing == []


def test_what_pulumi_says_outside_of_a_run_comes_with_a_remedy(
    project: Path, standing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Engine) -> bool:
        raise EngineFailedError("constructing secrets manager: incorrect passphrase")

    monkeypatch.setattr(FakeEngine, "exists", fail)
    assert call(monkeypatch, "down", "--yes", "-C", str(project)) == 1
    assert "it belongs into .slipway/passphrase" in capsys.readouterr().err
    assert standing == []


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("up",), "slipway up"),
        (("up", "CONTEXT=mine", "REGISTRY=r/x"), "slipway up --context 'mine' --registry 'r/x'"),
        (("up", "STACK=dev", "YES=1"), "slipway up dev --yes"),
        (("down", "YES=1", "ARGS=--cluster"), "slipway down --yes --cluster"),
    ],
)
def test_make_runs_the_same_command(arguments: tuple[str, ...], command: str) -> None:
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert " ".join(done.stdout.splitlines()[-1].split()) == f".venv/bin/{command}"


# --- env ------------------------------------------------------------------------------------------------------------


def test_env_prints_exports_and_nothing_else(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(FakeEngine, "known", False)
    assert call(monkeypatch, "env", "-C", str(project)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "unset PULUMI_CONFIG_PASSPHRASE;"
    assert all(line.startswith("export ") and line.endswith(";") for line in lines[1:])
    names = [line.removeprefix("export ").partition("=")[0] for line in lines[1:]]
    assert names == ["PATH", *Home(project, "local").variables()]
    assert FakeEngine.did == ["create"]
    assert (project / ".slipway/local/Pulumi.local.yaml").read_text() == (
        project / "Pulumi.local.yaml"
    ).read_text()


def test_env_of_a_stack_that_is_up_names_the_cluster_that_was_chosen(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(project, "local")
    home.prepare()
    home.keep(Choice("mine", "/k", "localhost:5001"))
    assert call(monkeypatch, "env", "-C", str(project)) == 0
    text = home.stack_file.read_text()
    assert '\\"context\\": \\"mine\\", \\"kubeconfig\\": \\"/k\\"' in text
    assert '\\"registry\\": \\"localhost:5001/chat\\"' in text


def test_env_of_a_teams_stack_leaves_backend_and_secrets_to_the_shell(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "env", "dev", "-C", str(project)) == 1
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("slipway.operate.elsewhere.require_backend", lambda *_: "s3://bucket")
    assert call(monkeypatch, "env", "dev", "-C", str(project)) == 0
    assert (
        capsys.readouterr().out
        == "unset PULUMI_OPTION_CONFIG_FILE;\nexport PATH=/bin;\nexport PULUMI_STACK=dev;\n"
    )


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
    project: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    import stacks.program

    def fail() -> None:
        raise error

    monkeypatch.setattr(stacks.program, "run", fail)
    program: Any = vars(up_commands)["_program"](project)
    with pytest.raises(pulumi.RunError, match=said.replace("(", r"\(")):
        program()
