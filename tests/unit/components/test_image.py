import hashlib
from pathlib import Path

import pulumi
import pytest

from components.image.context import context_identity
from components.image.image import BuiltImage, ImageRef, released_image
from components.image.section import BuildImage, ImageSection, Release, ReleaseImage, is_digest
from slipway.offline.record import record
from tests.support.mocks import run_live, values
from tests.support.sections import accept, refusal

DIGEST = f"sha256:{'ab' * 32}"
IMAGE = "docker:index/image:Image"
PROVIDER = "pulumi:providers:docker"
RELEASED = ReleaseImage(kind="release", repository="ghcr.io/acme/notes")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM scratch")
    return tmp_path


def program(project: Path, found: dict[str, ImageRef], **section: object) -> None:
    for name in ("app", "frontend"):
        build = accept(BuildImage, {"kind": "build", **section})
        found[name] = BuiltImage(name, build, app="notes", project=project).ref


def built(project: Path, **section: object) -> tuple[dict[str, dict[str, object]], dict[str, ImageRef]]:
    found: dict[str, ImageRef] = {}
    run = run_live(lambda: program(project, found, **section))
    return {name: run.resources[(IMAGE, name)] for name in found}, found


def released(section: ReleaseImage, release: str) -> tuple[str, ImageRef]:
    found: list[ImageRef] = []

    def program() -> dict[str, pulumi.Input[str]]:
        found.append(released_image(section, release))
        return {"reference": found[0].reference}

    return values(program)["reference"], found[0]


def test_a_release_with_a_digest_never_changes_and_is_pulled_once() -> None:
    reference, ref = released(RELEASED, DIGEST)
    assert reference == f"ghcr.io/acme/notes@{DIGEST}"
    assert ref.pull_policy == "IfNotPresent"
    assert ref.identity == hashlib.sha256(f"ghcr.io/acme/notes@{DIGEST}".encode()).hexdigest()


def test_a_release_with_a_tag_may_move_and_is_always_pulled() -> None:
    reference, ref = released(RELEASED, "v1.2.3")
    assert reference == "ghcr.io/acme/notes:v1.2.3"
    assert ref.pull_policy == "Always"


def test_the_identity_of_a_release_changes_with_it() -> None:
    other = ReleaseImage(kind="release", repository="ghcr.io/acme/other")
    found = [(RELEASED, DIGEST), (RELEASED, "v1"), (RELEASED, "v2"), (other, "v2")]
    assert len({released(section, release)[1].identity for section, release in found}) == 4


@pytest.mark.parametrize("release", [DIGEST, "latest", "v1.2.3", "2026-11-21_ab"])
def test_a_release_is_a_digest_or_a_tag(release: str) -> None:
    assert accept(Release, release) == release
    assert is_digest(release) == (release == DIGEST)


@pytest.mark.parametrize(
    "release", ["", "sha256:abc", f"{DIGEST}0", DIGEST.upper(), "-x", "a b", "a" * 129, "a@b"]
)
def test_what_nodes_could_not_pull_is_no_release(release: str) -> None:
    text = refusal(Release, release)
    assert "neither a digest nor a tag | The nodes could not pull such an image." in text
    assert "sha256:" in text


@pytest.mark.parametrize("repository", ["acme/app:v1", f"acme/app@{DIGEST}", "Acme/app", "/app", ""])
def test_a_repository_has_neither_tag_nor_digest(repository: str) -> None:
    refused = refusal(ImageSection, {"kind": "release", "repository": repository})
    # `localhost:5001/app` has a port, so that a colon alone cannot be refused.
    assert ("should match pattern" in refused) == (repository != "acme/app:v1")


def test_python_is_3_12_unless_3_13_is_chosen() -> None:
    assert accept(ImageSection, {"kind": "build"}).python == "3.12"
    assert accept(ImageSection, {"kind": "build", "python": "3.13"}).python == "3.13"
    assert "Input should be '3.12' or '3.13'" in refusal(ImageSection, {"kind": "build", "python": "3.11"})


def test_an_image_that_is_not_pushed_is_named_by_the_identity_of_its_context(project: Path) -> None:
    images, refs = built(project)
    identity = context_identity(project / "app", recipe=["production", "3.12", ""])
    assert refs["app"].identity == identity
    assert images["app"]["imageName"] == f"notes-app:{identity[:10]}"
    assert images["app"]["skipPush"] is True
    assert refs["app"].pull_policy == "IfNotPresent"
    assert images["app"]["build"] == {
        "context": "./app",
        "dockerfile": "app/Dockerfile",
        "target": "production",
        "args": {"PYTHON": "3.12"},
    }


def test_a_pushed_image_runs_by_its_digest(project: Path) -> None:
    images, _ = built(project, registry="localhost:5001/notes")
    assert str(images["app"]["imageName"]).startswith("localhost:5001/notes:")
    assert images["app"]["skipPush"] is False

    def reference() -> dict[str, pulumi.Input[str]]:
        section = accept(BuildImage, {"kind": "build", "registry": "localhost:5001/notes"})
        return {"reference": BuiltImage("app", section, app="notes", project=project).ref.reference}

    assert values(reference)["reference"].startswith("localhost:5001/notes@sha256:")


@pytest.mark.parametrize(
    "section", [{"python": "3.13"}, {"target": "test"}, {"platform": "linux/arm64"}], ids=str
)
def test_what_decides_the_build_decides_the_identity(project: Path, section: dict[str, str]) -> None:
    assert built(project, **section)[1]["app"].identity != built(project)[1]["app"].identity


def test_where_the_daemon_listens_is_no_part_of_the_identity(project: Path) -> None:
    remote = built(project, dockerHost="tcp://build:2376")[1]["app"].identity
    assert remote == built(project)[1]["app"].identity


def test_a_changed_context_changes_name_and_identity(project: Path) -> None:
    before = built(project)
    (project / "app/main.py").write_text("print()")
    after = built(project)
    assert before[0]["app"]["imageName"] != after[0]["app"]["imageName"]
    assert before[1]["app"].identity != after[1]["app"].identity


def test_each_built_image_has_its_own_provider_with_the_host_that_the_stack_file_names(project: Path) -> None:
    found = record(
        lambda: program(project, {}, dockerHost="tcp://build:2376"), project="p", stack="s", config={}
    )
    hosts = {one.name: one.get("host") for one in found.of_type(PROVIDER)}
    assert hosts == {"app-docker": "tcp://build:2376", "frontend-docker": "tcp://build:2376"}
    for name in ("app", "frontend"):
        image = found.one(IMAGE, name)
        assert image.provider == found.one(PROVIDER, f"{name}-docker").urn
        assert image.parent == found.one("slipway:image:BuiltImage", name).urn
