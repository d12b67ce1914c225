"""The engine is stopped once per Ctrl-C, gets only the variables that are meant for it, and fails with a sentence."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from pulumi import automation as auto
from pulumi.automation.errors import StackNotFoundError

from slipway.operate.engine import IMAGES_ONLY, CancellableCommand, Engine, errors_of
from slipway.operate.machine import EngineFailedError
from tests.support.up import FakeCommand

HISTORY = (
    '[{"kind": "update", "startTime": "2026-01-01T00:00:00.000Z", "message": "", "environment": {}, "config": {}, '
    '"result": "succeeded"}]'
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n")
    return tmp_path


def _engine(project: Path, **answers: str | int) -> tuple[Engine, FakeCommand]:
    command = FakeCommand({"history": HISTORY, **answers})
    return Engine(project, "local", command, {"PULUMI_BACKEND_URL": "file:///x"}), command


def _nothing(event: object) -> None: ...


def test_up_runs_the_program_in_the_projects_folder_without_laying_secrets_open(project: Path) -> None:
    engine, command = _engine(project)
    seen: list[Path] = []
    command.meanwhile = lambda: seen.append(Path.cwd())
    before = Path.cwd()
    engine.up(lambda: None, _nothing)
    (line,) = [line for line in command.lines if line.startswith("up")]
    assert "--yes --skip-preview" in line
    assert "--suppress-outputs" in line
    assert "--client=127.0.0.1:" in line
    assert seen == [project]
    assert Path.cwd() == before


def test_only_images_can_be_asked_for(project: Path) -> None:
    engine, command = _engine(project)
    engine.up(lambda: None, _nothing, targets=[IMAGES_ONLY])
    assert any(f"--target {IMAGES_ONLY}" in line for line in command.lines)


def test_the_stack_is_created_away_from_the_project_so_that_no_stack_file_is_written(project: Path) -> None:
    engine, command = _engine(project)
    engine.create()
    assert command.lines == ["stack init local --secrets-provider passphrase"]
    assert project not in command.folders


def test_removing_a_stack_keeps_its_file(project: Path) -> None:
    engine, command = _engine(project)
    engine.destroy(_nothing)
    assert command.lines[-1] == "stack rm --yes --preserve-config"


def test_a_stack_that_the_backend_does_not_know_does_not_exist(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, command = _engine(project)
    assert engine.exists()

    def unknown(*args: object, **kwargs: object) -> None:
        raise StackNotFoundError(auto.CommandResult("", f"no stack named 'local' found {args} {kwargs}", 255))

    monkeypatch.setattr(command, "run", unknown)
    assert not engine.exists()


def test_a_run_that_fails_says_the_engines_errors_and_nothing_else(project: Path) -> None:
    engine, _ = _engine(project, **{"up --yes": 255})
    with pytest.raises(EngineFailedError) as caught:
        engine.up(lambda: None, _nothing)
    assert str(caught.value) == "the reason"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_the_engine_to_stop_and_raises_nothing(project: Path, number: signal.Signals) -> None:
    engine, command = _engine(project)
    command.meanwhile = lambda: os.kill(os.getpid(), number)
    before = signal.getsignal(number)
    engine.up(lambda: None, _nothing)
    assert (engine.stopped, command.interrupted) == (1, 1)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (
            "\n code: 255\n stdout: \n stderr: error: no passphrase\nwarning: x\nerror: twice\nerror: twice",
            "no passphrase\ntwice",
        ),
        ("\n code: 1\n stdout: Updating\n stderr: ", "Updating"),
        ("", "pulumi failed without a word"),
    ],
)
def test_of_all_that_was_printed_the_errors_are_told(text: str, errors: str) -> None:
    assert errors_of(text) == errors


# --- the process ------------------------------------------------------------------------------------------


def _program(tmp_path: Path, script: str) -> CancellableCommand:
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return CancellableCommand(str(program), "3.259.0", unset=("PULUMI_CONFIG_PASSPHRASE",))


def test_pulumi_gets_its_own_folder_first_on_path_and_no_passphrase_of_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the shell")
    command = _program(tmp_path, 'echo "$* ${PULUMI_CONFIG_PASSPHRASE-unset} $GIVEN ${PATH%%:*}"; cat')
    lines: list[str] = []
    done = command.run(["stack", "ls"], str(tmp_path), {"GIVEN": "yes"}, lines.append, stdin="standard input")
    assert lines == [f"--non-interactive stack ls unset yes {tmp_path}", "standard input"]
    assert done.stdout.splitlines() == lines


def test_a_command_that_fails_is_told_apart_by_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(StackNotFoundError):
        _program(tmp_path, "echo \"error: no stack named 'x' found\" >&2; exit 3").run([], str(tmp_path), {})


def test_pulumi_is_in_a_process_group_of_its_own_and_stops_when_asked(tmp_path: Path) -> None:
    command = _program(
        tmp_path, "trap 'echo asked; exit 1' INT; echo $$; for _ in $(seq 1000); do sleep 0.02; done"
    )
    started = threading.Event()
    lines: list[str] = []

    def heard(line: str) -> None:
        lines.append(line)
        started.set()

    def interrupt() -> None:
        started.wait()
        lines.append(str(os.getpgid(int(lines[0]))))
        command.interrupt()

    command.interrupt()  # nothing runs: nothing happens
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(auto.CommandError):
        command.run(["up"], str(tmp_path), {}, heard)
    thread.join()
    pid, group, answer = lines
    assert (pid, answer) == (group, "asked")
