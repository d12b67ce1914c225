"""What is taken down is only what the stack has made, and engines of a team's stacks need a backend of theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from slipway.operate import elsewhere as elsewhere_module
from slipway.operate.down import Standing, remove_clusters, standing, take_down
from slipway.operate.elsewhere import local_engine, require_backend, search_path, team_engine
from slipway.operate.engine import Engine, OnEvent
from slipway.operate.home import Choice, Home
from slipway.operate.machine import EngineFailedError, OperateError
from tests.support.machine import FakeMachine
from tests.support.up import FakeCommand, FakeScreen

STATE = {
    "deployment": {
        "resources": [
            {
                "urn": "urn:pulumi:local::slipway::pulumi:pulumi:Stack::slipway-local",
                "type": "pulumi:pulumi:Stack",
            },
            {"urn": "u::p::t::kubernetes", "type": "pulumi:providers:kubernetes", "custom": True},
            {"urn": "u::p::t::postgres", "type": "kubernetes:apps/v1:StatefulSet", "custom": True},
            {"urn": "u::p::t::api", "type": "kubernetes:apps/v1:Deployment", "custom": True},
        ]
    }
}


class FakeEngine(Engine):
    """An engine with a state, that deletes, or fails to."""

    fails = False

    def pulumi(self, arguments: Sequence[str], standard_input: str | None) -> str:  # noqa: ARG002
        return json.dumps(STATE)

    def destroy(self, on_event: OnEvent) -> None:  # noqa: ARG002
        if self.fails:
            raise EngineFailedError("connection refused")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    home = Home(tmp_path, "local")
    home.prepare()
    home.copy_stack_file({})
    home.keep(Choice("here", "/k"))
    return home


def _engine(home: Home) -> FakeEngine:
    return FakeEngine(home.project, "local", FakeCommand(), home.variables())


def test_what_holds_data_is_named_before_it_is_removed(home: Home) -> None:
    assert standing(_engine(home)) == Standing(2, ("postgres",))


def test_after_down_only_the_passphrase_and_the_empty_state_are_left(home: Home) -> None:
    assert take_down(_engine(home), home, FakeScreen()) == {}
    assert home.choice() is None
    assert list(home.folder.iterdir()) == []
    assert home.passphrase.exists()
    assert home.tracked_file.exists()


def test_a_stack_that_could_not_be_removed_is_not_forgotten(home: Home) -> None:
    engine = _engine(home)
    engine.fails = True
    with pytest.raises(OperateError, match=r"connection refused\n.*does not answer"):
        take_down(engine, home, FakeScreen())
    assert home.choice() == Choice("here", "/k")


def test_only_clusters_that_were_made_here_are_removed(home: Home) -> None:
    machine = FakeMachine(answers={"pulumi version": "v3.259.0"})
    assert remove_clusters(machine, home) == []
    assert machine.ran("kind delete") == []
    home.mark_cluster("slipway")
    assert remove_clusters(machine, home) == ["slipway"]
    assert machine.ran("kind delete cluster --name slipway")
    assert home.made_clusters() == []


# --- engines of stacks that exist -----------------------------------------------------------------------------


def test_a_local_stack_is_reached_by_its_private_files(home: Home) -> None:
    home.stack_file.unlink()
    engine = local_engine(FakeMachine(answers={"pulumi version": "v3.259.0"}), home)
    assert engine.variables == home.variables()
    assert home.stack_file.read_text() == home.tracked_file.read_text()


def test_a_teams_stack_without_a_backend_is_refused_with_the_reason() -> None:
    with pytest.raises(
        OperateError, match="PULUMI_BACKEND_URL is not set[^$]*KMS[^$]*export PULUMI_BACKEND_URL=s3://"
    ):
        require_backend(FakeMachine(), "dev")


@pytest.mark.parametrize("known", [True, False])
def test_a_teams_stack_is_never_created_here(
    home: Home, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(elsewhere_module.Engine, "exists", lambda _: known)
    environment = {"PULUMI_BACKEND_URL": "s3://bucket"}
    machine = FakeMachine(answers={"pulumi version": "v3.259.0"}, environment=environment)
    dev = Home(home.project, "dev")
    if known:
        engine = team_engine(machine, dev)
        assert engine.variables["PULUMI_OPTION_CONFIG_FILE"] == str(dev.stack_file)
        assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in engine.variables
    else:
        with pytest.raises(
            OperateError, match="s3://bucket has no stack dev[^$]*pulumi stack init dev --secrets-provider"
        ):
            team_engine(machine, dev)


def test_only_what_is_missing_is_put_on_path() -> None:
    own, uv, venv = "/p/.slipway/bin", "/p/.tools/venv/bin", "/p/.venv/bin"
    environment = {"PATH": "/usr/bin"}
    there = FakeMachine(programs=("pulumi", "uv", "slipway"), environment=environment)
    assert search_path(there, Path("/p")) == "/usr/bin"
    private = FakeMachine(programs=(f"{own}/pulumi", f"{uv}/uv", f"{venv}/slipway"), environment=environment)
    assert search_path(private, Path("/p")) == f"{own}:{uv}:{venv}:/usr/bin"
    assert search_path(FakeMachine(programs=(), environment=environment), Path("/p")) == "/usr/bin"
