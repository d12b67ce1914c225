"""The kind cluster is wired as kind documents it, and a run that was interrupted is finished by the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from slipway.operate.kind import REGISTRY, KindCluster
from slipway.operate.machine import Done, OperateError
from slipway.operate.metrics_server import metrics_server_objects
from slipway.operate.tools import Tools
from tests.support.machine import Answer, FakeMachine

TOOLS = Tools(kubectl="kubectl", docker="docker", kind="kind")
FRESH: dict[str, Answer] = {
    "docker inspect --format {{.State": Done(1, error="no such object"),
    "get clusters": "",
    "get nodes": "slipway-control-plane\n",
    "docker inspect --format {{json": '{"bridge": {}}',
}


def _cluster(tmp_path: Path, answers: dict[str, Answer]) -> tuple[KindCluster, FakeMachine]:
    machine = FakeMachine(answers=answers)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch()
    return KindCluster(machine, TOOLS, "slipway", kubeconfig), machine


def _made(tmp_path: Path, answers: dict[str, Answer]) -> tuple[FakeMachine, list[str]]:
    cluster, machine = _cluster(tmp_path, answers)
    told: list[str] = []
    cluster.make(told.append)
    return machine, told


def _applied(machine: FakeMachine, kind: str) -> list[dict[str, object]]:
    documents = [json.loads(text) for text in machine.sent("apply")]
    return [item for document in documents for item in document["items"] if item["kind"] == kind]


def test_registry_cluster_wiring_and_metrics_come_in_this_order(tmp_path: Path) -> None:
    machine, told = _made(tmp_path, FRESH)
    steps = (
        "docker run",
        "kind create cluster",
        "mkdir -p",
        "hosts.toml",
        "network connect",
        "apply",
        "rollout status",
    )
    places = [next(i for i, line in enumerate(machine.commands) if step in line) for step in steps]
    assert places == sorted(places)
    assert len(told) == 3


def test_the_registry_listens_on_this_machine_only(tmp_path: Path) -> None:
    machine, _ = _made(tmp_path, FRESH)
    (run,) = machine.ran("docker run")
    assert "--publish 127.0.0.1:5001:5000" in run
    assert run.endswith(f"--name {REGISTRY} docker.io/library/registry:2")


def test_containerd_looks_for_registries_in_a_folder_and_each_node_finds_ours_there(tmp_path: Path) -> None:
    machine, _ = _made(tmp_path, {**FRESH, "get nodes": "one\ntwo\n"})
    configuration = yaml.safe_load(machine.sent("kind create cluster")[0])
    assert 'config_path = "/etc/containerd/certs.d"' in configuration["containerdConfigPatches"][0]
    for node in ("one", "two"):
        (copy,) = machine.ran(f"exec --interactive {node} cp /dev/stdin")
        assert copy.endswith("/etc/containerd/certs.d/localhost:5001/hosts.toml")
        assert machine.sent(copy)[0] == f'[host."http://{REGISTRY}:5000"]\n'


def test_the_cluster_announces_its_registry(tmp_path: Path) -> None:
    machine, _ = _made(tmp_path, FRESH)
    (hosting,) = _applied(machine, "ConfigMap")
    assert hosting["metadata"] == {"name": "local-registry-hosting", "namespace": "kube-public"}
    data = hosting["data"]
    assert isinstance(data, dict)
    assert yaml.safe_load(data["localRegistryHosting.v1"])["host"] == "localhost:5001"


def test_a_persons_own_kubeconfig_is_not_touched(tmp_path: Path) -> None:
    machine, _ = _made(tmp_path, FRESH)
    own = str(tmp_path / "kubeconfig")
    (create,) = machine.ran("kind create cluster")
    assert create.endswith(f"--kubeconfig {own}")
    assert all(f"--kubeconfig={own} --context=kind-slipway" in line for line in machine.ran("kubectl "))
    assert (tmp_path / "kubeconfig").stat().st_mode & 0o777 == 0o600


def test_what_is_there_already_is_not_made_again(tmp_path: Path) -> None:
    there: dict[str, Answer] = {
        **FRESH,
        "docker inspect --format {{.State": "true\n",
        "get clusters": "other\nslipway\n",
        "docker inspect --format {{json": '{"bridge": {}, "kind": {}}',
    }
    machine, _ = _made(tmp_path, there)
    assert machine.ran("docker run") + machine.ran("kind create") + machine.ran("network connect") == []
    assert machine.ran("kind export kubeconfig --name slipway")


def test_a_registry_that_was_stopped_is_started(tmp_path: Path) -> None:
    machine, _ = _made(tmp_path, {**FRESH, "docker inspect --format {{.State": "false\n"})
    assert machine.ran(f"docker start {REGISTRY}")
    assert machine.ran("docker run") == []


def test_a_step_that_fails_says_which_and_what_was_said(tmp_path: Path) -> None:
    taken = Done(125, error="docker: port is already allocated\n")
    cluster, _ = _cluster(tmp_path, {**FRESH, "docker run": taken})
    with pytest.raises(
        OperateError, match="Could not start the registry on port 5001:\n  docker: port is already"
    ):
        cluster.make(lambda _: None)


def test_removing_it_removes_cluster_and_registry(tmp_path: Path) -> None:
    cluster, machine = _cluster(tmp_path, {})
    cluster.remove()
    assert machine.commands == [
        "kind delete cluster --name slipway",
        f"docker rm --force --volumes {REGISTRY}",
    ]


def test_metrics_server_is_bound_to_its_own_account_and_answers_for_the_metrics_api() -> None:
    objects = [item for item in metrics_server_objects() if isinstance(item, dict)]
    kinds = [item["kind"] for item in objects]
    assert kinds.count("ClusterRole") == kinds.count("ClusterRoleBinding") == 2
    by_kind = {item["kind"]: item for item in objects}
    assert by_kind["APIService"]["metadata"] == {
        "name": "v1beta1.metrics.k8s.io",
        "labels": {"k8s-app": "metrics-server"},
    }
    spec = json.dumps(by_kind["Deployment"])
    assert "--kubelet-insecure-tls" in spec
    assert '"readOnlyRootFilesystem": true' in spec
