"""A changed setting rolls who reads it and nobody else, and no request is lost meanwhile."""

from __future__ import annotations

from tests.support.cluster_pods import IdlePod
from tests.support.cluster_stack import PARTS, LiveStack

KEPT = ("worker", "postgres", "redis-cache")
PAUSE_SECONDS = 0.1
MINIMUM_OF_REQUESTS = 40


def _identities(stack: LiveStack) -> dict[str, list[str]]:
    return {part: stack.ready_pods(part) for part in PARTS}


def test_a_changed_setting_rolls_its_reader_alone_and_loses_no_request(
    stack: LiveStack, client: IdlePod, figures: list[str]
) -> None:
    before = _identities(stack)
    number = client.call("/notes", method="POST", body={"text": "asked for all the time"}).body["id"]
    stack.engine.configure({"slipway:services.api.env.LOG_LEVEL": "debug"}, path=True)

    with client.traffic(f"/notes/{number}", pause_seconds=PAUSE_SECONDS) as traffic:
        changed = stack.engine.up()
    after = _identities(stack)
    seen = stack.cluster.inside(stack.pod("api"), "printenv", "LOG_LEVEL").strip()
    figures.append(
        f"rollout of {len(before['api'])} pods: {changed.seconds:.0f} s,"
        f" {traffic.requests} requests answered, {len(traffic.failures)} failed"
    )

    # The migration runs with the environment of the service that it belongs to.
    assert changed.names() == {"ConfigMap api-env", "Deployment api", "Job migrate"}
    assert seen == "debug"
    assert not set(before["api"]) & set(after["api"])
    assert {part: after[part] for part in KEPT} == {part: before[part] for part in KEPT}
    assert traffic.failures == []
    assert traffic.requests > MINIMUM_OF_REQUESTS
