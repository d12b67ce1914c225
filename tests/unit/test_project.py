"""The project itself: one Python version, lock files that work anywhere, files that stay readable."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAX_LINES = 400
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_python_3_12_is_named_in_one_way_everywhere() -> None:
    assert (ROOT / ".python-version").read_text().strip() == "3.12"
    app = tomllib.loads((ROOT / "app/pyproject.toml").read_text(encoding="utf-8"))
    for project in (PROJECT, app):
        assert project["project"]["requires-python"] == ">=3.12"
        assert project["tool"]["ruff"]["target-version"] == "py312"
        assert project["tool"]["pyright"]["pythonVersion"] == "3.12"
    assert re.findall(r"^ARG PYTHON=(.*)$", (ROOT / "app/Dockerfile").read_text(), re.M) == ["3.12"]


def test_the_lock_files_name_one_public_index_and_no_mirror() -> None:
    locks = tracked("*uv.lock")
    assert ROOT / "uv.lock" in locks
    hosts: set[str] = set()
    for lock in locks:
        hosts |= set(re.findall(r"(\w+://[^/\"]+)", lock.read_text(encoding="utf-8")))
    # The index and the place of its files. A mirror, a proxy, a port or credentials would make a third.
    assert len(hosts) == 2
    assert all(re.fullmatch(r"https://[a-z.]+\.org", host) for host in hosts)


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    groups = [PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"].values()]
    for dependency in (text for group in groups for text in group):
        assert re.fullmatch(r"[a-z-]+(\[\w+\])?>=[\d.]+,<[\d.]+", dependency)


def test_default_providers_are_off_and_no_backend_is_prescribed() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert project["config"]["pulumi:disable-default-providers"] == {"value": ["*"]}
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "uv"}}
    assert "backend" not in project


def test_the_entry_of_the_program_imports_only_stacks_and_the_sdk() -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / "__main__.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    packages = {name.partition(".")[0] for name in imported}
    assert packages - sys.stdlib_module_names == {"stacks", "pulumi"}


@pytest.mark.parametrize("path", tracked("*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_short_and_finished(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    if path != Path(__file__).resolve():
        assert not UNFINISHED.search(text)
