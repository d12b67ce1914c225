"""The invariants of a record on the stacks that are shipped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from slipway.cli.stacks import CACHE_FOLDER, PROJECT, find_jobs, obtain
from slipway.offline.kubernetes import kubernetes_objects
from slipway.offline.model import SECRET, Record
from slipway.offline.record import record
from slipway.offline.render import manifests, write_manifests
from slipway.offline.summary import summarise
from slipway.offline.text import Style, preview_text
from stacks.load import load_stack_file
from stacks.program import run

ROOT = Path(__file__).parents[3]
STACKS = sorted(
    path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in ROOT.glob("Pulumi.*.yaml")
)

HOSTILE = {
    "AWS_REGION": "mars-north-1",
    "AWS_DEFAULT_REGION": "mars-north-1",
    "AWS_PROFILE": "nobody",
    "AWS_ACCESS_KEY_ID": "wrong",
    "KUBECONFIG": "/wrong/kubeconfig",
    "PULUMI_K8S_SUPPRESS_DEPRECATION_WARNINGS": "true",
    "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY": "false",
    "DOCKER_HOST": "tcp://wrong:1",
    "PULUMI_CONFIG": json.dumps(
        {"slipway:environment": "prod", "slipway:app": '{"name": "wrong", "owner": "x"}'}
    ),
    "PULUMI_CONFIG_SECRET_KEYS": json.dumps(["slipway:services", "slipway:app"]),
    "PULUMI_CONFIG_SLIPWAY_ENVIRONMENT": "prod",
    "PULUMI_STACK": "wrong",
    "PULUMI_PROJECT": "wrong",
    "PULUMI_ENABLE_LEGACY_APPLY": "true",
    "PULUMI_DISABLE_RESOURCE_REFERENCES": "true",
    "HOME": "/nowhere",
    "USER": "nobody",
    "TZ": "Pacific/Kiritimati",
    "LANG": "tr_TR.UTF-8",
}


def recorded(stack: str, *, preview: bool = True) -> Record:
    file, _ = load_stack_file(ROOT / f"Pulumi.{stack}.yaml")
    return record(
        run, project=PROJECT, stack=stack, config=file.config, secret_keys=file.secret_keys, preview=preview
    )


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def records() -> dict[str, Record]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return {stack: recorded(stack) for stack in STACKS}


@pytest.mark.parametrize("stack", STACKS)
def test_a_hostile_environment_does_not_change_the_record(
    stack: str, records: dict[str, Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    assert recorded(stack) == records[stack]


def test_a_hostile_environment_from_the_start_of_the_process_changes_nothing(
    records: dict[str, Record],
) -> None:
    code = (
        "import json\n"
        "from slipway.cli.stacks import find_jobs, run_job\nfrom pathlib import Path\n"
        "print(json.dumps(run_job(find_jobs(Path(), ['local'], None)[0]).record.to_json()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=HOSTILE, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert Record.from_json(json.loads(result.stdout)) == records["local"]


@pytest.mark.parametrize("stack", STACKS)
def test_every_resource_of_a_stack_has_an_explicit_provider(stack: str, records: dict[str, Record]) -> None:
    assert [
        one.urn
        for one in records[stack].registrations
        if one.custom and not one.is_provider and not one.provider
    ] == []


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_holds_a_secret_in_the_clear(stack: str, records: dict[str, Record]) -> None:
    assert [line.message for line in records[stack].log if "in the clear" in line.message] == []
    for one in kubernetes_objects(records[stack]):
        values = (
            [*_values(one.get("data")), *_values(one.get("stringData"))]
            if one.get("kind") == "Secret"
            else []
        )
        assert set(values) <= {SECRET}


@pytest.mark.parametrize("stack", STACKS)
def test_preview_and_manifests_are_functions_of_the_record(stack: str, records: dict[str, Record]) -> None:
    again = Record.from_json(json.loads(json.dumps(records[stack].to_json())))
    assert manifests(again) == manifests(records[stack])
    style = Style(colour=False)
    assert preview_text(summarise(again), style) == preview_text(summarise(records[stack]), style)


@pytest.mark.parametrize("stack", STACKS)
def test_every_workload_of_a_stack_is_in_the_table_with_requests_and_limits(
    stack: str, records: dict[str, Record]
) -> None:
    rows = summarise(records[stack]).workloads
    assert {"api", "worker"} <= {row.name for row in rows}
    for row in rows:
        assert None not in (row.cpu_request, row.memory_request, row.memory_limit), row
        assert 0 < row.pods_min <= row.pods_max


def test_an_unpushed_stack_without_preview_is_recorded_with_the_same_resources(
    records: dict[str, Record],
) -> None:
    real = recorded("local", preview=False)
    shown = [one.urn for one in records["local"].registrations]
    assert sorted(one.urn for one in real.registrations) == sorted(shown)


def test_rendered_objects_of_every_stack_hold_against_the_schema_of_kubernetes(
    records: dict[str, Record], tmp_path: Path
) -> None:
    files = [str(path) for stack, made in records.items() for path in write_manifests(made, tmp_path / stack)]
    tool = Path(sys.executable).with_name("kubernetes-validate")
    result = subprocess.run(
        [tool, "--strict", "--quiet", *files], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(files) >= len(STACKS) * 10


@pytest.mark.parametrize("stack", STACKS)
def test_the_namespace_is_applied_first_and_everything_is_in_it(
    stack: str, records: dict[str, Record]
) -> None:
    documents = [yaml.safe_load(text) for text in manifests(records[stack]).values()]
    assert documents[0]["kind"] == "Namespace"
    assert {one["metadata"]["namespace"] for one in documents[1:]} == {documents[0]["metadata"]["name"]}


def test_stacks_recorded_in_processes_equal_those_recorded_here(
    records: dict[str, Record], tmp_path: Path
) -> None:
    project, stacks = tmp_path / "project", STACKS[:2]
    project.mkdir()
    for name in ("Pulumi.yaml", *(f"Pulumi.{stack}.yaml" for stack in stacks)):
        (project / name).write_bytes((ROOT / name).read_bytes())
    (project / "app").symlink_to(ROOT / "app")
    outcomes = obtain(find_jobs(project, [], None))
    assert [one.failure + one.settings_error for one in outcomes] == ["", ""]
    assert {one.stack: one.record for one in outcomes} == {stack: records[stack] for stack in stacks}
    assert len(list((project / CACHE_FOLDER).glob("*.json"))) == 2


def test_a_preview_from_the_cache_loads_no_sdk(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom slipway.cli.main import app\n"
        "try:\n    app(['preview', 'dev', '-C', sys.argv[1]])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(sorted({'pulumi', 'grpc', 'pulumi_kubernetes', 'yaml', 'stacks', 'components'} & set(sys.modules)))"
    )
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "app").symlink_to(ROOT / "app")
    loaded = [
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]
        for _ in range(2)
    ]
    assert "pulumi_kubernetes" in loaded[0]
    assert loaded[1] == "[]"


def _values(data: object) -> list[object]:
    return list(data.values()) if isinstance(data, dict) else []
