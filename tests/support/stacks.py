"""Stacks for unit tests: the shipped ones and small changes of them, each run once by the offline recorder.

A change is written as the path in the stack file and the new value, so that a test shows what it varies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from slipway.offline.model import Json, Record, Registration
from slipway.offline.record import record
from stacks.config.problems import SettingsError
from stacks.config.stackfile import read_stack_file
from stacks.load import load_settings
from stacks.program import run
from stacks.settings import Settings
from tests.support.mocks import Run, run_live

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("local", "dev", "staging", "prod")
REMOVED = object()
"""As the value of a change: the key is taken out of the stack file."""

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
JOB = "kubernetes:batch/v1:Job"
CRON_JOB = "kubernetes:batch/v1:CronJob"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET_TYPE = "kubernetes:core/v1:Secret"
SERVICE = "kubernetes:core/v1:Service"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
PDB = "kubernetes:policy/v1:PodDisruptionBudget"

PROBES = {"liveness": {"path": "/live"}, "readiness": {"path": "/ready"}}
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}
ALONE: dict[str, Any] = {
    "cronJobs": REMOVED,
    "migrations": REMOVED,
    "database": REMOVED,
    "redis": REMOVED,
    "secrets": REMOVED,
    "services": {"web": {"role": "api", "port": 8000, "probes": PROBES, "resources": RESOURCES}},
}
"""The changes that leave one service and nothing that it would need."""


@cache
def _shipped(environment: str) -> Mapping[str, Json]:
    config = read_stack_file(ROOT / f"Pulumi.{environment}.yaml").config
    return {key.partition(":")[2]: _read(text) for key, text in config.items()}


def _read(text: str) -> Json:
    return json.loads(text) if text.startswith(("{", "[")) else text


def document(environment: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The sections of a shipped stack file with changes.

    Args:
        environment: local, dev, staging or prod.
        changes: the path (`services.api.scaling.max`) to its new value, or to REMOVED.
    """
    found: dict[str, Any] = deepcopy(dict(_shipped(environment)))
    for path, value in (changes or {}).items():
        *folders, last = path.split(".")
        place = found
        for step in folders:
            place = place.setdefault(step, {})
        if value is REMOVED:
            place.pop(last, None)
        else:
            place[last] = deepcopy(value)
    return found


def config_of(environment: str, changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """A changed stack file as the configuration that the engine would hand to the program."""
    return {
        key if ":" in key else f"slipway:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in document(environment, changes).items()
    }


def settings_of(environment: str, changes: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a changed stack file; raises SettingsError."""
    return load_settings(config_of(environment, changes), frozenset(), None)


def refusals(environment: str, changes: Mapping[str, Any]) -> list[str]:
    """What is refused in a changed stack file, each as `key: what | why | remedy`."""
    try:
        settings_of(environment, changes)
    except SettingsError as error:
        return [f"{one.key}: {one.what} | {one.why} | {one.remedy}" for one in error.problems]
    return []


def recorded(
    environment: str,
    changes: Mapping[str, Any] | None = None,
    *,
    secret_keys: tuple[str, ...] = (),
    preview: bool = True,
) -> Record:
    """The record of a changed stack, made once for equal changes."""
    config = tuple(config_of(environment, changes).items())
    return _recorded(environment, config, secret_keys, preview)


@cache
def _recorded(
    stack: str, config: tuple[tuple[str, str], ...], secret_keys: tuple[str, ...], preview: bool
) -> Record:
    return record(
        run, project="slipway", stack=stack, config=dict(config), secret_keys=secret_keys, preview=preview
    )


@cache
def live_local() -> Run:
    """What `up` of the shipped local stack registers, secrets readable; made once."""
    return live("local")


def live(environment: str, changes: Mapping[str, Any] | None = None) -> Run:
    """What `up` of a changed stack registers, secrets readable; raises what the program raises."""
    config = config_of(environment, changes)
    secret_keys = [key for key in config if key.startswith("secrets:")]
    return run_live(run, stack=environment, config=config, secret_keys=secret_keys)


@cache
def shipped(environment: str) -> Record:
    """The record of a shipped stack, made once."""
    return recorded(environment)


def kubernetes_objects(found: Record) -> list[Registration]:
    """Every Kubernetes object of a record."""
    return [one for one in found.registrations if one.type.startswith("kubernetes:")]


def pod_templates(found: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `kind/name` and the pod template of everything that starts pods."""
    paths = {CRON_JOB: ("spec", "jobTemplate", "spec", "template")}
    for one in found.registrations:
        if one.type in (DEPLOYMENT, STATEFUL_SET, JOB, CRON_JOB):
            template = one.get(*paths.get(one.type, ("spec", "template")))
            assert isinstance(template, dict)
            yield f"{one.type.rpartition(':')[2]}/{one.name}", template


def containers(found: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `kind/name/container` and each container, those included that run first."""
    for where, template in pod_templates(found):
        spec = template["spec"]
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            yield f"{where}/{container['name']}", container


def dependency_names(one: Registration) -> set[str]:
    """What a resource waits for, each as `Kind/name`."""
    return {f"{urn.split('::')[2].rpartition(':')[2]}/{urn.split('::')[3]}" for urn in one.dependencies}
