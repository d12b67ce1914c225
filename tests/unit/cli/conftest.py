"""A project on a machine that has every tool, for the commands that bring stacks up and down."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.operate import elsewhere as elsewhere_module
from slipway.operate.engine import Engine
from slipway.operate.home import Home
from tests.support.machine import FakeMachine
from tests.support.up import FakeCommand, KnownEngine

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def shipped_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the shipped stacks, on a machine with every tool."""
    for name in ("Pulumi.yaml", "Pulumi.local.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    monkeypatch.setattr("slipway.operate.machine.ThisMachine", _machine)

    def engine(machine: FakeMachine, home: Home) -> Engine:
        assert machine.programs
        home.prepare()
        return KnownEngine(home.project, home.stack, FakeCommand(), home.variables())

    monkeypatch.setattr(elsewhere_module, "local_engine", engine)
    KnownEngine.did = []
    return tmp_path


def _machine() -> FakeMachine:
    return FakeMachine(
        answers={"pulumi version": "v3.259.0"}, environment={"PATH": "/bin", "HOME": "/home/me"}
    )
