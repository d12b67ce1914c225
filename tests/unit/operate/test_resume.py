"""What a killed `up` was creating is entered, confirmed, or created again; never guessed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from slipway.operate.resume import ForeignObjectsError, completed_state, finish_interrupted, kubernetes_id

CONFIG_MAP = "urn:pulumi:local::slipway::kubernetes:core/v1:ConfigMap::api-env"
PASSWORD = "urn:pulumi:local::slipway::random:index/randomPassword:RandomPassword::postgres"
BUCKET = "urn:pulumi:local::slipway::aws:s3/bucket:Bucket::backups"


def _resource(
    urn: str, *, name: str | None = None, namespace: str | None = "app", **extra: object
) -> dict[str, Any]:
    metadata = {key: value for key, value in (("name", name), ("namespace", namespace)) if value}
    kind = urn.split("::")[2].rsplit("$", 1)[-1]
    inputs: dict[str, Any] = {"metadata": metadata} if name else {"length": 32}
    return {"urn": urn, "type": kind, "custom": True, "inputs": inputs, **extra}


def _state(
    *resources: dict[str, Any], creating: Sequence[dict[str, Any]] = (), **operations: dict[str, Any]
) -> dict[str, Any]:
    pending = [{"type": "creating", "resource": resource} for resource in creating]
    pending += [{"type": kind, "resource": resource} for kind, resource in operations.items()]
    return {"version": 3, "deployment": {"resources": list(resources), "pending_operations": pending}}


class Pulumi:
    """Pulumi as far as it matters here: it keeps a state, and a refresh knows what the cluster holds."""

    def __init__(self, state: dict[str, Any], exists: dict[str, str]) -> None:
        """Args: exists: id to creation time of what the cluster holds."""
        self.state = state
        self.exists = exists
        self.commands: list[str] = []

    def __call__(self, arguments: Sequence[str], standard_input: str | None) -> str:
        self.commands.append(" ".join(arguments[:2]))
        resources = self.state["deployment"]["resources"]
        if arguments[0] == "refresh":
            targets = arguments[arguments.index("--target") + 1 :: 2]
            self.state["deployment"]["resources"] = [
                self._read(r) for r in resources if self._stays(r, targets)
            ]
        elif arguments[1] == "import":
            self.state = json.loads(standard_input or "")
        elif arguments[1] == "delete":
            self.state["deployment"]["resources"] = [r for r in resources if r["urn"] != arguments[2]]
        return json.dumps(self.state)

    def _stays(self, resource: dict[str, Any], targets: Sequence[str]) -> bool:
        return resource["urn"] not in targets or resource["id"] in self.exists

    def _read(self, resource: dict[str, Any]) -> dict[str, Any]:
        created = self.exists.get(resource.get("id", ""))
        return {**resource, "outputs": {"metadata": {"creationTimestamp": created}}} if created else resource


def _urns(state: dict[str, Any]) -> list[str]:
    return [resource["urn"] for resource in state["deployment"]["resources"]]


def test_a_state_without_interrupted_creations_is_only_read() -> None:
    pulumi = Pulumi(_state(_resource(CONFIG_MAP, name="api-env")), {})

    assert finish_interrupted(pulumi).adopted == ()
    assert pulumi.commands == ["stack export"]


def test_an_object_that_the_killed_run_created_is_adopted() -> None:
    pulumi = Pulumi(
        _state(creating=[_resource(CONFIG_MAP, name="api-env")]), {"app/api-env": "2026-11-21T10:00:05Z"}
    )

    done = finish_interrupted(pulumi, since=datetime(2026, 11, 21, 10, 0, tzinfo=UTC))

    assert done.adopted == (CONFIG_MAP,)
    assert pulumi.state["deployment"]["pending_operations"] == []
    assert pulumi.state["deployment"]["resources"][0]["id"] == "app/api-env"


def test_an_object_that_was_not_created_yet_is_left_to_the_next_up() -> None:
    pulumi = Pulumi(_state(creating=[_resource(CONFIG_MAP, name="api-env")]), {})

    done = finish_interrupted(pulumi)

    assert (done.adopted, done.repeated) == ((), (CONFIG_MAP,))
    assert _urns(pulumi.state) == []


def test_an_object_older_than_the_killed_run_is_not_taken_over() -> None:
    pulumi = Pulumi(
        _state(creating=[_resource(CONFIG_MAP, name="api-env")]), {"app/api-env": "2026-11-20T10:00:00Z"}
    )

    with pytest.raises(ForeignObjectsError, match=r"ConfigMap app/api-env[\s\S]*`pulumi import`"):
        finish_interrupted(pulumi, since=datetime(2026, 11, 21, 10, 0, tzinfo=UTC))
    assert _urns(pulumi.state) == []


def test_what_lives_in_the_state_alone_is_created_again() -> None:
    pulumi = Pulumi(_state(creating=[_resource(PASSWORD)]), {})

    assert finish_interrupted(pulumi).repeated == (PASSWORD,)
    assert pulumi.commands == ["stack export", "stack import"]
    assert pulumi.state["deployment"]["pending_operations"] == []


def test_a_resource_that_cannot_be_found_by_its_name_keeps_pulumis_note() -> None:
    state = _state(creating=[_resource(BUCKET)])
    pulumi = Pulumi(state, {})

    assert finish_interrupted(pulumi).unknown == (BUCKET,)
    assert pulumi.state == state


def test_other_interrupted_operations_are_left_to_pulumi() -> None:
    updating = _resource(CONFIG_MAP, name="api-env")

    state, plan = completed_state(_state(updating, updating=updating))

    assert plan.adopted == ()
    assert state["deployment"] == _state(updating, updating=updating)["deployment"]


def test_a_component_is_created_again() -> None:
    component = {**_resource("urn:pulumi:local::slipway::slipway:workload:Workload::api"), "custom": False}

    assert completed_state(_state(creating=[component]))[1].repeated == (component["urn"],)


def test_the_object_which_a_replacement_leaves_behind_is_marked_for_deletion() -> None:
    old = _resource(CONFIG_MAP, name="api-env-1", id="app/api-env-1")
    state, _ = completed_state(_state(old, creating=[_resource(CONFIG_MAP, name="api-env-2")]))

    deployment: Any = state["deployment"]
    assert [(one["id"], one.get("delete", False)) for one in deployment["resources"]] == [
        ("app/api-env-1", True),
        ("app/api-env-2", False),
    ]


def test_the_object_which_was_deleted_for_a_replacement_is_forgotten() -> None:
    old = _resource(CONFIG_MAP, name="api-env", id="app/api-env", pendingReplacement=True)
    state, _ = completed_state(_state(old, creating=[_resource(CONFIG_MAP, name="api-env")]))

    deployment: Any = state["deployment"]
    assert [one.get("pendingReplacement") for one in deployment["resources"]] == [None]


@pytest.mark.parametrize(
    ("resource", "identity"),
    [
        (_resource(CONFIG_MAP, name="api-env"), "app/api-env"),
        (_resource(CONFIG_MAP, name="api-env", namespace=None), "api-env"),
        (_resource(CONFIG_MAP), None),
        (_resource(PASSWORD, name="x"), None),
        ({"urn": CONFIG_MAP, "type": "kubernetes:core/v1:ConfigMap"}, None),
    ],
)
def test_the_id_of_an_object_follows_from_its_inputs(resource: dict[str, Any], identity: str | None) -> None:
    assert kubernetes_id(resource) == identity
