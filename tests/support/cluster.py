"""A real Kubernetes for tests: the one that KUBECONFIG names, whatever it is, asked by `kubectl`.

Everything goes to the current context as it was when the tests began: a copy of its entry, so that a
`kubectl config use-context` in another window never sends a test to another cluster.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.tools import missing, require_tool

type Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
TESTBED_LOAD = ROOT.parent / "shared" / "testbed" / "load"
"""Loads an image into the test cluster that may stand beside this repository."""

LOAD = "SLIPWAY_IMAGE_LOAD"
"""Environment variable: the command that brings an image of the docker daemon into the cluster."""


class KubectlError(AssertionError):
    """kubectl failed; the message is what it said."""


@dataclass(frozen=True)
class Cluster:
    """One namespace of one cluster.

    Attributes:
        kubectl: path of the program.
        kubeconfig: a file with this cluster's context alone.
        context: the name of that context.
        namespace: what commands are about.
    """

    kubectl: str
    kubeconfig: Path
    context: str
    namespace: str = "default"

    def within(self, namespace: str) -> Cluster:
        """Return the same cluster, about another namespace."""
        return replace(self, namespace=namespace)

    def command(self, *arguments: str) -> list[str]:
        """Return a kubectl command line."""
        return [
            self.kubectl,
            f"--kubeconfig={self.kubeconfig}",
            f"--context={self.context}",
            f"--namespace={self.namespace}",
            *arguments,
        ]

    def run(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """Run kubectl and return what it prints.

        Args:
            arguments: the command without cluster and namespace.
            stdin: its standard input.
            seconds: after which it counts as failed.

        Raises:
            KubectlError: with its standard error.
        """
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)[:200]}: {done.stderr.strip()}{done.stdout}")
        return done.stdout

    def get(self, kind: str, name: str) -> Json:
        """Return one object."""
        return json.loads(self.run("get", kind, name, "--output=json"))

    def items(self, kind: str, selector: str = "") -> list[Json]:
        """Return the objects of a kind, oldest first; selector: labels, as kubectl takes them."""
        found = json.loads(self.run("get", kind, f"--selector={selector}", "--output=json"))
        return sorted(found["items"], key=lambda item: item["metadata"]["creationTimestamp"])

    def apply(self, *objects: Mapping[str, object], dry_run: bool = False) -> str:
        """Apply objects; dry_run: only ask the server whether it would take them."""
        documents = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        return self.run("apply", "--filename=-", *(["--dry-run=server"] if dry_run else []), stdin=documents)

    def inside(self, pod: str, *command: str, stdin: str | None = None, seconds: float = 60) -> str:
        """Run a command in a pod's first container and return what it prints."""
        flags = ("--stdin",) if stdin is not None else ()
        return self.run("exec", *flags, pod, "--", *command, stdin=stdin, seconds=seconds)


def wait_for[T](what: str, question: Callable[[], T | None], *, seconds: float, every: float = 0.5) -> T:
    """Ask until there is an answer that is true, and return it.

    Args:
        what: what is waited for, for the message.
        question: gives the answer, or something false; a `KubectlError` counts as no answer yet.
        seconds: how long at the most.
        every: seconds between two questions.

    Raises:
        AssertionError: with the last answer, when the time is over.
    """
    deadline, last = time.monotonic() + seconds, "no answer"
    while True:
        try:
            answer = question()
        except KubectlError as error:
            answer, last = None, str(error)
        else:
            last = repr(answer)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}; last: {last}")
        time.sleep(every)


def require_cluster(folder: Path) -> Cluster:
    """Return the cluster of KUBECONFIG; skips (fails in CI) where there is none that these tests can use.

    Args:
        folder: where a kubeconfig with its context alone is written.
    """
    if not os.environ.get("KUBECONFIG"):
        missing(
            "KUBECONFIG is not set: it names the cluster on which the local stack is tried (its current context)."
            " It is never guessed, since a stack is brought up and destroyed there."
        )
    kubectl = require_tool("kubectl", why="try the stack on a cluster")
    shown = _ask([kubectl, "config", "view", "--minify", "--flatten", "--raw", "--output=json"])
    if not shown:
        missing(f"KUBECONFIG={os.environ['KUBECONFIG']} has no current context that can be read.")
    kubeconfig = folder / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(shown)
    cluster = Cluster(kubectl, kubeconfig, json.loads(shown)["current-context"])
    for path, sentence in (
        ("/readyz", "does not answer"),
        (
            "/apis/metrics.k8s.io/v1beta1/nodes",
            "has no metrics API, by which pods are scaled: install metrics-server",
        ),
    ):
        if not _ask(cluster.command("get", "--raw", path)):
            missing(f"The cluster of the context {cluster.context} {sentence}.")
    return cluster


def require_docker() -> None:
    """Skip (fail in CI) where no Docker daemon answers."""
    docker = require_tool("docker", why="build the application's image")
    if not _ask([docker, "version", "--format={{.Server.Version}}"]):
        missing("The Docker daemon does not answer: it builds the application's image.")


def image_load_command(context: str) -> str:
    """Return the command that brings an image into the cluster; empty where its nodes use this daemon's images.

    Args:
        context: the name of the cluster's context.
    """
    if LOAD in os.environ:
        return os.environ[LOAD]
    if context.startswith("kind-"):
        kind = require_tool("kind", why="load the application's image into the cluster")
        return f"{kind} load docker-image --name {context.removeprefix('kind-')}"
    return str(TESTBED_LOAD) if TESTBED_LOAD.exists() else ""


def _ask(command: list[str]) -> str:
    """What a command prints, or nothing when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""
