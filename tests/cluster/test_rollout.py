"""A changed setting rolls who reads it and nobody else, and under load nobody notices: three times."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster_load import Load, load
from tests.support.cluster_stack import API_PODS_UNDER_LOAD, PARTS, LiveStack

KEPT = ("worker", "frontend", "postgres", "redis-cache")
RATE = 120
"""Steady requests a second, half on new connections, half on kept ones; the promise is about 100."""
PROMISED_RATE = 100
LISTENERS = 4
RESTARTED = 1012
"""The close code by which a WebSocket is sent to another pod."""


def _identities(stack: LiveStack) -> dict[str, list[str]]:
    return {part: stack.ready_pods(part) for part in PARTS}


def _lost_nothing(seen: Load) -> None:
    """Every request was answered, and every WebSocket came back and missed nothing."""
    websockets = seen.report["websockets"]
    assert seen.failures == []
    assert seen.report["errors"] == []
    assert seen.report["rate"] >= PROMISED_RATE
    assert min(seen.report["connections"].values()) > 0
    assert websockets["reconnects"] >= LISTENERS
    assert set(websockets["closes"]) == {str(RESTARTED)}


@pytest.mark.parametrize("level", ["warning", "error", "info"])
def test_a_changed_setting_rolls_its_reader_alone_and_loses_no_request(
    held: LiveStack, doors: dict[str, str], figures: list[str], tmp_path: Path, level: str
) -> None:
    before = _identities(held)
    held.engine.configure({"slipway:services.api.env.LOG_LEVEL": level}, path=True)

    with load(
        tmp_path, doors["api"], users=2, writers=2, websockets=LISTENERS, write_seconds=1, rate=RATE
    ) as seen:
        changed = held.engine.up()
        # The old pods are still going: they finish what they serve.
        held.wait_settled("api", at_most=API_PODS_UNDER_LOAD)
    after = _identities(held)
    figures.append(f"rollout of {len(before['api'])} pods in {changed.seconds:.0f} s: {seen.summary}")

    # The migration runs with the environment of the service that it belongs to.
    assert changed.names() == {"ConfigMap api-env", "Deployment api", "Job migrate"}
    assert held.cluster.inside(held.pod("api"), "printenv", "LOG_LEVEL").strip() == level
    assert not set(before["api"]) & set(after["api"])
    assert {part: after[part] for part in KEPT} == {part: before[part] for part in KEPT}
    _lost_nothing(seen)
