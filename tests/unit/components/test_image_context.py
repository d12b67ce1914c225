import os
from pathlib import Path

import pytest

from components.image.context import context_files, context_identity

FILES = {"Dockerfile": "FROM scratch", "app/main.py": "print()", "requirements.txt": "fastapi"}


def folder(path: Path, files: dict[str, str], ignore: str | None = None) -> Path:
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    if ignore is not None:
        (path / ".dockerignore").write_text(ignore)
    return path


@pytest.fixture
def context(tmp_path: Path) -> Path:
    return folder(tmp_path / "context", FILES)


def kept(path: Path, ignore: str, files: dict[str, str]) -> set[str]:
    return set(context_files(folder(path, files, ignore))) - {".dockerignore"}


def test_equal_contexts_have_equal_identities_wherever_they_stand(tmp_path: Path, context: Path) -> None:
    backwards = folder(tmp_path / "other", dict(reversed(FILES.items())))
    assert context_identity(context) == context_identity(backwards)
    assert len(context_identity(context)) == 64


def test_the_time_of_a_file_does_not_matter(context: Path) -> None:
    before = context_identity(context)
    os.utime(context / "app/main.py", (0, 0))
    assert context_identity(context) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda path: (path / "app/main.py").write_text("print(1)"),
        lambda path: (path / "app/main.py").rename(path / "app/main2.py"),
        lambda path: (path / "app/main.py").chmod(0o755),
        lambda path: (path / "app/new.py").write_text(""),
        lambda path: (path / "requirements.txt").unlink(),
        lambda path: (path / "Dockerfile").write_text("FROM busybox"),
    ],
    ids=["content", "name", "executable", "new file", "removed file", "Dockerfile"],
)
def test_whatever_the_build_sees_changes_the_identity(context: Path, change: object) -> None:
    before = context_identity(context)
    assert callable(change)
    change(context)
    assert context_identity(context) != before


def test_only_the_executable_bit_counts_not_the_umask_of_the_checkout(context: Path) -> None:
    (context / "app/main.py").chmod(0o644)
    before = context_identity(context)
    (context / "app/main.py").chmod(0o600)
    assert context_identity(context) == before


def test_a_text_that_moves_from_a_name_to_a_content_changes_the_identity(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", {"Dockerfile": "", "ab": "c"})
    other = folder(tmp_path / "other", {"Dockerfile": "", "a": "bc"})
    assert context_identity(one) != context_identity(other)


def test_a_large_file_is_read_to_its_end(context: Path) -> None:
    (context / "data").write_bytes(b"a" * 3_000_000)
    before = context_identity(context)
    (context / "data").write_bytes(b"a" * 2_999_999 + b"b")
    assert context_identity(context) != before


@pytest.mark.parametrize("recipe", [["production"], ["test", "3.12"], ["test", "3.13"]])
def test_target_and_build_arguments_change_the_identity(context: Path, recipe: list[str]) -> None:
    assert context_identity(context, recipe=recipe) != context_identity(context)


def test_another_dockerfile_changes_the_identity(context: Path) -> None:
    (context / "Dockerfile.gpu").write_text(FILES["Dockerfile"])
    assert context_identity(context, dockerfile="Dockerfile.gpu") != context_identity(context)


def test_a_link_counts_by_where_it_points(context: Path) -> None:
    (context / "link").symlink_to("app/main.py")
    before = context_identity(context)
    (context / "app/main.py").write_text("changed")
    content = context_identity(context)
    (context / "link").unlink()
    (context / "link").symlink_to("requirements.txt")
    assert len({before, content, context_identity(context)}) == 3


def test_a_link_to_a_folder_is_one_entry_and_is_not_followed(context: Path) -> None:
    (context / "linked").symlink_to("app")
    assert "linked" in set(context_files(context))
    assert "linked/main.py" not in set(context_files(context))
    before = context_identity(context)
    (context / "linked").unlink()
    (context / "linked").symlink_to("..")
    assert context_identity(context) != before


def test_a_link_to_nowhere_counts(context: Path) -> None:
    before = context_identity(context)
    (context / "broken").symlink_to("missing")
    assert context_identity(context) != before


def test_an_ignored_file_does_not_count_but_the_list_of_them_does(context: Path) -> None:
    (context / ".dockerignore").write_text("notes.txt")
    before = context_identity(context)
    (context / "notes.txt").write_text("x")
    assert context_identity(context) == before


def test_a_dockerfile_counts_even_where_it_is_ignored(context: Path) -> None:
    (context / ".dockerignore").write_text("Dockerfile")
    before = context_identity(context)
    (context / "Dockerfile").write_text("FROM busybox")
    assert context_identity(context) != before


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ("", {"a.pyc", "x/a.pyc", "x/y/b.py", "tests/t.py"}),
        ("*.pyc", {"x/a.pyc", "x/y/b.py", "tests/t.py"}),
        ("**/*.pyc", {"x/y/b.py", "tests/t.py"}),
        ("tests", {"a.pyc", "x/a.pyc", "x/y/b.py"}),
        ("/tests", {"a.pyc", "x/a.pyc", "x/y/b.py"}),
        ("tests/", {"a.pyc", "x/a.pyc", "x/y/b.py"}),
        ("./tests/", {"a.pyc", "x/a.pyc", "x/y/b.py"}),
        ("y", {"a.pyc", "x/a.pyc", "x/y/b.py", "tests/t.py"}),
        ("*/y", {"a.pyc", "x/a.pyc", "tests/t.py"}),
        ("x\n!x/y", {"a.pyc", "x/y/b.py", "tests/t.py"}),
        ("x\n! x/y/b.py", {"a.pyc", "x/y/b.py", "tests/t.py"}),
        ("# tests\n\n  tests  ", {"a.pyc", "x/a.pyc", "x/y/b.py"}),
        ("*", set()),
    ],
)
def test_docker_decides_what_is_ignored(tmp_path: Path, ignore: str, left: set[str]) -> None:
    files: dict[str, str] = {"a.pyc": "", "x/a.pyc": "", "x/y/b.py": "", "tests/t.py": ""}
    assert kept(tmp_path, ignore, files) == left


def test_an_ignored_folder_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path, {"node_modules/deep/file": "", "a": ""}, "node_modules")
    visited: list[str] = []
    scandir = os.scandir

    def watched(path: str) -> object:
        visited.append(str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watched)
    assert set(context_files(tmp_path)) == {"a", ".dockerignore"}
    assert not [path for path in visited if "node_modules" in path]


def test_a_dockerfile_may_have_its_own_list(tmp_path: Path) -> None:
    folder(tmp_path, {"a": "", "b": "", "Dockerfile.gpu.dockerignore": "a"}, "b")
    assert set(context_files(tmp_path)) >= {"a"}
    assert set(context_files(tmp_path, dockerfile="Dockerfile.gpu")) >= {"b"}
    assert "a" not in set(context_files(tmp_path, dockerfile="Dockerfile.gpu"))


def test_a_context_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder, so no image can be built from it"):
        context_identity(tmp_path / "missing")


def test_a_context_without_its_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Dockerfile: no such file, so no image can be built"):
        context_identity(tmp_path)
