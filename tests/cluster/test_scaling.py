"""The autoscaler sees the API's CPU and gives it more pods under load."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from tests.support.cluster import wait_for
from tests.support.cluster_pods import IdlePod
from tests.support.cluster_stack import (
    API_PODS_MAXIMUM,
    API_PODS_MINIMUM,
    PARTS,
    LiveStack,
    part_selector,
)

METRICS_SECONDS = 60
SCALE_SECONDS = 90


@dataclass(frozen=True)
class _Scaled:
    """What the autoscaler made of a load: pods before and after, and the requests that failed meanwhile."""

    before: int
    after: int
    failures: list[str]


@pytest.fixture(scope="module")
def scaled(stack: LiveStack, client: IdlePod, figures: list[str]) -> _Scaled:
    # What is wanted, not what is ready: pods that are on their way are not the load's.
    before, began = int(stack.cluster.get("deployment", "api")["spec"]["replicas"]), time.monotonic()
    with client.traffic("/work?ms=200", clients=2, pause_seconds=0.1) as load:
        wait_for(
            "more pods that are ready", lambda: _replicas(stack) > before, seconds=SCALE_SECONDS, every=1
        )
    after, seconds = _replicas(stack), time.monotonic() - began
    figures.append(
        f"autoscaler: from {before} to {after} pods in {seconds:.0f} s, CPU seen at {_cpu_percent(stack)} %"
    )
    return _Scaled(before, after, load.failures)


def _cpu_percent(stack: LiveStack) -> int | None:
    """The CPU that the autoscaler sees, in percent of what the pods request."""
    for metric in stack.cluster.get("hpa", "api")["status"].get("currentMetrics") or ():
        measured = metric.get("resource", {})
        if measured.get("name") == "cpu" and "averageUtilization" in measured["current"]:
            return int(measured["current"]["averageUtilization"])
    return None


def _replicas(stack: LiveStack) -> int:
    return int(stack.cluster.get("deployment", "api")["status"].get("readyReplicas", 0))


def test_the_autoscaler_reads_a_cpu_figure(stack: LiveStack) -> None:
    wait_for("a CPU figure", lambda: _cpu_percent(stack) is not None, seconds=METRICS_SECONDS)
    conditions = {
        entry["type"]: entry["status"] for entry in stack.cluster.get("hpa", "api")["status"]["conditions"]
    }

    assert conditions["ScalingActive"] == conditions["AbleToScale"] == "True"


def test_the_api_gets_more_pods_under_load(scaled: _Scaled) -> None:
    assert scaled.before < scaled.after <= API_PODS_MAXIMUM
    assert scaled.failures == []


def test_a_second_up_changes_nothing_and_leaves_the_autoscalers_pods(
    stack: LiveStack, scaled: _Scaled
) -> None:
    before = {part: stack.ready_pods(part) for part in PARTS}
    again = stack.engine.up()

    assert again.names() == set()
    for part, pods in before.items():
        # The autoscaler may have added one meanwhile.
        assert set(pods) <= set(stack.ready_pods(part))
    assert len(stack.ready_pods("api")) >= scaled.after


def test_a_service_may_lose_its_autoscaler_and_get_it_back_and_keeps_its_pods(
    stack: LiveStack, scaled: _Scaled
) -> None:
    def up(least: int, most: int) -> int:
        for bound, pods in (("min", least), ("max", most)):
            stack.engine.configure({f"slipway:services.api.scaling.{bound}": str(pods)}, path=True)
        stack.engine.up()
        return int(stack.cluster.get("deployment", "api")["spec"]["replicas"])

    fixed = scaled.after + 1

    # The autoscaler's number is taken over; afterwards it begins with ours, and not with a single pod.
    assert up(fixed, fixed) == fixed
    assert stack.cluster.items("hpa", part_selector("api")) == []
    assert up(API_PODS_MINIMUM, max(API_PODS_MAXIMUM, fixed)) == fixed
