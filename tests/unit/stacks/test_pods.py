"""What holds for every pod of every shipped stack, read from their records."""

from typing import Any

import pytest

from tests.support.stacks import (
    DEPLOYMENT,
    ENVIRONMENTS,
    JOB,
    REMOVED,
    STATEFUL_SET,
    containers,
    kubernetes_objects,
    pod_templates,
    refusals,
    shipped,
)

EVERY = pytest.mark.parametrize("environment", ENVIRONMENTS)


@EVERY
def test_every_container_has_requests_and_limits_of_cpu_and_memory(environment: str) -> None:
    found = dict(containers(shipped(environment)))
    assert {"Deployment/api/api", "Job/migrate/wait-for-stores", "CronJob/purge/purge"} <= found.keys()
    for where, container in found.items():
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) == {"cpu", "memory"}, where


@pytest.mark.parametrize(
    "missing", ["resources", "resources.requests", "resources.limits", "resources.limits.cpu"]
)
@pytest.mark.parametrize("service", ["api", "worker"])
@EVERY
def test_a_service_without_resources_is_refused(environment: str, service: str, missing: str) -> None:
    refused = refusals(environment, {f"services.{service}.{missing}": REMOVED})
    assert [one.partition(": ")[0] for one in refused] == [f"slipway:services.{service}.{missing}"]


@EVERY
def test_every_container_drops_all_privileges_and_has_a_read_only_root(environment: str) -> None:
    for where, container in containers(shipped(environment)):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }, where


@EVERY
def test_every_program_may_write_to_tmp(environment: str) -> None:
    for where, template in pod_templates(shipped(environment)):
        empty = {one["name"] for one in template["spec"]["volumes"] if "emptyDir" in one}
        for container in template["spec"]["containers"]:
            writable = {one["mountPath"] for one in container["volumeMounts"] if one["name"] in empty}
            assert "/tmp" in writable, where


@EVERY
def test_every_empty_volume_has_a_limit(environment: str) -> None:
    for where, template in pod_templates(shipped(environment)):
        for volume in template["spec"]["volumes"]:
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"].endswith("Mi"), where


@EVERY
def test_every_pod_runs_as_a_numeric_user_under_the_runtimes_seccomp_profile(environment: str) -> None:
    for where, template in pod_templates(shipped(environment)):
        security = template["spec"]["securityContext"]
        user = (
            999
            if where in ("StatefulSet/postgres", "StatefulSet/redis-cache", "Job/postgres-roles")
            else 1000
        )
        assert security == {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "fsGroup": user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }, where


@EVERY
def test_no_pod_gets_a_token_or_the_addresses_of_its_neighbours(environment: str) -> None:
    for where, template in pod_templates(shipped(environment)):
        assert template["spec"]["automountServiceAccountToken"] is False, where
        assert template["spec"]["enableServiceLinks"] is False, where


@EVERY
def test_no_service_account_brings_a_token_and_nothing_grants_rights(environment: str) -> None:
    objects = kubernetes_objects(shipped(environment))
    accounts = [one for one in objects if one.type.endswith(":ServiceAccount")]
    assert {one.name for one in accounts} == {"api", "frontend", "worker"}
    assert all(one.get("automountServiceAccountToken") is False for one in accounts)
    assert not [one.urn for one in objects if "rbac" in one.type]


@EVERY
def test_each_program_runs_as_the_account_of_its_service(environment: str) -> None:
    accounts = {
        where: template["spec"].get("serviceAccountName")
        for where, template in pod_templates(shipped(environment))
        if not where.startswith("StatefulSet/") and where != "Job/postgres-roles"
    }
    assert accounts == {
        "Deployment/api": "api",
        "Deployment/frontend": "frontend",
        "Deployment/worker": "worker",
        "Job/migrate": "api",
        "CronJob/purge": "worker",
    }


@EVERY
def test_the_namespace_is_restricted_in_every_mode(environment: str) -> None:
    namespace = shipped(environment).one("kubernetes:core/v1:Namespace", f"chat-{environment}")
    labels: Any = namespace.get("metadata", "labels")
    assert {key: value for key, value in labels.items() if key.startswith("pod-security")} == {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "latest",
        "pod-security.kubernetes.io/audit": "restricted",
        "pod-security.kubernetes.io/audit-version": "latest",
        "pod-security.kubernetes.io/warn": "restricted",
        "pod-security.kubernetes.io/warn-version": "latest",
    }
    assert labels["slipway.dev/owner"] == "platform-team"


@EVERY
def test_every_namespaced_object_stands_in_the_stacks_namespace_and_waits_for_it(environment: str) -> None:
    found = shipped(environment)
    namespace = found.one("kubernetes:core/v1:Namespace", f"chat-{environment}")
    others = [one for one in kubernetes_objects(found) if one != namespace]
    assert len(others) > 10
    for one in others:
        assert one.get("metadata", "namespace") == f"chat-{environment}", one.urn
        assert namespace.urn in one.dependencies, one.urn


@EVERY
def test_pods_are_selected_by_labels_that_they_have_and_that_never_change(environment: str) -> None:
    found = shipped(environment)
    for one in (*found.of_type(DEPLOYMENT), *found.of_type(STATEFUL_SET)):
        selected: Any = one.get("spec", "selector", "matchLabels")
        labels: Any = one.get("spec", "template", "metadata", "labels")
        assert selected == {"app.kubernetes.io/name": one.name, "app.kubernetes.io/part-of": "chat"}
        assert selected.items() <= labels.items()


@EVERY
def test_no_two_parts_have_pods_with_the_same_name(environment: str) -> None:
    names = [
        (where, template["metadata"]["labels"]["app.kubernetes.io/name"])
        for where, template in pod_templates(shipped(environment))
    ]
    assert len({name for _, name in names}) == len(names)
    assert all(where.rpartition("/")[2] == name for where, name in names)


@EVERY
def test_jobs_end_by_themselves(environment: str) -> None:
    for job in shipped(environment).of_type(JOB):
        assert job.get("spec", "template", "spec", "restartPolicy") == "Never"
        assert isinstance(job.get("spec", "activeDeadlineSeconds"), int)
        # A Job that vanished by itself would be run again after `pulumi refresh`.
        assert job.get("spec", "ttlSecondsAfterFinished") is None


@EVERY
def test_every_resource_belongs_to_an_explicit_provider(environment: str) -> None:
    found = shipped(environment)
    for one in found.registrations:
        if one.custom and not one.is_provider:
            package = one.type.partition(":")[0]
            assert found.by_urn(one.provider).type == f"pulumi:providers:{package}", one.urn


@EVERY
def test_every_object_belongs_to_a_component_of_ours(environment: str) -> None:
    found = shipped(environment)
    for one in found.registrations:
        if one.is_component:
            assert one.type.startswith("slipway:"), one.urn
        elif not one.is_provider:
            assert found.by_urn(one.parent).is_component, one.urn
