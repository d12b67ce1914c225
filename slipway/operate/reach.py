"""The commands that look into a running stack, made from its outputs: the cluster and namespace are always named."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from slipway.offline.model import Json
from slipway.operate.kubeconfig import kubectl_for
from slipway.operate.machine import Machine, OperateError

_PSQL = 'PGPASSWORD="$POSTGRES_PASSWORD" exec psql --username="$POSTGRES_USER" --dbname="$0" "$@"'
"""Run in PostgreSQL's own pod: the password never leaves it, and stands in no command line."""

_SHELL = "command -v bash >/dev/null && exec bash || exec sh"


_STORES = ("postgres", "postgres-roles", "migrate")
"""Parts that are no services, and have logs; each Redis is one too."""


class NotUpError(OperateError):
    """No `up` of the stack has come to its end."""


def is_store(part: str) -> bool:
    """Return whether a part is a store, or a Job that prepares one."""
    return part in _STORES or part.startswith("redis-")


@dataclass(frozen=True)
class Running:
    """A running stack.

    Attributes:
        kubectl: kubectl with kubeconfig, context and namespace.
        ports: the services, with the port that each listens on, None where it has none.
        database: the name of the database in the cluster; empty where there is none.
    """

    kubectl: tuple[str, ...]
    ports: Mapping[str, int | None]
    database: str

    def logs(self, service: str, *, follow: bool, lines: int) -> list[str]:
        """Return the command that prints what all pods of a service, a store or the migration log."""
        self._require(service, stores=True)
        return [
            *self.kubectl,
            "logs",
            f"--selector=app.kubernetes.io/name={service}",
            "--all-containers",
            "--prefix",
            f"--tail={lines}",
            "--max-log-requests=50",
            *(["--follow"] if follow else []),
        ]

    def shell(self, service: str, command: Sequence[str], *, terminal: bool) -> list[str]:
        """Return the command that runs a shell, or another program, in a pod of a service."""
        self._require(service)
        return [*self._inside(f"deployment/{service}", terminal), *(command or ("sh", "-c", _SHELL))]

    def psql(self, arguments: Sequence[str], *, terminal: bool) -> list[str]:
        """Return the command that runs psql in PostgreSQL's pod.

        Raises:
            OperateError: when the stack's PostgreSQL is not in the cluster.
        """
        if not self.database:
            raise OperateError(
                "This stack has no PostgreSQL in the cluster. Connect to the one that it uses with your own psql."
            )
        return [*self._inside("statefulset/postgres", terminal), "sh", "-c", _PSQL, self.database, *arguments]

    def forward(self, service: str, local_port: int) -> list[str]:
        """Return the command that makes a service reachable on this machine."""
        return [*self.kubectl, "port-forward", f"service/{service}", f"{local_port}:{self.port(service)}"]

    def port(self, service: str) -> int:
        """Return the port of a service.

        Raises:
            OperateError: when it listens on none.
        """
        self._require(service)
        port = self.ports[service]
        if port is None:
            known = ", ".join(name for name, found in self.ports.items() if found is not None)
            raise OperateError(f"{service} listens on no port. These do: {known}.")
        return port

    def _inside(self, pod: str, terminal: bool) -> list[str]:
        return [*self.kubectl, "exec", "--stdin", *(["--tty"] if terminal else []), "--quiet", pod, "--"]

    def _require(self, service: str, *, stores: bool = False) -> None:
        if service not in self.ports and not (stores and is_store(service)):
            raise OperateError(f"There is no service {service}. The services are: {', '.join(self.ports)}.")


def read_running(
    machine: Machine, *, pulumi: str, kubectl: str, project: Path, stack: str, variables: Mapping[str, str]
) -> Running:
    """Read a running stack's outputs from its state.

    Args:
        machine: runs pulumi.
        pulumi: its path.
        kubectl: its path.
        project: the folder with Pulumi.yaml.
        stack: the stack's name.
        variables: what pulumi needs in its environment to find the stack.

    Raises:
        NotUpError: when the state has no outputs: no `up` has come to its end.
        OperateError: when the state cannot be read.
    """
    environment = {**machine.environment, **variables, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    command = [pulumi, "--non-interactive", "stack", "output", "--json", "--stack", stack]
    done = machine.run(command, environment=environment, folder=project)
    if done.code and "no stack named" not in done.error:
        raise OperateError(f"The state of {stack} cannot be read: {done.said.removeprefix('error: ')}")
    outputs = cast("dict[str, Json]", json.loads(done.out)) if done.code == 0 else {}
    cluster, namespace, ports = outputs.get("cluster"), outputs.get("namespace"), outputs.get("ports")
    if not isinstance(cluster, dict) or not isinstance(ports, dict):
        raise NotUpError(f"The stack {stack} is not up. Bring it up first: slipway up {stack}")
    where = kubectl_for(kubectl, str(cluster["kubeconfig"]), str(cluster["context"]), str(namespace))
    found = {name: int(port) if isinstance(port, int | float) else None for name, port in ports.items()}
    return Running(where, found, str(outputs.get("database") or ""))


def free_port(wanted: int) -> int:
    """Return a port of this machine that is free: the wanted one, or any."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OperateError("This machine has no free port.")
