"""Which changes replace an object, in which order, and what stays secret: as the real provider decides it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.engine.plugins import kubernetes_rules as rules
from tests.engine.plugins.values import UNKNOWN, Secret, plain_object


def _object(api_version: str, kind: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401 - manifests
    metadata = {"name": "it", "namespace": "app", "labels": {"a": "b"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **members}


def _changed(old: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    new = copy.deepcopy(old)
    *parents, last = path.split(".")
    place = new
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    return new


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("apps/v1", "Deployment", "spec.selector.matchLabels.app"),
        ("apps/v1", "StatefulSet", "spec.serviceName"),
        ("apps/v1", "StatefulSet", "spec.podManagementPolicy"),
        ("apps/v1", "StatefulSet", "spec.revisionHistoryLimit"),
        ("apps/v1", "StatefulSet", "spec.volumeClaimTemplates"),
        ("batch/v1", "Job", "spec.template.spec.restartPolicy"),
        ("batch/v1", "Job", "spec.completions"),
        ("batch/v1", "Job", "spec.parallelism"),
        ("v1", "Service", "spec.clusterIP"),
        ("v1", "PersistentVolumeClaim", "spec.storageClassName"),
        ("v1", "PersistentVolumeClaim", "spec.accessModes"),
        ("v1", "ConfigMap", "data.key"),
        ("v1", "Secret", "data.key"),
        ("v1", "Secret", "type"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef.name"),
        ("storage.k8s.io/v1", "StorageClass", "parameters.type"),
        ("v1", "ServiceAccount", "metadata.namespace"),
        ("v1", "ServiceAccount", "metadata.name"),
    ],
)
def test_a_change_of_what_is_fixed_replaces(api_version: str, kind: str, path: str) -> None:
    old = _changed(_object(api_version, kind), path, "old")
    found = rules.difference(old, _changed(old, path, "new"), old, frozenset())

    assert found.replaces


@pytest.mark.parametrize(
    ("api_version", "kind", "path"),
    [
        ("apps/v1", "Deployment", "spec.template.spec.serviceAccountName"),
        ("apps/v1", "StatefulSet", "spec.template.spec.serviceAccountName"),
        ("batch/v1", "CronJob", "spec.jobTemplate.spec.completions"),
        ("batch/v1", "Job", "spec.ttlSecondsAfterFinished"),
        ("v1", "Service", "spec.selector.app"),
        ("v1", "PersistentVolumeClaim", "spec.resources.requests.storage"),
        ("policy/v1", "PodDisruptionBudget", "spec.minAvailable"),
        ("networking.k8s.io/v1", "NetworkPolicy", "spec.podSelector"),
        ("v1", "ConfigMap", "metadata.labels.a"),
    ],
)
def test_any_other_change_is_an_update_in_place(api_version: str, kind: str, path: str) -> None:
    old = _changed(_object(api_version, kind), path, "old")
    found = rules.difference(old, _changed(old, path, "new"), old, frozenset())

    assert found.paths
    assert found.replaces == frozenset()


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_data_changes_in_place_only_where_the_provider_and_the_object_allow_it(kind: str) -> None:
    def replaced(mutable: frozenset[str], **members: bool) -> bool:
        old = _object("v1", kind, data={"key": "b2xk"}, **members)
        return bool(rules.difference(old, _changed(old, "data.key", "bmV3"), old, mutable).replaces)

    assert replaced(frozenset())
    assert not replaced(frozenset({kind}))
    assert replaced(frozenset({kind}), immutable=True)


def test_string_data_counts_as_the_data_it_becomes() -> None:
    old = _object("v1", "Secret", data={"key": "dmFsdWU="})

    assert (
        rules.difference(old, _object("v1", "Secret", stringData={"key": "value"}), old, frozenset()).paths
        == {}
    )


def test_a_name_that_stays_is_deleted_first_and_a_new_one_is_created_first() -> None:
    old = _object("v1", "ConfigMap", data={"key": "old"})
    same, renamed = _changed(old, "data.key", "new"), _changed(old, "metadata.name", "other")

    assert rules.difference(old, same, old, frozenset()).delete_before_replace
    assert not rules.difference(old, renamed, old, frozenset()).delete_before_replace


def test_a_name_that_is_not_known_yet_may_replace() -> None:
    old = _object("v1", "ConfigMap")
    found = rules.difference(old, _changed(old, "metadata.name", UNKNOWN), old, frozenset())

    assert found.replaces == {"metadata.name"}
    assert not found.delete_before_replace


def test_a_generated_name_is_kept_and_never_deleted_first() -> None:
    nameless = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"key": "old"}}
    old = rules.with_name(nameless, {}, "settings", b"\x01\x02\x03\x04")
    new = rules.with_name(_changed(nameless, "data.key", "new"), old, "settings", b"\x09\x09\x09\x09")
    found = rules.difference(old, new, old, frozenset())

    assert rules.name_of(old) == rules.name_of(new) == "settings-01020304"
    assert found.replaces == {"data.key"}
    assert not found.delete_before_replace


def test_data_of_a_secret_object_is_secret_even_where_the_program_gave_it_openly() -> None:
    outputs = rules.checkpoint(_object("v1", "Secret"), _object("v1", "Secret", data={"key": "dmFsdWU="}))

    assert isinstance(outputs["data"], Secret)


def test_a_list_that_holds_a_secret_is_secret_as_a_whole() -> None:
    inputs = _object("v1", "Pod", spec={"args": ["--token", Secret("t0ps3cret")], "node": "a"})
    marked = rules.with_secrets(plain_object(inputs), inputs)

    assert isinstance(marked["spec"], dict)
    assert isinstance(marked["spec"]["args"], Secret)
    assert marked["spec"]["node"] == "a"


def test_what_somebody_else_changed_is_drift_and_what_the_server_added_is_not() -> None:
    inputs = _object("apps/v1", "Deployment", spec={"replicas": 2, "paused": False})
    before = _object("apps/v1", "Deployment", spec={"replicas": 2, "paused": False, "progress": 600})
    now = _object("apps/v1", "Deployment", spec={"replicas": 5, "paused": False, "progress": 300})

    assert rules.drifted(inputs, before, now)["spec"] == {"replicas": 5, "paused": False}
    assert rules.drifted(inputs, {}, now) == inputs
