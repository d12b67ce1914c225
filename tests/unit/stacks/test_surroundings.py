"""What stands around a stack: a hostile shell that changes nothing, and what a person is told in the end."""

import re
from pathlib import Path
from typing import Any

import pulumi_docker
import pulumi_kubernetes
import pulumi_random
import pulumi_tls
import pytest

from slipway.offline.record import record
from stacks.program import run
from tests.support.stacks import (
    ENVIRONMENTS,
    ROOT,
    config_of,
    recorded,
    shipped,
)


def read_by_the_sdks() -> set[str]:
    """Every variable that a provider's SDK would read in place of what the program says."""
    found: set[str] = set()
    for sdk in (pulumi_kubernetes, pulumi_docker, pulumi_random, pulumi_tls):
        for file in Path(str(sdk.__file__)).parent.glob("*.py"):
            found |= set(re.findall(r"get_env\w*\(['\"](\w+)", file.read_text(encoding="utf-8")))
    return found


def test_the_sdks_would_read_the_shell() -> None:
    assert {"KUBECONFIG", "DOCKER_HOST", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY"} <= read_by_the_sdks()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nothing_in_the_shell_changes_a_record(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = shipped(environment)
    hostile = {
        "AWS_REGION": "mars-1",
        "AWS_PROFILE": "nobody",
        "PULUMI_CONFIG": '{"slipway:environment": "prod"}',
        "PULUMI_CONFIG_SECRET_KEYS": '["slipway:services"]',
        "PULUMI_STACK": "other",
        "PULUMI_PROJECT": "other",
        "PULUMI_K8S_CLUSTER_IDENTIFIER": "other",
        "PULUMI_K8S_CLIENT_QPS": "1",
    }
    for name in read_by_the_sdks():
        hostile[name] = "true" if name.startswith("PULUMI_") else "/nowhere"
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    found = record(run, project="slipway", stack=environment, config=config_of(environment))
    assert found == expected


def test_the_cluster_is_the_one_that_the_stack_file_names() -> None:
    provider = shipped("local").one("pulumi:providers:kubernetes", "kubernetes")
    assert provider.get("kubeconfig") == "~/.kube/config"
    assert provider.get("context") == "kind-slipway"
    assert provider.get("clusterIdentifier") == "chat-local"
    stated = {key: value for key, value in provider.inputs.items() if value in ("true", "false")}
    assert stated == {
        "enableServerSideApply": "true",
        "enableConfigMapMutable": "false",
        "enableSecretMutable": "false",
        "enablePatchForce": "false",
        "upsertExistingObjects": "false",
        "deleteUnreachable": "false",
        "skipUpdateUnreachable": "false",
        "suppressDeprecationWarnings": "false",
        "suppressHelmHookWarnings": "false",
    }


def test_a_program_below_stacks_reads_neither_configuration_nor_clock_nor_shell() -> None:
    reading = re.compile(r"pulumi\.Config\b|os\.environ|getenv\(|time\.time|datetime|get_stack\(")
    for file in (ROOT / "components").rglob("*.py"):
        text = re.sub(r'"""(?:.|\n)*?"""|r?"""(?:.|\n)*?"""', "", file.read_text(encoding="utf-8"))
        assert not reading.search(text), file


def test_outputs_say_where_things_are_and_how_to_look_at_them() -> None:
    kubectl = "kubectl --kubeconfig ~/.kube/config --context kind-slipway --namespace chat-local"
    found = dict(shipped("local").outputs)
    shown: Any = found.pop("images")
    assert set(shown) == {"api", "frontend", "worker"}
    assert found == {
        "environment": "local",
        "namespace": "chat-local",
        "cluster": {"kubeconfig": "~/.kube/config", "context": "kind-slipway"},
        "database": "chat",
        "ports": {"api": 8000, "frontend": 8501, "worker": None},
        "urls": {},
        "commands": {
            "status": f"{kubectl} get pods,hpa,jobs",
            "logs-api": f"{kubectl} logs deployment/api --follow",
            "open-api": f"{kubectl} port-forward service/api 8000:8000",
            "logs-frontend": f"{kubectl} logs deployment/frontend --follow",
            "open-frontend": f"{kubectl} port-forward service/frontend 8501:8501",
            "logs-worker": f"{kubectl} logs deployment/worker --follow",
        },
    }


def test_outputs_name_the_addresses_of_routes_and_the_namespace_that_was_chosen() -> None:
    found = recorded("prod", {"app.namespace": "shop"}).outputs
    assert found["urls"] == {
        "api": ["https://api.chat.example.com/"],
        "frontend": ["https://chat.example.com/"],
    }
    assert found["namespace"] == "shop"
    commands: Any = found["commands"]
    assert commands["status"] == "kubectl --namespace shop get pods,hpa,jobs"
