"""A kind cluster for the stack `local`: with a registry that its nodes pull from, and metrics-server.

The registry is wired as kind documents it (a container beside the nodes, `hosts.toml` on each node, the ConfigMap
`local-registry-hosting`). Each step may be repeated, so a run that was interrupted is finished by the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facts.versions import REGISTRY_IMAGE
from slipway.offline.model import Json
from slipway.operate.kubeconfig import kubectl_for
from slipway.operate.machine import Done, Machine, OperateError
from slipway.operate.metrics_server import NAME as METRICS_SERVER
from slipway.operate.metrics_server import NAMESPACE, metrics_server_objects
from slipway.operate.tools import Tools

PREFIX = "kind-"
"""What kind puts before a cluster's name to name its context."""

REGISTRY = "slipway-registry"
"""The name of the registry's container."""

REGISTRY_PORT = 5001
"""Its port on this machine; in its container it listens on 5000. kind's documentation has the same."""

_NETWORK = "kind"
_CREATE_SECONDS, _PULL_SECONDS = 600, 300

_CONFIGURATION = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
containerdConfigPatches:
  - |-
    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "/etc/containerd/certs.d"
"""


@dataclass(frozen=True)
class KindCluster:
    """The cluster of one name.

    Attributes:
        machine: where it is.
        tools: kind, docker and kubectl.
        name: its name, without `kind-`.
        kubeconfig: the file that holds its context; a person's own kubeconfig is not touched.
    """

    machine: Machine
    tools: Tools
    name: str
    kubeconfig: Path

    @property
    def context(self) -> str:
        """The name of its context."""
        return f"{PREFIX}{self.name}"

    @property
    def registry(self) -> str:
        """The registry as this machine and the nodes name it."""
        return f"localhost:{REGISTRY_PORT}"

    def exists(self) -> bool:
        """Return whether kind knows a cluster of that name."""
        return (
            self.name in self._run([self.tools.kind, "get", "clusters"], "list the kind clusters").out.split()
        )

    def make(self, tell: Callable[[str], None]) -> None:
        """Make the cluster, or what is missing of it.

        Args:
            tell: is given a line before each step that takes time.

        Raises:
            OperateError: when a step fails; what was made stays for the next attempt.
        """
        self._start_registry(tell)
        kind = self.tools.kind
        if self.exists():
            command = [
                kind,
                "export",
                "kubeconfig",
                "--name",
                self.name,
                "--kubeconfig",
                str(self.kubeconfig),
            ]
            self._run(command, "write the cluster's kubeconfig")
        else:
            tell(
                f"making the kind cluster {self.name} (about a minute; the first time its image is downloaded)"
            )
            command = [kind, "create", "cluster", "--name", self.name, "--config=-", "--wait=180s"]
            self._run(
                [*command, "--kubeconfig", str(self.kubeconfig)],
                f"make the kind cluster {self.name}",
                stdin=_CONFIGURATION,
                seconds=_CREATE_SECONDS,
            )
        self.kubeconfig.chmod(0o600)
        self._wire_registry()
        tell("installing metrics-server")
        self._apply(metrics_server_objects(), "install metrics-server")
        self._kubectl(
            ["rollout", "status", f"deployment/{METRICS_SERVER}", "--namespace", NAMESPACE, "--timeout=180s"],
            "start metrics-server",
        )

    def remove(self) -> None:
        """Delete the cluster, everything in it, and the registry."""
        self._run(
            [self.tools.kind, "delete", "cluster", "--name", self.name],
            f"delete the kind cluster {self.name}",
        )
        self._run([self.tools.docker, "rm", "--force", "--volumes", REGISTRY], "delete the registry")

    def _start_registry(self, tell: Callable[[str], None]) -> None:
        docker = self.tools.docker
        state = self.machine.run([docker, "inspect", "--format", "{{.State.Running}}", REGISTRY])
        if state.code == 0 and state.out.strip() == "true":
            return
        if state.code == 0:
            self._run([docker, "start", REGISTRY], "start the registry")
            return
        tell(f"starting a registry on {self.registry}")
        published = f"127.0.0.1:{REGISTRY_PORT}:5000"
        command = [
            docker,
            "run",
            "--detach",
            "--restart=always",
            "--publish",
            published,
            "--network",
            "bridge",
        ]
        self._run(
            [*command, "--name", REGISTRY, REGISTRY_IMAGE],
            f"start the registry on port {REGISTRY_PORT}",
            seconds=_PULL_SECONDS,
        )

    def _wire_registry(self) -> None:
        docker = self.tools.docker
        folder = f"/etc/containerd/certs.d/{self.registry}"
        nodes = self._run(
            [self.tools.kind, "get", "nodes", "--name", self.name], "list the cluster's nodes"
        ).out.split()
        for node in nodes:
            self._run([docker, "exec", node, "mkdir", "-p", folder], "tell the node where the registry is")
            self._run(
                [docker, "exec", "--interactive", node, "cp", "/dev/stdin", f"{folder}/hosts.toml"],
                "tell the node where the registry is",
                stdin=f'[host."http://{REGISTRY}:5000"]\n',
            )
        form = "{{json .NetworkSettings.Networks}}"
        networks = self._run([docker, "inspect", "--format", form, REGISTRY], "look at the registry").out
        if _NETWORK not in json.loads(networks or "{}"):
            self._run(
                [docker, "network", "connect", _NETWORK, REGISTRY], "connect the registry to the cluster"
            )
        self._apply([_hosting(self.registry)], "announce the registry in the cluster")

    def _apply(self, objects: Sequence[Json], what: str) -> None:
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self._kubectl(["apply", "--server-side", "--filename=-"], what, stdin=document)

    def _kubectl(self, arguments: Sequence[str], what: str, *, stdin: str | None = None) -> Done:
        kubectl = kubectl_for(self.tools.kubectl, str(self.kubeconfig), self.context)
        return self._run([*kubectl, *arguments], what, stdin=stdin, seconds=_PULL_SECONDS)

    def _run(
        self, command: Sequence[str], what: str, *, stdin: str | None = None, seconds: float = 60
    ) -> Done:
        done = self.machine.run(command, stdin=stdin, seconds=seconds)
        if done.code:
            lines = (done.error.strip() or done.out.strip()).splitlines()[-6:]
            raise OperateError(
                f"Could not {what}:\n" + "\n".join(f"  {line}" for line in lines) + "\n"
                "What was made so far stays, and the next `make up` goes on from there."
            )
        return done


def _hosting(registry: str) -> Json:
    """Return the ConfigMap by which tools find the registry (Kubernetes enhancement 1755)."""
    value = f'host: "{registry}"\nhelp: "https://kind.sigs.k8s.io/docs/user/local-registry/"\n'
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "local-registry-hosting", "namespace": "kube-public"},
        "data": {"localRegistryHosting.v1": value},
    }
