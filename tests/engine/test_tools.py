"""A tier whose tool is missing is skipped with a sentence on a person's machine, and fails in CI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tools import require_tool


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH without any program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SLIPWAY_PULUMI", raising=False)
    return tmp_path


def _program(folder: Path, name: str) -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.usefixtures("empty_path")
def test_a_missing_tool_skips_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"`pulumi` is needed to fly, .* SLIPWAY_PULUMI or PATH"):
        require_tool("pulumi", variable="SLIPWAY_PULUMI", why="fly")


@pytest.mark.usefixtures("empty_path")
def test_a_missing_tool_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="`kubectl` is needed to fly"):
        require_tool("kubectl", why="fly")


def test_the_variable_goes_before_the_path(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _program(empty_path, "pulumi")
    other = _program(empty_path, "pulumi-of-mine")
    monkeypatch.setenv("SLIPWAY_PULUMI", other)

    assert require_tool("pulumi", variable="SLIPWAY_PULUMI", why="fly") == other


def test_a_tool_on_the_path_is_found(empty_path: Path) -> None:
    program = _program(empty_path, "pulumi")

    assert require_tool("pulumi", why="fly") == program
