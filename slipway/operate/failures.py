"""What the engine and its providers say when something fails, in plain words: the resource, the reason, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable

from slipway.operate.progress import Problem
from slipway.operate.reach import is_store

_FIRST_LINES, _LAST_LINES = 4, 8

_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        r"ImagePullBackOff|ErrImagePull|failed to pull|pull access denied",
        "The cluster's nodes cannot get the image. Name a registry that they pull from: make up REGISTRY=host/path; or "
        "a command that brings it there: SLIPWAY_IMAGE_LOAD.",
    ),
    (
        r"exceeded quota|Insufficient (cpu|memory)|Unschedulable|FailedScheduling",
        "The nodes have too little left for what the pods request. Lower `resources.requests` in the stack file, stop "
        "other workloads, or give the cluster (Docker) more.",
    ),
    (
        r"Cannot connect to the Docker daemon|failed to connect to the docker API|docker\.sock",
        "Start Docker; if it listens elsewhere, write its address into `slipway:image.dockerHost`.",
    ),
    (
        r"failed to solve|docker build|executor failed running|returned a non-zero code",
        "The image does not build. The same by hand shows all of it: docker build --target production ./app",
    ),
    (r"no space left on device", "The disk is full. `docker system df` shows what Docker holds."),
    (
        r"already exists",
        "Somebody else made this object. Remove it, or give the stack another `slipway:app.namespace`.",
    ),
    (
        r"[Ff]orbidden|[Uu]nauthorized",
        "The kubeconfig's user may not do this. Take a context with more rights.",
    ),
    (
        r"connection refused|no such host|i/o timeout|handshake timeout|Kubernetes cluster is unreachable",
        "The cluster does not answer. Start it, then run this again: it goes on where it stopped.",
    ),
    (
        r"incorrect passphrase|passphrase must be set",
        "The secrets were encrypted with another passphrase: it belongs into .slipway/passphrase. If it is lost, the "
        "state cannot be read any more: delete the stack's namespace and the folder .slipway/, and begin anew.",
    ),
    (
        r"plugin|could not load|failed to install",
        "Pulumi downloads a plugin for each provider on first use: check the network, then run this again.",
    ),
    (r"currently locked", "Another run works on this stack. Wait until it ends."),
    (
        r"is protected|protect",
        "This holds data and is protected. Take `protect` off first if you mean to lose it.",
    ),
    (
        r"fully initialize|become live|[Tt]imed? ?out|ProgressDeadline|CrashLoopBackOff|BackoffLimitExceeded",
        "Look at why its pods do not become ready: {logs}. Then correct it and run this again: it goes on "
        "where it stopped.",
    ),
)
"""What to do about an error, by a pattern of its text; the first that matches counts."""

_TRACEBACK = re.compile(r"\n?Traceback \(most recent call last\):.*", re.S)
_NOISE = re.compile(
    r"^(\* )?(\d+ errors? occurred:|error: |python inline source runtime error: |sdk-v\S+: )*"
    r"(resource \S+ was (not )?successfully (created|updated)( by the Kubernetes API server)?"
    r"(, but the Kubernetes API server reported that it failed to fully initialize or become live)?: ?)?"
)
"""What Pulumi and its providers put before the reason."""

_POD_SUFFIX = re.compile(r"-[a-z0-9]{5}(?![a-z0-9-])")


def explain(problems: Iterable[Problem], services: Iterable[str] = ()) -> str:
    """Return the errors of a run, each with its resource, its reason and its remedy.

    Args:
        problems: what the engine reported.
        services: names of services, for whose pods there is `slipway logs`.
    """
    known = set(services)
    return "\n".join(dict.fromkeys(_explained(problem, known) for problem in problems))


def plain(text: str) -> str:
    """Return an error's text without traceback, the machinery's prefixes, repetitions, and more than one reads."""
    seen: dict[str, str] = {}
    for line in _TRACEBACK.sub("", text).splitlines():
        bare = _NOISE.sub("", line.strip())
        if bare:
            # Pods of one workload say the same thing; only the ends of their names differ.
            seen.setdefault(_POD_SUFFIX.sub("", bare), bare)
    lines = list(seen.values())
    if not lines:
        return "it failed without a word"
    if len(lines) > _FIRST_LINES + _LAST_LINES:
        # A build says at its end why it failed, Kubernetes at the beginning.
        lines = [*lines[:_FIRST_LINES], "…", *lines[-_LAST_LINES:]]
    return "\n    ".join(lines)


def remedy(text: str, resource: str, services: set[str]) -> str:
    """Return what to do about an error, empty where nothing is known.

    Args:
        text: what was said.
        resource: `Kind name`.
        services: names of services.
    """
    name = resource.rpartition(" ")[2]
    logs = f"slipway logs {name}" if name in services or is_store(name) else "kubectl describe pods"
    for pattern, words in _REMEDIES:
        if re.search(pattern, text):
            return words.format(logs=logs)
    return ""


def _explained(problem: Problem, services: set[str]) -> str:
    where = f"{problem.resource}: " if problem.resource else ""
    found = remedy(problem.text, problem.resource, services)
    return f"  {where}{plain(problem.text)}" + (f"\n    {found}" if found else "")
