"""Who reaches whom: what `stacks/flows.py` does not name is closed, on the wire."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.cluster import wait_for
from tests.support.cluster_pods import IdlePod, pod, start_pods
from tests.support.cluster_stack import APPLICATION, LiveStack

POLICY_SECONDS = 20
"""A NetworkPolicy takes a moment to act on a new pod, which is open until then."""

POSTGRES, REDIS, API = "postgres:5432", "redis-cache:6379", "api:8000"


@dataclass(frozen=True)
class _Neighbours:
    """A pod with the labels of the purge, which may use both stores, and one without any that is known."""

    purge: IdlePod
    stranger: IdlePod


@pytest.fixture(scope="module")
def neighbours(stack: LiveStack) -> _Neighbours:
    labels = {"app.kubernetes.io/name": "purge", "app.kubernetes.io/part-of": APPLICATION}
    image = stack.image
    return _Neighbours(*start_pods(stack.cluster, pod("like-purge", image, labels), pod("stranger", image)))


def _addresses(stack: LiveStack) -> list[str]:
    """The stores and the API by the addresses of their Services and of their pods: no name has to be found."""
    return [
        f"{address}:{port}"
        for part, _, port in (endpoint.partition(":") for endpoint in (POSTGRES, REDIS, API))
        for address in (
            stack.cluster.get("service", part)["spec"]["clusterIP"],
            stack.pods(part)[0]["status"]["podIP"],
        )
    ]


def _settled(pod: IdlePod, wanted: dict[str, bool]) -> dict[str, bool]:
    """Wait until a pod reaches exactly what is wanted, then return what it reaches a moment later."""
    wait_for(f"{pod.name} to reach what it may", lambda: pod.reach(*wanted) == wanted, seconds=POLICY_SECONDS)
    return pod.reach(*wanted)


def test_a_pod_with_the_allowed_flows_reaches_both_stores_and_not_the_api(neighbours: _Neighbours) -> None:
    wanted = {POSTGRES: True, REDIS: True, API: False}

    assert _settled(neighbours.purge, wanted) == wanted


def test_a_pod_without_a_flow_reaches_nothing(stack: LiveStack, neighbours: _Neighbours) -> None:
    wanted = dict.fromkeys(_addresses(stack), False)

    assert _settled(neighbours.stranger, wanted) == wanted


def test_a_pod_that_may_go_anywhere_is_refused_by_the_stores_themselves(client: IdlePod) -> None:
    wanted = {POSTGRES: False, REDIS: False, API: True}

    assert _settled(client, wanted) == wanted
