"""An error names the resource, the reason and what to do; never a traceback, never a page of repetitions."""

from __future__ import annotations

import pytest

from slipway.operate.failures import explain, plain
from slipway.operate.progress import Problem

AWAIT = (
    '1 error occurred:\n\t* resource "urn:pulumi:local::slipway::kubernetes:batch/v1:Job::migrate" was successfully '
    "created, but the Kubernetes API server reported that it failed to fully initialize or become live: "
    "BackoffLimitExceeded: Job has reached the specified backoff limit\n"
    "  Pod migrate-90be-5ph6b: Error: no such program\n"
    "  Pod migrate-90be-bn6kj: Error: no such program\n"
)


def test_the_reason_stands_first_and_pods_that_say_the_same_say_it_once() -> None:
    assert plain(AWAIT).splitlines() == [
        "BackoffLimitExceeded: Job has reached the specified backoff limit",
        "    Pod migrate-90be-5ph6b: Error: no such program",
    ]


def test_a_traceback_is_never_shown() -> None:
    text = 'python inline source runtime error: no such key\nTraceback (most recent call last):\n  File "x.py", line 1'
    assert plain(text) == "no such key"
    assert plain("Traceback (most recent call last):\n  boom") == "it failed without a word"


def test_of_a_long_text_beginning_and_end_are_shown() -> None:
    lines = plain("\n".join(f"step {number}" for number in range(100))).splitlines()
    assert [line.strip() for line in lines] == [
        *(f"step {number}" for number in range(4)),
        "…",
        *(f"step {number}" for number in range(92, 100)),
    ]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("Back-off pulling image: ImagePullBackOff", "REGISTRY=host/path"),
        ("0/1 nodes are available: Insufficient cpu", "resources.requests"),
        ("pods is forbidden: exceeded quota: quota", "resources.requests"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "Start Docker"),
        ("failed to solve: process did not complete", "docker build"),
        ("write /x: no space left on device", "docker system df"),
        ('namespaces "chat" already exists', "slipway:app.namespace"),
        ("namespaces is forbidden: User cannot create", "more rights"),
        ("dial tcp 127.0.0.1:6443: connect: connection refused", "Start it"),
        ("get stack secrets manager: incorrect passphrase", ".slipway/passphrase"),
        ("could not load plugin for kubernetes provider", "check the network"),
        ("the stack is currently locked by 1 lock(s)", "Another run"),
        ("resource cannot be deleted because it is protected", "`protect` off"),
    ],
)
def test_an_error_that_is_known_comes_with_what_to_do(text: str, remedy: str) -> None:
    assert remedy in explain([Problem("Deployment api", text)], ["api"])


@pytest.mark.parametrize(
    ("resource", "command"),
    [
        ("Deployment api", "slipway logs api"),
        ("Job migrate", "slipway logs migrate"),
        ("StatefulSet redis-cache", "slipway logs redis-cache"),
        ("Deployment other", "kubectl describe pods"),
    ],
)
def test_pods_that_do_not_become_ready_are_looked_at_by_their_logs(resource: str, command: str) -> None:
    assert command in explain([Problem(resource, AWAIT)], ["api"])


def test_each_problem_is_told_once_with_its_resource() -> None:
    problem = Problem("Deployment api", "odd")
    assert explain([problem, problem, Problem("", "odd")]) == "  Deployment api: odd\n  odd"
