"""The stacks of dev, staging and prod under the real engine.

Their managed parts can be previewed; what runs on Kubernetes is brought up on a cluster and stores
which somebody else runs.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stacks.program import run
from tests.support.engine import ROOT, EngineStack, Result
from tests.support.engine_secrets import generated_secrets, leaks, written_files

ENVIRONMENTS = ("dev", "staging", "prod")
CONFIGURED = {"databasePassword": "p/w:d@1%+&é-database", "redisPassword": "p/w:d@2%+&é-redis"}
RELEASE = "sha256:" + "ab" * 32


def _elsewhere(redis: list[str]) -> dict[str, object]:
    """The sections that put a stack on a cluster and stores of somebody else."""
    server = {"kind": "external", "host": "redis.example.com", "password": "redisPassword"}
    return {
        "slipway:cluster": {"kind": "existing", "context": "somewhere"},
        "slipway:database": {
            "kind": "external",
            "host": "db.example.com",
            "name": "chat",
            "user": "chat",
            "password": "databasePassword",
            "maxConnections": 5000,
        },
        "slipway:redis": {
            name: {**server, "purpose": purpose} for name, purpose in zip(redis, redis, strict=True)
        },
        "slipway:secrets": {
            "jwtSecret": {"generate": 48},
            **{name: {"config": name} for name in CONFIGURED},
        },
    }


class _Life:
    """One environment: its own preview and `up`, then a life on an existing cluster."""

    def __init__(self, folder: Path, environment: str) -> None:
        path = ROOT / f"Pulumi.{environment}.yaml"
        self.stack = stack = EngineStack(folder, run, stack=environment, stack_file=path)
        self.preview = stack.preview()
        self.refused = stack.up(check=False)
        sections = _elsewhere(["cache", "queue"])
        stack.configure({key: json.dumps(section) for key, section in sections.items()})
        self.without_secrets = stack.up(check=False)
        stack.configure({f"secrets:{key}": value for key, value in CONFIGURED.items()}, secret=True)
        self.runs: dict[str, Result] = {"up": stack.up(), "second up": stack.up()}
        self.secrets = {**generated_secrets(stack), **CONFIGURED}
        stack.configure({"slipway:release": RELEASE})
        self.runs["release"] = stack.up()
        self.files = written_files(stack.backend, stack.work)
        self.runs["destroy"] = stack.destroy()


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> _Life:
    """An environment, lived once; the tests read what happened."""
    return _Life(tmp_path_factory.mktemp(request.param), request.param)


def test_the_stack_as_it_is_can_be_previewed(life: _Life) -> None:
    assert {
        "Deployment api",
        "Deployment frontend",
        "Deployment worker",
        "Job migrate",
    } <= life.preview.names("create")


def test_managed_parts_are_refused_before_anything_is_made(life: _Life) -> None:
    assert "A managed AWS part" in life.refused.error
    assert life.refused.names() == {f"Stack slipway-{life.stack.name}"}


def test_secrets_without_a_value_are_refused_before_anything_is_made(life: _Life) -> None:
    for key in CONFIGURED:
        assert f"slipway secrets set {key} --stack {life.stack.name}" in life.without_secrets.error
    assert life.without_secrets.names() == set()


def test_a_second_up_changes_nothing(life: _Life) -> None:
    assert life.runs["second up"].names() == set()


def test_a_release_touches_the_migration_and_who_runs_the_image(life: _Life) -> None:
    release = life.runs["release"]

    assert release.names("replace") == {"Job migrate"}
    assert release.names("update") == {
        "Deployment api",
        "Deployment frontend",
        "Deployment worker",
        "CronJob purge",
    }
    assert release.names("create") | release.names("delete") == set()


def test_no_secret_is_printed_or_written_in_clear(life: _Life) -> None:
    printed = {name: result.text for name, result in life.runs.items()}

    assert "jwtSecret.result" in life.secrets
    assert leaks(life.secrets, {**printed, **life.files}) == []


def test_destroy_leaves_nothing(life: _Life) -> None:
    assert list(life.stack.cloud.objects()) == []
    assert life.stack.export().get("resources", []) == []
