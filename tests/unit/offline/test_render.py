from pathlib import Path

import pytest
import yaml

from slipway.offline.model import Json, Record, Registration
from slipway.offline.render import INDEX, RenderError, manifest, manifests, to_yaml, write_manifests
from tests.unit.offline.toy import SECRET_VALUE, recorded


@pytest.fixture(scope="module")
def toy() -> Record:
    return recorded()


def an_object(kind: str, name: str, namespace: str = "", **inputs: Json) -> Registration:
    metadata: dict[str, Json] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    document: dict[str, Json] = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **inputs}
    return Registration(
        f"urn::{kind}{namespace}{name}", f"kubernetes:core/v1:{kind}", name, "", True, document
    )


def a_record(*objects: Registration) -> Record:
    return Record("toy", "dev", objects, {})


def test_one_record_gives_the_same_bytes(toy: Record) -> None:
    assert manifests(recorded()) == manifests(toy)


def test_every_object_is_in_a_file_of_its_own_and_the_namespace_comes_first(toy: Record) -> None:
    assert list(manifests(toy)) == [
        "00-namespace-toy.yaml",
        f"04-secret-{toy.one('kubernetes:core/v1:Secret', 'api-env').get('metadata', 'name')}.yaml",
        "07-deployment-api.yaml",
        "08-horizontalpodautoscaler-api.yaml",
    ]


def test_no_secret_is_rendered_and_each_placeholder_is_named(toy: Record) -> None:
    text = next(text for name, text in manifests(toy).items() if "secret" in name)
    assert SECRET_VALUE not in text
    assert "# Placeholders for secrets: stringData.API_KEY, stringData.DATABASE_URL." in text
    assert "# Only known after `up`: metadata.name." in text
    assert yaml.safe_load(text)["stringData"] == {"API_KEY": "[secret]", "DATABASE_URL": "[secret]"}


def test_a_placeholder_in_data_is_base64_as_kubernetes_asks() -> None:
    one = an_object("Secret", "a", data={"KEY": "[secret]"})
    secret = Registration(**{**vars(one), "secret_paths": (("data", "KEY"),)})
    assert yaml.safe_load(manifest(secret, stack="dev"))["data"] == {"KEY": "W3NlY3JldF0="}


def test_an_unknown_value_is_a_text_in_the_manifest() -> None:
    one = an_object("ConfigMap", "a", data={"KEY": {"unknown": True}, "LIST": ["x", {"unknown": True}]})
    paths = (("data", "KEY"), ("data", "LIST", 1))
    text = manifest(Registration(**{**vars(one), "unknown_paths": paths}), stack="dev")
    assert yaml.safe_load(text)["data"] == {"KEY": "unknown-before-up", "LIST": ["x", "unknown-before-up"]}


AMBIGUOUS = [
    "on",
    "No",
    "1e3",
    "0o17",
    "12:30:45",
    "2026-01-01",
    "12345678901234567890",
    "~",
    "",
    "0x1f",
    "1_000",
    "y",
]
MARKUP = [
    "- a",
    "a: b",
    "a:",
    "# no",
    "*/5 * * * *",
    "one\ntwo\n",
    "null",
    "=",
    "true",
    "a\tb",
    ".inf",
    "[secret]",
    "é",
]
WORDS = [
    "alembic",
    "upgrade head",
    "/tmp",
    "100m",
    "1.5Gi",
    "registry:5000/team/app:1",
    "app@sha256:abc",
    "a-b_c.d",
]


@pytest.mark.parametrize("text", [*AMBIGUOUS, *MARKUP])
def test_a_text_that_a_parser_might_take_for_something_else_is_quoted(text: str) -> None:
    written = to_yaml({"value": text})
    assert yaml.safe_load(written) == {"value": text}
    assert written.startswith(('value: "', "value: |"))


@pytest.mark.parametrize("text", WORDS)
def test_what_is_plainly_a_word_is_not_quoted(text: str) -> None:
    assert to_yaml({"value": text}) == f"value: {text}\n"


def test_words_are_not_quoted_and_lists_are_indented() -> None:
    assert to_yaml(
        {"spec": {"args": ["alembic", "upgrade head"]}, "kind": "Job", "apiVersion": "batch/v1"}
    ) == ("apiVersion: batch/v1\nkind: Job\nspec:\n  args:\n    - alembic\n    - upgrade head\n")


def test_objects_of_one_name_in_two_namespaces_get_two_files() -> None:
    files = manifests(a_record(an_object("Service", "db", "a"), an_object("Service", "db", "b")))
    assert list(files) == ["04-service-a-db.yaml", "04-service-b-db.yaml"]


def test_two_objects_that_a_cluster_would_take_for_one_are_refused() -> None:
    with pytest.raises(RenderError, match=r"Two objects would be written to 04-service-a-db\.yaml"):
        manifests(a_record(an_object("Service", "db", "a"), an_object("Service", "db", "a")))


def test_an_object_without_a_name_is_called_as_the_program_calls_it() -> None:
    one = Registration("urn", "kubernetes:core/v1:Service", "logical", "", True, {})
    assert list(manifests(a_record(one))) == ["04-service-logical.yaml"]


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path, toy: Record) -> None:
    (tmp_path / "mine.yaml").write_text("kind: Mine\n", encoding="utf-8")
    with pytest.raises(RenderError, match=r"holds mine\.yaml, which slipway did not write"):
        write_manifests(toy, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_many_foreign_files_are_counted(tmp_path: Path, toy: Record) -> None:
    for number in range(5):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(RenderError, match=r"holds 0\.txt, 1\.txt, 2\.txt and 2 more, which"):
        write_manifests(toy, tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path, toy: Record) -> None:
    target = tmp_path / "file"
    target.touch()
    with pytest.raises(RenderError, match="is a file"):
        write_manifests(toy, target)


def test_rendering_again_removes_what_is_no_longer_there(tmp_path: Path, toy: Record) -> None:
    folder = tmp_path / "new" / "folder"
    first = write_manifests(toy, folder)
    assert [path.name for path in first] == list(manifests(toy))
    write_manifests(a_record(an_object("Service", "db", "a")), folder)
    assert sorted(path.name for path in folder.iterdir()) == [INDEX, "04-service-db.yaml"]
    assert (folder / INDEX).read_text(encoding="utf-8") == "04-service-db.yaml\n"
