"""The program itself under the real engine: the `local` stack from its first `up` to its end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from slipway.operate.lock import clear_dead_locks
from slipway.operate.resume import finish_interrupted
from stacks.program import run
from tests.engine.plugins.cloud import Call
from tests.engine.plugins.package import DELAYS
from tests.support.engine import ROOT, EngineStack, Result
from tests.support.engine_child import ChildUp
from tests.support.engine_secrets import generated_secrets, leaks, written_files

IMAGE_USERS = {"Deployment api", "Deployment frontend", "Deployment worker", "CronJob purge"}
MIGRATION_SECONDS = 0.7
"""Long enough for a rollout that does not wait for its migration to begin too early."""


def _stack(folder: Path) -> EngineStack:
    slow = {DELAYS: json.dumps({"Job migrate": MIGRATION_SECONDS, "Job postgres-roles": MIGRATION_SECONDS})}
    return EngineStack(folder, run, stack="local", stack_file=ROOT / "Pulumi.local.yaml", environment=slow)


class _Life:
    """One stack through a release, a changed setting and a move to another checkout."""

    def __init__(self, folder: Path) -> None:
        self.stack = stack = _stack(folder / "first")
        self.runs: dict[str, Result] = {"preview": stack.preview(), "up": stack.up(), "second up": stack.up()}
        self.first_calls = stack.cloud.calls()
        self.secrets = generated_secrets(stack)
        self.outputs = stack.outputs()
        self.state = stack.export()

        with (stack.work / "app" / "slipway_app" / "__init__.py").open("a") as source:
            source.write('\nRELEASE = "the next one"\n')
        self.runs["new image"] = stack.up()
        self.release_calls = stack.cloud.calls()[len(self.first_calls) :]
        stack.configure({"slipway:services.api.env.LOG_LEVEL": "debug"}, path=True)
        self.runs["new setting"] = stack.up()
        self.runs["refresh"] = stack.refresh()

        shutil.copytree(stack.folder, folder / "moved", symlinks=True)
        self.moved = _stack(folder / "moved")
        self.runs["moved"] = self.moved.up()
        self.files = written_files(stack.backend, stack.work)
        self.runs["destroy"] = stack.destroy()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> _Life:
    """The stack, lived once; the tests read what happened."""
    return _Life(tmp_path_factory.mktemp("local"))


def test_up_creates_what_the_preview_announced(life: _Life) -> None:
    assert life.runs["up"].changes.keys() == life.runs["preview"].changes.keys()
    assert len(life.runs["up"].changes) > 50


@pytest.mark.parametrize("run", ["second up", "refresh", "moved"])
def test_nothing_changes_without_a_reason(life: _Life, run: str) -> None:
    assert life.runs[run].names() == set()


def test_a_new_image_touches_the_image_the_migration_and_who_runs_it(life: _Life) -> None:
    release = life.runs["new image"]

    assert release.names("update") == {"Image app", *IMAGE_USERS}
    assert release.names("replace") == {"Job migrate"}
    assert release.names() == {"Image app", "Job migrate", *IMAGE_USERS}


def test_a_new_setting_touches_its_config_map_and_exactly_who_reads_it(life: _Life) -> None:
    changed = life.runs["new setting"]

    assert changed.names("update") == {"Deployment api"}
    # The migration runs with the environment of the service whose image it is.
    assert changed.names("replace") == {"ConfigMap api-env", "Job migrate"}
    assert changed.names("create") | changed.names("delete") == set()


def _when(calls: list[Call], name: str, phase: str) -> float:
    """The moment at which a resource's change began or ended."""
    (moment,) = [
        call.at
        for call in calls
        if call.urn.endswith(f":{name}") and call.phase == phase and call.method in ("create", "update")
    ]
    return moment


@pytest.mark.parametrize("calls", ["first_calls", "release_calls"])
@pytest.mark.parametrize("workload", ["Deployment::api", "Deployment::worker"])
def test_a_rollout_starts_after_its_migration_has_finished(life: _Life, calls: str, workload: str) -> None:
    journal: list[Call] = getattr(life, calls)

    assert _when(journal, "Job::migrate", "end") <= _when(journal, workload, "start")


def test_migrations_run_after_the_application_role_exists(life: _Life) -> None:
    assert _when(life.first_calls, "Job::postgres-roles", "end") <= _when(
        life.first_calls, "Job::migrate", "start"
    )


def test_no_generated_secret_is_printed_or_written_in_clear(life: _Life) -> None:
    printed = {name: result.text for name, result in life.runs.items()}

    assert {"postgres-app.result", "jwtSecret.result", "authority-key.privateKeyPem"} <= life.secrets.keys()
    assert leaks(life.secrets, {**printed, **life.files, "outputs": json.dumps(life.outputs)}) == []


def test_the_state_holds_no_password_outside_its_encryption(life: _Life) -> None:
    for resource in life.state["resources"]:
        for place in ("inputs", "outputs"):
            values = resource.get(place) or {}
            if resource["type"] == "kubernetes:core/v1:Secret":
                for key in ("data", "stringData"):
                    assert "ciphertext" in values.get(key, {"ciphertext": ""}), resource["urn"]


def test_destroy_leaves_nothing(life: _Life) -> None:
    assert list(life.stack.cloud.objects()) == []
    assert life.stack.export().get("resources", []) == []


@pytest.mark.parametrize("victim", ["postgres", "api"])
def test_an_up_that_was_killed_is_finished_by_the_next(tmp_path: Path, victim: str) -> None:
    stack = _stack(tmp_path)
    kind = {"postgres": "StatefulSet", "api": "Deployment"}[victim]
    wanted = (f"kubernetes:apps/v1:{kind}", f"chat-local/{victim}")
    child = ChildUp(stack, {DELAYS: json.dumps({f"{kind} {victim}": 60})})
    child.kill_when(lambda: wanted in set(stack.cloud.objects()))

    (lock,) = clear_dead_locks(stack.backend.as_uri(), project=stack.project, stack=stack.name)
    completion = finish_interrupted(stack.pulumi, since=lock.since)

    assert any(urn.endswith(f"{kind}::{victim}") for urn in completion.adopted)
    assert stack.up().names("create")
    assert stack.up().names() == set()
    stack.destroy()
    assert list(stack.cloud.objects()) == []
