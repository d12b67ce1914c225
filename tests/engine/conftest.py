"""What every test of the engine tier needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import EngineStack, Program, pulumi_binary


@pytest.fixture(scope="session", autouse=True)
def engine() -> str:
    """The pulumi program; without it the whole tier is skipped with a sentence."""
    return pulumi_binary()


class ToyStacks:
    """Stacks of the toy program."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, name: str, program: Program, **config: str) -> EngineStack:
        """A stack that nobody has brought up yet. Args: config: keys of the `toy` namespace."""
        settings = {f"toy:{key}": value for key, value in config.items()}
        stack = EngineStack(self._folder / name, program, project="toy", config=settings)
        context = stack.work / "toy"
        context.mkdir()
        (context / "Dockerfile").write_text("FROM busybox\n")
        return stack


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> ToyStacks:
    """Makes stacks of the toy program."""
    return ToyStacks(tmp_path_factory.mktemp("toys"))
