"""Pods that tests put beside the stack's own, to ask from inside the cluster what may be reached from there.

They run the application's image, which the cluster has, idle, and take a script of `tests/cluster/inside` at a time.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.cluster import ROOT, Cluster, Json

SCRIPTS = ROOT / "tests" / "cluster" / "inside"
TEST_POD = "slipway.test/pod"
"""The label of every pod of ours; its value is the pod's name."""

TRAFFIC_END_SECONDS = 30


def pod(
    name: str,
    image: str,
    labels: Mapping[str, str] | None = None,
    security: Mapping[str, object] | None = None,
) -> Json:
    """Return an idle pod that keeps the restricted standard.

    Args:
        name: its name.
        image: an image with Python.
        labels: labels beside the one of every test pod.
        security: fields of the container's security context that are to be otherwise.
    """
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    amounts = {"cpu": "50m", "memory": "64Mi"}
    container = {
        "name": "idle",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "3600"],
        "resources": {"requests": amounts, "limits": {"cpu": "500m", "memory": "128Mi"}},
        "securityContext": {**restricted, **(security or {})},
    }
    spec = {
        "containers": [container],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "restartPolicy": "Never",
    }
    metadata = {"name": name, "labels": {TEST_POD: name, **(labels or {})}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def client_policies(application: str, client: str) -> list[Json]:
    """Return the policies by which one pod of ours may call the API, as a load balancer would.

    The pod itself may go anywhere: what it does not reach is closed at the other end.

    Args:
        application: the application's name.
        client: the pod's name.
    """
    mine = {"matchLabels": {TEST_POD: client}}
    api = {"matchLabels": {"app.kubernetes.io/name": "api", "app.kubernetes.io/part-of": application}}
    return [
        _policy(f"{client}-egress", {"podSelector": mine, "policyTypes": ["Egress"], "egress": [{}]}),
        _policy(
            f"{client}-to-api",
            {"podSelector": api, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": mine}]}]},
        ),
    ]


def _policy(name: str, spec: Json) -> Json:
    metadata = {"name": name}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def run_script(cluster: Cluster, pod_name: str, script: str, *arguments: str) -> Json:
    """Run a script of `tests/cluster/inside` in a pod and return the JSON that it prints.

    Args:
        cluster: the pod's namespace.
        pod_name: the pod; its first container has Python.
        script: the file's name without its ending.
        arguments: what the script is given.
    """
    text = (SCRIPTS / f"{script}.py").read_text()
    return json.loads(cluster.inside(pod_name, "python", "-c", text, *arguments))


@dataclass
class Traffic:
    """What came of requests that were sent one after the other; complete when the traffic has ended.

    Attributes:
        requests: how many were answered well.
        failures: what happened to each of the others.
    """

    requests: int = 0
    failures: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class IdlePod:
    """An idle pod of ours that runs."""

    cluster: Cluster
    name: str

    def reach(self, *endpoints: str) -> dict[str, bool]:
        """Try a TCP connection to each `host:port`; return which opened."""
        return run_script(self.cluster, self.name, "reach", *endpoints)

    @contextmanager
    def traffic(self, path: str, *, clients: int = 1, pause_seconds: float = 0) -> Iterator[Traffic]:
        """Send requests to the Service `api` as long as the block runs, each on a connection of its own.

        Args:
            path: what is asked for.
            clients: how many ask at the same time.
            pause_seconds: between an answer and the next request of a client.
        """
        traffic = Traffic()
        script = (SCRIPTS / "traffic.py").read_text()
        process = subprocess.Popen(
            self.cluster.command(
                "exec",
                "--stdin",
                self.name,
                "--",
                "python",
                "-c",
                script,
                path,
                str(clients),
                str(pause_seconds),
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield traffic
        finally:
            # The script ends when its standard input does.
            printed, _ = process.communicate(timeout=TRAFFIC_END_SECONDS)
            ended = json.loads(printed or '{"requests": 0, "failures": ["no report"]}')
            traffic.requests, traffic.failures = ended["requests"], ended["failures"]


def start_pods(cluster: Cluster, *pods: Json) -> list[IdlePod]:
    """Create pods and wait until they run."""
    cluster.apply(*pods)
    names = [str(entry["metadata"]["name"]) for entry in pods]
    cluster.run("wait", "--for=condition=Ready", "--timeout=60s", *(f"pod/{name}" for name in names))
    return [IdlePod(cluster, name) for name in names]
