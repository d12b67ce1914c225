"""The programs that `up` needs, looked for before anything is touched: all that are missing are named at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facts.versions import PULUMI_OLDEST, PULUMI_VERSION
from slipway.operate.machine import Machine, OperateError

PULUMI_VARIABLE = "SLIPWAY_PULUMI"
"""Environment variable: the pulumi program, where it is not the first on PATH."""


class ToolsMissingError(OperateError):
    """Programs that are needed are not there, or do not answer."""


@dataclass(frozen=True)
class Tools:
    """Absolute paths of programs; empty where one is neither needed nor there."""

    pulumi: str = ""
    pulumi_version: str = ""
    kubectl: str = ""
    docker: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Needs:
    """What a command needs beside pulumi.

    Attributes:
        kubectl: whether it acts on a cluster.
        docker_hosts: the addresses of the Docker daemons that build its images; none where it builds none.
        kind: whether a cluster has to be made.
        install: whether a missing pulumi may be downloaded into the private folder.
    """

    kubectl: bool = True
    docker_hosts: Sequence[str] = ()
    kind: bool = False
    install: bool = False


_KUBECTL = (
    "kubectl is not found: it talks to the cluster. Install it (https://kubernetes.io/docs/tasks/tools/)."
)
_KIND = (
    "kind is not found: it makes a cluster in Docker. Install it (https://kind.sigs.k8s.io), or name a cluster that "
    "you have: `make up CONTEXT=name`."
)
_DOCKER = "docker is not found: it builds the application's image. Install Docker (https://docs.docker.com/engine/install/)."


def find_tools(machine: Machine, private: Path, needs: Needs) -> Tools:
    """Return the programs.

    Args:
        machine: where to look.
        private: the folder into which pulumi may have been installed; it lies in `bin` there.
        needs: what is needed.

    Raises:
        ToolsMissingError: with a sentence for each that is missing. A pulumi that may be installed is none of them:
            then its path is empty.
    """
    missing: list[str] = []
    pulumi, version = _pulumi(machine, private, missing, install=needs.install)
    kubectl = _needed(machine, "kubectl", _KUBECTL, missing) if needs.kubectl else ""
    kind = _needed(machine, "kind", _KIND, missing) if needs.kind else ""
    docker = ""
    if needs.docker_hosts or needs.kind:
        docker = _needed(machine, "docker", _DOCKER, missing)
        for host in needs.docker_hosts if docker else ():
            missing += _silent_daemon(machine, docker, host)
    if missing:
        raise ToolsMissingError("\n".join(missing))
    return Tools(pulumi, version, kubectl, docker, kind)


def _needed(machine: Machine, program: str, sentence: str, missing: list[str]) -> str:
    found = machine.which(program)
    if found is None:
        missing.append(sentence)
    return found or ""


def _silent_daemon(machine: Machine, docker: str, host: str) -> list[str]:
    done = machine.run([docker, "--host", host, "version", "--format", "{{.Server.Version}}"], seconds=20)
    if done.code == 0 and done.out.strip():
        return []
    return [
        f"The Docker daemon at {host} does not answer ({done.said}). Start Docker; if it listens elsewhere, write its "
        "address into `slipway:image.dockerHost`."
    ]


def _pulumi(machine: Machine, private: Path, missing: list[str], *, install: bool) -> tuple[str, str]:
    named = machine.environment.get(PULUMI_VARIABLE, "")
    own = machine.which(str(private / "bin" / "pulumi"))
    found = machine.which(named) if named else machine.which("pulumi")
    if named and found is None:
        missing.append(
            f"{PULUMI_VARIABLE} names {named}, which is not found. Correct the path, or unset the variable."
        )
        return "", ""
    versions = {path: _version(machine, path) for path in (found, own) if path}
    for path, version in versions.items():
        if _numbers(version) >= _numbers(PULUMI_OLDEST):
            return path, version
    if not install or named:
        what = (
            f"pulumi {versions[found] or 'of an unknown version'} ({found}) is older than {PULUMI_OLDEST}"
            if found
            else "pulumi is not found: it is the engine that creates and changes the stack"
        )
        missing.append(f"{what}. Install its CLI {PULUMI_VERSION} (https://www.pulumi.com/docs/install/).")
    return "", ""


def _version(machine: Machine, program: str) -> str:
    done = machine.run(
        [program, "version"], environment={**machine.environment, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    )
    return done.out.strip().removeprefix("v") if done.code == 0 else ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers; none where it has none, which is older than any."""
    parts = version.partition("-")[0].partition("+")[0].split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()


def install_pulumi(private: Path, download: Callable[[str, str], None] | None = None) -> tuple[str, str]:
    """Install the pinned Pulumi CLI into a private folder and return its path and version.

    Args:
        private: the folder; the program goes to `bin` in it.
        download: installs a version (second) into a folder (first); the SDK's own installer where left out.

    Raises:
        OperateError: when it could not be downloaded.
    """
    try:
        (download or _install)(str(private), PULUMI_VERSION)
    except Exception as error:
        raise OperateError(
            f"pulumi {PULUMI_VERSION} could not be installed into {private / 'bin'} ({type(error).__name__}: {error}). "
            "Nothing was created. Install its CLI yourself (https://www.pulumi.com/docs/install/) and run this again."
        ) from None
    return os.path.abspath(private / "bin" / "pulumi"), PULUMI_VERSION


def _install(root: str, version: str) -> None:
    from pulumi.automation import PulumiCommand
    from semver import VersionInfo

    PulumiCommand.install(root=root, version=VersionInfo.parse(version))
