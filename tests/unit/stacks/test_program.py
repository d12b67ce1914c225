"""The program as a whole: in both modes, with a wrong configuration, by its entry."""

import re
import runpy
import time
from pathlib import Path
from typing import Any

import pulumi
import pytest

from slipway.offline.model import SECRET
from slipway.offline.record import record
from stacks.config.problems import SettingsError
from stacks.program import run
from tests.support.mocks import Run, run_live
from tests.support.stacks import (
    ALONE,
    CONFIG_MAP,
    HPA,
    JOB,
    PDB,
    ROOT,
    SECRET_TYPE,
    config_of,
    kubernetes_objects,
    live,
    live_local,
    recorded,
    shipped,
)


@pytest.fixture(scope="module")
def up() -> Run:
    return live_local()


def test_up_creates_exactly_what_the_preview_shows(up: Run) -> None:
    shown = {(one.type, one.name) for one in shipped("local").registrations}
    assert up.resources.keys() == shown
    assert len(shown) == 75


def test_up_creates_budgets_and_autoscalers_as_the_preview_shows_them() -> None:
    changes = {"services.api.scaling": {"min": 2, "max": 4}}
    shown, made = recorded("local", changes), live("local", changes).resources
    for kind in (HPA, PDB):
        assert made[(kind, "api")]["spec"] == shown.one(kind, "api").get("spec")


def test_every_component_runs_in_both_modes(up: Run) -> None:
    written: set[str] = set()
    for file in (ROOT / "components").rglob("*.py"):
        written |= set(
            re.findall(r"super\(\).__init__\(\s*\"(slipway:\w+:\w+)\"", file.read_text(encoding="utf-8"))
        )
    assert len(written) >= 11
    assert written == {kind for kind, _ in up.resources if kind.startswith("slipway:")}
    assert written == {one.type for one in shipped("local").registrations if one.is_component}


def test_up_and_preview_ask_for_the_same_but_for_names_made_from_random_bytes(up: Run) -> None:
    hashed = re.compile(r"-[0-9a-f]{10}\b")

    def shape(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items()}
        if isinstance(value, list):
            return [shape(item) for item in value]
        return hashed.sub("-#", value) if isinstance(value, str) else value

    for one in kubernetes_objects(shipped("local")):
        live_inputs = dict(up.resources[(one.type, one.name)])
        previewed = dict(one.inputs)
        if one.type == SECRET_TYPE:
            assert set(live_inputs.pop("stringData")) == set(previewed.pop("stringData"))  # pyright: ignore
        if one.type == CONFIG_MAP and one.name.endswith("-ca"):
            live_inputs.pop("data")
            previewed.pop("data")
        if one.type == JOB:
            live_inputs["metadata"] = previewed["metadata"]
        assert shape(live_inputs) == shape(previewed), one.urn


@pytest.mark.parametrize("preview", [True, False])
def test_the_recorder_runs_the_local_stack_in_both_modes(preview: bool) -> None:
    found = recorded("local", preview=preview)
    shown = [one.urn for one in shipped("local").registrations]
    assert sorted(one.urn for one in found.registrations) == sorted(shown)


def test_a_run_ends_by_itself_and_leaves_nothing_for_the_next() -> None:
    started = time.monotonic()
    for _ in range(2):
        assert ("kubernetes:apps/v1:Deployment", "web") in live("local", ALONE).resources
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_what_would_stand_on_aws_is_refused_by_up_and_warned_of_by_preview(environment: str) -> None:
    with pytest.raises(SettingsError) as error:
        live(environment)
    keys = {one.key for one in error.value.problems}
    assert {"slipway:cluster", "slipway:database", "slipway:redis.cache"} <= keys
    assert "A managed AWS part, which this version describes but does not create yet" in error.value.text()
    messages = [line.message for line in shipped(environment).log if line.severity == "warning"]
    assert messages[0].startswith("cluster, database, redis.cache")
    assert messages[0].endswith(
        "managed by AWS; read and checked, but not created yet. `up` refuses this stack."
    )


def test_a_refused_up_makes_nothing() -> None:
    seen = Run()
    with pytest.raises(SettingsError):
        run_live(run, stack="dev", config=config_of("dev"), mocks=seen)
    assert seen.resources == {}


def test_the_local_stack_warns_of_nothing() -> None:
    assert shipped("local").log == ()


MISSING: dict[str, Any] = {"secrets.jwtSecret": {"config": "jwtSecret"}}
COMMAND = "slipway secrets set jwtSecret --stack local"


def test_a_secret_without_a_value_is_a_warning_with_the_command_in_preview() -> None:
    found = recorded("local", MISSING)
    assert [line.message for line in found.log] == [f"secrets:jwtSecret has no value yet: `{COMMAND}`."]
    assert found.one(SECRET_TYPE, "api-env").get("stringData", "JWT_SECRET") == SECRET


def test_a_secret_without_a_value_is_a_refusal_with_the_command_in_up() -> None:
    with pytest.raises(SettingsError, match="This secret has no value") as error:
        live("local", MISSING)
    assert COMMAND in error.value.text()


# --- __main__.py --------------------------------------------------------------------------------------------


def main() -> None:
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


@pytest.mark.parametrize(
    ("changes", "key", "what"),
    [
        ({"image.context": "./missing"}, "slipway:image.context", "no such folder"),
        ({"image.dockerfile": "Dockerfile.gpu"}, "slipway:image.dockerfile", "no such file"),
        (
            {"services.worker.image": {"kind": "build", "context": "./missing"}},
            "slipway:services.worker.image.context",
            "no such folder",
        ),
    ],
)
def test_a_build_without_its_folder_or_dockerfile_is_refused_before_anything_is_made(
    changes: dict[str, Any], key: str, what: str
) -> None:
    made = Run()
    with pytest.raises(SettingsError) as error:
        run_live(run, stack="local", config=config_of("local", changes), mocks=made)
    assert [(one.key, one.what) for one in error.value.problems] == [(key, what)]
    assert made.resources == {}


def test_an_application_image_that_no_service_runs_is_not_looked_for() -> None:
    own = {"kind": "release", "repository": "ghcr.io/acme/chat", "release": "v1"}
    changes = {f"services.{name}.image": own for name in ("api", "frontend", "worker")}
    changes |= {"image.context": "./missing"}
    assert not recorded("local", changes).of_type("docker:index/image:Image")


def test_the_entry_runs_the_program() -> None:
    found = record(main, project="slipway", stack="local", config=config_of("local"))
    assert [one.urn for one in found.registrations] == [one.urn for one in shipped("local").registrations]
    assert found.outputs == shipped("local").outputs


def test_a_wrong_configuration_reaches_the_engine_as_its_text_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no stack file to take positions from
    config = config_of("local", {"services.api.scaling.max": 40, "services.api.processs": 1})
    # The language host prints the text of a RunError, and the traceback of anything else.
    with pytest.raises(pulumi.RunError) as ended:
        record(main, project="slipway", stack="local", config=config)
    assert ended.value.__suppress_context__
    text = str(ended.value)
    assert "slipway:services.api.processs" in text
    assert "Did you mean `processes`" in text
    assert "40 pods x 1 processes x 5 connections = 200" in text
    assert "2 errors, nothing was changed." in text


# --- a hostile environment ----------------------------------------------------------------------------------


# --- outputs ------------------------------------------------------------------------------------------------
