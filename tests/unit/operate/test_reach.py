"""Every command into a running stack names its cluster and namespace, and no password."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from slipway.operate.machine import Done, OperateError
from slipway.operate.reach import NotUpError, Running, free_port, read_running
from tests.support.machine import Answer, FakeMachine

WHERE = ("kubectl", "--kubeconfig=/k", "--context=c", "--namespace=chat-local")
RUNNING = Running(WHERE, {"api": 8000, "worker": None}, "chat")
OUTPUTS = {
    "namespace": "chat-local",
    "cluster": {"kubeconfig": "/k", "context": "c"},
    "ports": {"api": 8000, "worker": None},
    "database": "chat",
}


def _read(answer: Answer) -> Running:
    machine = FakeMachine(answers={"stack output": answer})
    found = read_running(
        machine,
        pulumi="pulumi",
        kubectl="kubectl",
        project=Path("/p"),
        stack="local",
        variables={"PULUMI_STACK": "local"},
    )
    assert machine.given[0]["PULUMI_STACK"] == "local"
    return found


def test_a_running_stack_is_what_its_outputs_say() -> None:
    assert _read(json.dumps(OUTPUTS)) == RUNNING
    assert _read(json.dumps({**OUTPUTS, "database": None})).database == ""


def test_the_home_folder_of_a_kubeconfig_is_spelled_out() -> None:
    found = _read(json.dumps({**OUTPUTS, "cluster": {"kubeconfig": "~/.kube/config", "context": "c"}}))
    assert found.kubectl[1] == f"--kubeconfig={Path.home()}/.kube/config"


@pytest.mark.parametrize("answer", ["{}", Done(255, error="error: no stack named 'local' found")])
def test_a_stack_that_is_not_up_is_named_with_the_command_that_brings_it_up(answer: Answer) -> None:
    with pytest.raises(NotUpError, match="local is not up. Bring it up first: slipway up local"):
        _read(answer)


def test_a_state_that_cannot_be_read_says_why() -> None:
    with pytest.raises(OperateError, match="state of local cannot be read: passphrase must be set"):
        _read(Done(255, error="error: passphrase must be set"))


def test_logs_come_from_all_pods_of_a_part() -> None:
    command = RUNNING.logs("api", follow=True, lines=5)
    assert command[: len(WHERE)] == list(WHERE)
    assert {"logs", "--selector=app.kubernetes.io/name=api", "--follow", "--tail=5"} <= set(command)
    assert "--follow" not in RUNNING.logs("postgres", follow=False, lines=5)
    for part in ("redis-cache", "migrate"):
        assert f"--selector=app.kubernetes.io/name={part}" in RUNNING.logs(part, follow=False, lines=1)


def test_a_shell_runs_in_a_pod_of_the_service_with_a_terminal_where_there_is_one() -> None:
    command = RUNNING.shell("worker", ["id", "-u"], terminal=False)
    assert command == [*WHERE, "exec", "--stdin", "--quiet", "deployment/worker", "--", "id", "-u"]
    with_terminal = RUNNING.shell("worker", [], terminal=True)
    assert "--tty" in with_terminal
    assert "bash" in with_terminal[-1]


def test_psql_takes_the_password_inside_the_pod() -> None:
    command = RUNNING.psql(["-c", "select 1"], terminal=False)
    assert "statefulset/postgres" in command
    assert command[-3:] == ["chat", "-c", "select 1"]
    assert 'PGPASSWORD="$POSTGRES_PASSWORD"' in command[-4]


def test_without_a_database_in_the_cluster_there_is_no_psql() -> None:
    with pytest.raises(OperateError, match="no PostgreSQL in the cluster"):
        Running(WHERE, {}, "").psql([], terminal=False)


def test_a_service_is_forwarded_to_its_own_port() -> None:
    assert RUNNING.forward("api", 9000) == [*WHERE, "port-forward", "service/api", "9000:8000"]


def test_a_service_that_is_not_there_or_listens_nowhere_is_refused_with_those_that_do() -> None:
    with pytest.raises(OperateError, match="no service web. The services are: api, worker"):
        RUNNING.shell("web", [], terminal=False)
    with pytest.raises(OperateError, match="worker listens on no port. These do: api"):
        RUNNING.port("worker")
    with pytest.raises(OperateError, match="no service postgres"):
        RUNNING.port("postgres")


def test_a_port_that_is_taken_gives_way_to_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        wanted = taken.getsockname()[1]
        assert free_port(wanted) not in (wanted, 0)
    assert free_port(wanted) == wanted
