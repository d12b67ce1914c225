"""`slipway logs`, `shell`, `psql`, `open`: the right command runs in the right cluster, also after a failed `up`."""

from __future__ import annotations

import json
import os
import sys
import threading
import webbrowser
from pathlib import Path

import pytest

from slipway.cli.main import main
from slipway.operate import reach as reach_module
from slipway.operate.home import Choice, Home
from slipway.operate.machine import Done
from tests.support.machine import FakeMachine

ROOT = Path(__file__).resolve().parents[3]
OUTPUTS = json.dumps(
    {
        "namespace": "chat-local",
        "cluster": {"kubeconfig": "/k", "context": "c"},
        "ports": {"api": 8000, "frontend": 8501, "worker": None},
        "database": "chat",
    }
)
WHERE = "/bin/kubectl --kubeconfig=/k --context=c --namespace=chat-local"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A machine with a stack that is up; programs that slipway would become are written down there."""
    fake = FakeMachine(answers={"pulumi version": "v3.259.0", "stack output": OUTPUTS})
    monkeypatch.setattr("slipway.operate.machine.ThisMachine", lambda: fake)
    monkeypatch.setattr(os, "execv", lambda _, command: fake.commands.append(" ".join(command)))
    monkeypatch.setattr(reach_module, "free_port", lambda wanted: 45000 if wanted == 9999 else wanted)
    return fake


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.local.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, project: Path, *arguments: str) -> int:
    """Exit code of the whole command."""
    monkeypatch.setattr(sys, "argv", ["slipway", arguments[0], "-C", str(project), *arguments[1:]])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("logs", "api"), "logs --selector=app.kubernetes.io/name=api"),
        (("logs", "postgres", "--no-follow"), "logs --selector=app.kubernetes.io/name=postgres"),
        (("shell", "worker", "id", "-u"), "exec --stdin --quiet deployment/worker -- id -u"),
        (("shell", "api"), "exec --stdin --quiet deployment/api -- sh -c"),
        (("psql", "-c", "select 1"), "chat -c select 1"),
        (("open", "--no-browser"), "port-forward service/frontend 8501:8501"),
        (("open", "api", "--port", "9000"), "port-forward service/api 9000:8000"),
    ],
)
def test_each_command_runs_kubectl_in_the_stacks_cluster(
    machine: FakeMachine,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    command: str,
) -> None:
    assert call(monkeypatch, project, *arguments) == 0
    assert machine.commands[-1].startswith(WHERE)
    assert command in machine.commands[-1]


def test_a_port_that_a_person_wants_and_that_is_taken_is_refused(
    machine: FakeMachine, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, project, "open", "api", "--port", "9999") == 1
    assert "Port 9999 of this machine is taken" in capsys.readouterr().err
    assert not machine.ran("port-forward")


@pytest.mark.usefixtures("machine")
def test_a_browser_is_opened_once_the_address_answers(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = threading.Event()
    tries: list[object] = []

    class Connection:
        def close(self) -> None: ...

    def connect(address: object, timeout: float) -> Connection:
        tries.append((address, timeout))
        if len(tries) == 1:
            raise ConnectionRefusedError
        return Connection()

    monkeypatch.setattr(webbrowser, "open", lambda _: opened.set())
    monkeypatch.setattr("socket.create_connection", connect)
    monkeypatch.setattr("slipway.cli.running_commands.time.sleep", lambda _: None)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert call(monkeypatch, project, "open", "api") == 0
    assert opened.wait(10)
    assert "api: http://127.0.0.1:8000 (until Ctrl-C)" in capsys.readouterr().out


def test_a_stack_that_was_never_up_is_named(
    machine: FakeMachine, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.answers["stack output"] = Done(255, error="error: no stack named 'local' found")
    assert call(monkeypatch, project, "logs", "api") == 1
    assert "local is not up. Bring it up first: slipway up local" in capsys.readouterr().err


def test_logs_of_a_stack_whose_first_up_failed_can_be_read(
    machine: FakeMachine, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.answers["stack output"] = "{}"
    home = Home(project, "local")
    home.prepare()
    home.keep(Choice("mine", "/own"))
    home.copy_stack_file({"slipway:cluster": '{"kind": "existing", "context": "mine", "kubeconfig": "/own"}'})
    assert call(monkeypatch, project, "logs", "migrate") == 0
    assert machine.commands[-1].startswith(
        "/bin/kubectl --kubeconfig=/own --context=mine --namespace=chat-local logs"
    )
    assert machine.given[-1]["PULUMI_BACKEND_URL"] == home.backend_url
