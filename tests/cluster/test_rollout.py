"""A changed setting rolls who reads it and nobody else, and under load nobody notices: three times in a row."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.cluster_load import Load, load
from tests.support.cluster_stack import API_PODS_UNDER_LOAD, PARTS, LiveStack
from tests.support.engine import Result

KEPT = ("worker", "frontend", "postgres", "redis-cache")
LEVELS = ("warning", "error", "info")
RATE = 125
"""Steady requests a second, half on new connections, half on kept ones; the promise is about 100."""
PROMISED_RATE = 100
LISTENERS = 4
RESTARTED = "1012"
"""The close code by which a WebSocket is sent to another pod."""

type Identities = dict[str, list[str]]


@dataclass(frozen=True)
class _Rollout:
    """One `up`: the pods before and after it, what it changed, and what the new ones read."""

    before: Identities
    after: Identities
    changed: Result
    level: str


@dataclass(frozen=True)
class _Rolled:
    """All of them, and what came of the load that lasted from before the first to after the last old pod."""

    rollouts: dict[str, _Rollout]
    seen: Load


def _identities(stack: LiveStack) -> Identities:
    return {part: stack.ready_pods(part) for part in PARTS}


def _roll(stack: LiveStack, level: str) -> _Rollout:
    before = _identities(stack)
    stack.engine.configure({"slipway:services.api.env.LOG_LEVEL": level}, path=True)
    changed = stack.engine.up()
    seen = stack.cluster.inside(stack.pod("api"), "printenv", "LOG_LEVEL").strip()
    return _Rollout(before, _identities(stack), changed, seen)


@pytest.fixture(scope="module")
def rolled(
    held: LiveStack, doors: dict[str, str], figures: list[str], tmp_path_factory: pytest.TempPathFactory
) -> _Rolled:
    people = {"users": 2, "writers": 2, "websockets": LISTENERS, "write_seconds": 1}
    with load(tmp_path_factory.mktemp("load"), doors["api"], **people, rate=RATE) as seen:
        rollouts = {level: _roll(held, level) for level in LEVELS}
        # The last old pods are still going: they finish what they serve.
        held.wait_settled("api", at_most=API_PODS_UNDER_LOAD)
    seconds = [f"{rollout.changed.seconds:.0f}" for rollout in rollouts.values()]
    figures.append(f"rollouts of {API_PODS_UNDER_LOAD} pods in {', '.join(seconds)} s: {seen.summary}")
    return _Rolled(rollouts, seen)


@pytest.mark.parametrize("level", LEVELS)
def test_a_changed_setting_rolls_its_reader_alone(rolled: _Rolled, level: str) -> None:
    rollout = rolled.rollouts[level]

    # The migration runs with the environment of the service that it belongs to.
    assert rollout.changed.names() == {"ConfigMap api-env", "Deployment api", "Job migrate"}
    assert rollout.level == level
    assert not set(rollout.before["api"]) & set(rollout.after["api"])
    assert {part: rollout.after[part] for part in KEPT} == {part: rollout.before[part] for part in KEPT}


def test_rollouts_lose_no_request_on_new_and_kept_connections(rolled: _Rolled) -> None:
    report = rolled.seen.report

    assert rolled.seen.failures == []
    assert report["failed_requests"] == 0
    assert report["rate"] >= PROMISED_RATE
    assert min(report["connections"][kind] for kind in ("new", "kept")) > 0


def test_a_websocket_is_sent_to_another_pod_and_misses_nothing(rolled: _Rolled) -> None:
    websockets = rolled.seen.report["websockets"]

    assert rolled.seen.report["errors"] == []
    assert set(websockets["closes"]) == {RESTARTED}
    assert websockets["reconnects"] >= LISTENERS * len(LEVELS)
    assert (websockets["missed"], websockets["duplicates"]) == (0, 0)
    assert websockets["received"] > 0
