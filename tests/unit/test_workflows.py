"""The workflows, read as GitHub reads them: what runs is pinned, has few rights, and is what a person would run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from facts.versions import PULUMI_VERSION
from slipway.operate.home import Home

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github/workflows"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
GATES: dict[str, dict[str, Any]] = WORKFLOWS["gates"]["jobs"]
RELEASE: dict[str, Any] = WORKFLOWS["main"]["jobs"]["release"]
PREVIEW: dict[str, Any] = WORKFLOWS["pull-request"]["jobs"]["pulumi-preview"]
STACKS = {path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml")}

each_workflow = pytest.mark.parametrize("name", TEXTS)


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for workflow, document in WORKFLOWS.items():
        for name, job in document["jobs"].items():
            yield workflow, name, job


def steps(of: str | None = None) -> list[dict[str, Any]]:
    return [step for workflow, _, job in jobs() for step in job.get("steps", ()) if of in (None, workflow)]


def runs(job: dict[str, Any]) -> str:
    return "\n".join(str(step.get("run", "")) for step in job["steps"])


def step_using(job: dict[str, Any], action: str, at: int = 0) -> dict[str, Any]:
    return [step for step in job["steps"] if str(step.get("uses", "")).startswith(f"{action}@")][at]


def position(job: dict[str, Any], text: str) -> int:
    """The place of the one step whose name, action or script holds a text."""
    found = [index for index, step in enumerate(job["steps"]) if text in str(step)]
    assert len(found) == 1, text
    return found[0]


# --- what runs ----------------------------------------------------------------------------------------------


@each_workflow
def test_every_action_is_pinned_by_its_commit_with_the_version_beside_it(name: str) -> None:
    for line in re.findall(r"^.*\buses: (.*)$", TEXTS[name], re.M):
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) or line == (
            "./.github/workflows/gates.yaml"
        ), line


def test_an_action_has_one_version_everywhere() -> None:
    pinned = set(re.findall(r"uses: (\S+@.*)", "\n".join(TEXTS.values())))
    assert len(pinned) == len({line.split("@")[0] for line in pinned})


def test_every_make_target_that_a_job_calls_exists() -> None:
    called = {
        (folder or ".", target)
        for step in steps()
        for folder, target in re.findall(
            r"\bmake (?:--keep-going )?(?:-C (\S+) )?([a-z-]+)", step.get("run", "")
        )
    }
    assert len(called) > 10
    images = GATES["image"]["strategy"]["matrix"]["image"]
    places = [(name, target) for folder, target in called for name in (images if "$" in folder else [folder])]
    for folder, target in places:
        assert re.search(rf"^{target}:", (ROOT / folder / "Makefile").read_text(encoding="utf-8"), re.M), (
            target
        )


@pytest.mark.parametrize(
    "command",
    [
        "make test",
        "make test-app",
        "make test-engine",
        "make manifests",
        "make --keep-going lint",
        "make -C app lint",
        "make -C toolbox lint",
        "make -C toolbox test",
        "make -C app compose-up",
        "make up YES=1",
        "make test-cluster",
        "make check-docs",
        "make check-workflows",
        "make security-code",
        "make security-dependencies",
        "make bench",
    ],
)
def test_the_gates_run_what_a_person_runs(command: str) -> None:
    assert [step for step in steps("gates") if str(step.get("run", "")).endswith(command)]


def test_a_pull_request_and_main_pass_the_same_gates() -> None:
    for name in ("pull-request", "main"):
        assert WORKFLOWS[name]["jobs"]["gates"]["uses"] == "./.github/workflows/gates.yaml"
    assert "gates" in RELEASE["needs"]
    assert "gates" in WORKFLOWS["pull-request"]["jobs"]["passed"]["needs"]


@pytest.mark.parametrize("job", ["unit", "app", "toolbox"])
def test_tests_run_on_python_3_12_and_3_13(job: str) -> None:
    assert GATES[job]["strategy"] == {"fail-fast": False, "matrix": {"python": ["3.12", "3.13"]}}
    assert GATES[job]["env"]["UV_PYTHON"] == "${{ matrix.python }}"


def test_the_application_is_tested_with_postgresql_16_and_redis_7() -> None:
    script = runs(GATES["app"])
    assert "postgresql-16 redis-server" in script
    assert "= /usr/lib/postgresql/16" in script
    assert "redis-server --version | grep -F ' v=7.'" in script


def test_tools_have_the_versions_that_the_project_names() -> None:
    bootstrap = (ROOT / "scripts/bootstrap").read_text(encoding="utf-8")
    (uv,) = re.findall(r"^UV_VERSION=([\d.]+)", bootstrap, re.M)
    assert WORKFLOWS["gates"]["env"] == {"UV_VERSION": uv, "PULUMI_VERSION": PULUMI_VERSION}
    for action, key, version in (
        ("astral-sh/setup-uv", "version", uv),
        ("pulumi/actions", "pulumi-version", PULUMI_VERSION),
    ):
        named = [step["with"][key] for step in steps() if step.get("uses", "").startswith(f"{action}@")]
        assert len(named) > 2
        assert set(named) <= {version, "${{ env.UV_VERSION }}", "${{ env.PULUMI_VERSION }}"}


@pytest.mark.parametrize(
    ("job", "command"),
    [
        (GATES["cluster"], "make test-cluster"),
        (WORKFLOWS["main"]["jobs"]["load"], "make load-test SECONDS=600"),
    ],
    ids=["gates", "load"],
)
def test_on_kubernetes_tests_meet_the_cluster_that_make_up_makes(job: dict[str, Any], command: str) -> None:
    made, tested = position(job, "make up YES=1"), position(job, command)
    assert made < tested
    kubeconfig = Home(Path("${{ github.workspace }}"), "local").kubeconfig
    assert job["steps"][tested]["env"] == {"KUBECONFIG": str(kubeconfig)}


# --- with which rights ----------------------------------------------------------------------------------------


def test_the_workflows_start_by_a_push_to_main_or_a_pull_request_without_rights() -> None:
    # PyYAML reads the key `on` as a boolean.
    assert {name: document[True] for name, document in WORKFLOWS.items()} == {
        "gates": {"workflow_call": None},
        "pull-request": {"pull_request": None},
        "main": {"push": {"branches": ["main"]}},
    }


@each_workflow
def test_a_workflow_has_no_rights_and_each_job_says_which_it_needs(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    assert all("permissions" in job for job in WORKFLOWS[name]["jobs"].values())


def test_only_three_jobs_may_do_more_than_read() -> None:
    more = {
        (workflow, name): {right for right, value in job["permissions"].items() if value != "read"}
        for workflow, name, job in jobs()
    }
    assert {key: rights for key, rights in more.items() if rights} == {
        ("pull-request", "pulumi-preview"): {"id-token"},
        ("pull-request", "comment"): {"pull-requests"},
        ("main", "release"): {"id-token"},
    }


def test_the_job_that_may_write_a_comment_runs_nothing_of_the_change() -> None:
    used = [
        step.get("uses", "").split("@")[0] for step in WORKFLOWS["pull-request"]["jobs"]["comment"]["steps"]
    ]
    assert used == ["actions/download-artifact", ""]


@each_workflow
def test_no_secret_is_handed_to_a_workflow_or_asked_of_pulumi(name: str) -> None:
    assert not re.search(r"\bsecrets\b|--show-secrets|set -x|aws-secret-access-key", TEXTS[name])


def test_no_value_of_an_event_becomes_part_of_a_script() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_a_checkout_leaves_no_credentials_behind() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) > 5
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_every_job_ends_by_itself() -> None:
    assert [name for _, name, job in jobs() if "runs-on" in job and job["timeout-minutes"] > 60] == []


def test_a_newer_push_ends_a_pull_requests_run_and_never_mains() -> None:
    assert WORKFLOWS["pull-request"]["concurrency"] == {
        "group": "pull-request-${{ github.event.pull_request.number }}",
        "cancel-in-progress": True,
    }
    assert WORKFLOWS["main"]["concurrency"] == {"group": "main", "cancel-in-progress": False}


@each_workflow
def test_a_failing_program_before_a_pipe_fails_the_step(name: str) -> None:
    assert WORKFLOWS[name]["defaults"] == {"run": {"shell": "bash"}}


# --- previews -------------------------------------------------------------------------------------------------


def test_every_stack_is_previewed_in_the_jobs_summary() -> None:
    (step,) = [step for step in GATES["preview"]["steps"] if "make preview" in step.get("run", "")]
    # Without STACK=: all stack files of the folder.
    assert re.fullmatch(r'scripts/summary "[^"]+" make preview', step["run"])


def test_pulumi_compares_every_stack_that_is_not_on_somebodys_machine() -> None:
    assert set(PREVIEW["strategy"]["matrix"]["stack"]) == STACKS - {"local"}
    assert 'pulumi preview --stack "$STACK"' in runs(PREVIEW)


def test_neither_a_fork_nor_a_robot_gets_an_identity() -> None:
    assert PREVIEW["if"] == (
        "github.event.pull_request.head.repo.full_name == github.repository "
        "&& github.event.pull_request.user.login != 'dependabot[bot]'"
    )


@pytest.mark.parametrize(
    ("job", "variables"),
    [
        (PREVIEW, ["AWS_PREVIEW_ROLE", "AWS_REGION", "PULUMI_BACKEND_URL"]),
        (RELEASE, ["AWS_PUSH_ROLE", "AWS_REGION", "IMAGE_REPOSITORY"]),
    ],
    ids=["preview", "release"],
)
def test_without_its_variables_a_job_says_so_and_does_nothing(
    job: dict[str, Any], variables: list[str]
) -> None:
    asked = " && ".join(f"vars.{name} != ''" for name in variables)
    assert job["env"]["CONFIGURED"] == f"${{{{ {asked} }}}}"
    sentence, *others = job["steps"]
    assert sentence["if"] == "${{ env.CONFIGURED != 'true' }}"
    assert "GITHUB_STEP_SUMMARY" in sentence["run"]
    assert all(name in sentence["run"] for name in variables)
    assert all("env.CONFIGURED == 'true'" in step["if"] for step in others)


@pytest.mark.parametrize(
    ("job", "role"), [(PREVIEW, "AWS_PREVIEW_ROLE"), (RELEASE, "AWS_PUSH_ROLE")], ids=["preview", "release"]
)
def test_a_role_is_assumed_by_the_jobs_identity_and_no_key(job: dict[str, Any], role: str) -> None:
    given = step_using(job, "aws-actions/configure-aws-credentials")["with"]
    assert given["role-to-assume"] == f"${{{{ vars.{role} }}}}"
    assert set(given) <= {"role-to-assume", "aws-region", "role-session-name", "mask-aws-account-id"}


# --- images ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", [GATES["image"], RELEASE], ids=["gates", "release"])
def test_a_critical_vulnerability_fails_the_image(job: dict[str, Any]) -> None:
    scan = job["steps"][position(job, "No critical vulnerability")]
    assert scan["uses"].startswith("aquasecurity/trivy-action@")
    assert scan["with"]["severity"] == "CRITICAL"
    assert scan["with"]["exit-code"] == "1"
    assert "ignore-unfixed" not in scan["with"]
    assert (ROOT / scan["with"]["trivyignores"]).is_file()
    assert "continue-on-error" not in scan


def test_every_image_is_scanned_on_both_pythons_and_its_contents_are_an_artifact() -> None:
    image = GATES["image"]
    folders = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/Dockerfile")}
    assert set(image["strategy"]["matrix"]["image"]) == folders
    assert image["strategy"]["matrix"]["python"] == ["3.12", "3.13"]
    contents = step_using(image, "aquasecurity/trivy-action")["with"]
    assert contents["format"] == "cyclonedx"
    artifact = step_using(image, "actions/upload-artifact")["with"]
    assert artifact["path"] == contents["output"]
    assert artifact["if-no-files-found"] == "error"


def test_the_image_of_main_is_built_once_for_both_processors_and_handed_on_by_digest() -> None:
    push = step_using(RELEASE, "docker/build-push-action")["with"]
    assert push["platforms"] == "linux/amd64,linux/arm64"
    assert "push-by-digest=true" in push["outputs"]
    assert "name=${{ env.REPOSITORY }}" in push["outputs"]
    assert push["provenance"] == "mode=max"
    assert push["sbom"] is True
    assert push["target"] == "production"
    assert RELEASE["outputs"]["digest"] == "${{ steps.push.outputs.digest }}"


def test_a_digest_is_announced_only_after_its_scan() -> None:
    built, scanned, announced = (
        position(RELEASE, text)
        for text in ("build-push-action", "No critical vulnerability", "slipway:release:")
    )
    assert built < scanned < announced < position(RELEASE, "upload-artifact")
    scan = RELEASE["steps"][scanned]["with"]["image-ref"]
    assert scan == "${{ env.REPOSITORY }}@${{ steps.push.outputs.digest }}"


# --- updates --------------------------------------------------------------------------------------------------


def test_whatever_is_locked_is_also_updated() -> None:
    document = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))
    watched: dict[str, set[str]] = {}
    for entry in document["updates"]:
        folders = entry.get("directories", [entry.get("directory")])
        watched.setdefault(entry["package-ecosystem"], set()).update(folders)
        assert entry["cooldown"]["default-days"] >= 7
    patterns = ("uv.lock", "*/uv.lock", ".ci/*/uv.lock")
    locks = [path.parent.relative_to(ROOT) for pattern in patterns for path in ROOT.glob(pattern)]
    assert watched["uv"] == {"/" if path == Path() else f"/{path}" for path in locks}
    assert watched["github-actions"] == {"/"}
    assert watched["gomod"] == {"/.ci/workflows"}
    assert watched["docker"] == {f"/{path.parent.name}" for path in ROOT.glob("*/Dockerfile")}
