"""`slipway down` and `slipway env`: questions before data is lost, and nothing but exports for a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from slipway.operate import down as down_module
from slipway.operate.down import Standing
from slipway.operate.engine import Engine
from slipway.operate.home import Choice, Home
from slipway.operate.machine import EngineFailedError
from tests.support.up import KnownEngine, call

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A stack with data; the list gets what is taken down."""
    gone: list[str] = []

    def take_down(engine: Engine, home: Home, screen: object) -> Mapping[str, int]:
        assert home
        assert screen
        gone.append(engine.stack)
        return {"deleted": 56}

    monkeypatch.setattr(KnownEngine, "known", True)
    monkeypatch.setattr(down_module, "standing", lambda _: Standing(56, ("postgres", "redis-cache")))
    monkeypatch.setattr(down_module, "take_down", take_down)
    return gone


def test_down_asks_before_data_is_lost(
    shipped_project: Path,
    standing: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "down", "-C", str(shipped_project)) == 2
    assert "Remove local: 56 resources, with the data of postgres, redis-cache?" in capsys.readouterr().err
    assert standing == []
    assert call(monkeypatch, "down", "--yes", "-C", str(shipped_project)) == 0
    assert standing == ["local"]
    assert "local is gone: 56 resources deleted." in capsys.readouterr().out


def test_down_never_removes_prod(
    shipped_project: Path,
    standing: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, "down", "prod", "--yes", "-C", str(shipped_project)) == 2
    assert "`down` never removes it" in capsys.readouterr().err
    assert standing == []


def test_down_works_with_a_stack_file_that_has_errors_elsewhere(
    shipped_project: Path, standing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = shipped_project / "Pulumi.local.yaml"
    file.write_text(file.read_text().replace("role: worker", "role: wrker"))
    assert call(monkeypatch, "down", "--yes", "-C", str(shipped_project)) == 0
    assert standing == ["local"]


def test_down_of_what_is_not_up_says_so(
    shipped_project: Path,
    standing: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(KnownEngine, "known", False)
    assert call(monkeypatch, "down", "-C", str(shipped_project)) == 0
    assert "local is not up: there is nothing to remove." in capsys.readouterr().out
    assert standing == []


def test_down_removes_a_kind_cluster_only_if_it_was_made_here(
    shipped_project: Path,
    standing: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    removed: list[Home] = []
    monkeypatch.setattr(down_module, "remove_clusters", lambda _, home: removed.append(home))
    arguments = ("down", "--cluster", "--yes", "-C", str(shipped_project))
    assert call(monkeypatch, *arguments) == 2
    assert "made no kind cluster here" in capsys.readouterr().err
    home = Home(shipped_project, "local")
    home.mark_cluster("slipway")
    home.keep(Choice("kind-slipway", "/k", kind="slipway"))
    assert call(monkeypatch, *arguments[:2], "-C", str(shipped_project)) == 2
    assert "Remove the kind cluster slipway with everything in it?" in capsys.readouterr().err
    assert removed == []
    assert call(monkeypatch, *arguments) == 0
    assert removed == [home]
    assert home.choice() is None
    assert KnownEngine.did == ["stack rm --yes --force --preserve-config"]
    monkeypatch.setattr(KnownEngine, "known", False)
    assert call(monkeypatch, *arguments) == 0
    assert len(KnownEngine.did) == 1
    assert standing == []


def test_what_pulumi_says_outside_of_a_run_comes_with_a_remedy(
    shipped_project: Path,
    standing: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: Engine) -> bool:
        raise EngineFailedError("constructing secrets manager: incorrect passphrase")

    monkeypatch.setattr(KnownEngine, "exists", fail)
    assert call(monkeypatch, "down", "--yes", "-C", str(shipped_project)) == 1
    assert "it belongs into .slipway/passphrase" in capsys.readouterr().err
    assert standing == []


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("up",), "slipway up"),
        (("up", "CONTEXT=mine", "REGISTRY=r/x"), "slipway up --context 'mine' --registry 'r/x'"),
        (("up", "STACK=dev", "YES=1"), "slipway up dev --yes"),
        (("down", "YES=1", "ARGS=--cluster"), "slipway down --yes --cluster"),
    ],
)
def test_make_runs_the_same_command(arguments: tuple[str, ...], command: str) -> None:
    # These tests may themselves be run by make, whose variables would reach the inner one.
    outer = (
        "MAKEFLAGS",
        "MFLAGS",
        "MAKELEVEL",
        "MAKEOVERRIDES",
        "ARGS",
        "STACK",
        "CONTEXT",
        "REGISTRY",
        "YES",
    )
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(
        ["make", "-n", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert " ".join(done.stdout.splitlines()[-1].split()) == f".venv/bin/{command}"


# --- env ------------------------------------------------------------------------------------------------------------


def test_env_prints_exports_and_nothing_else(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(KnownEngine, "known", False)
    assert call(monkeypatch, "env", "-C", str(shipped_project)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "unset PULUMI_CONFIG_PASSPHRASE;"
    assert all(line.startswith("export ") and line.endswith(";") for line in lines[1:])
    names = [line.removeprefix("export ").partition("=")[0] for line in lines[1:]]
    assert names == ["PATH", *Home(shipped_project, "local").variables()]
    assert KnownEngine.did == ["create"]
    assert (shipped_project / ".slipway/local/Pulumi.local.yaml").read_text() == (
        shipped_project / "Pulumi.local.yaml"
    ).read_text()


def test_env_of_a_stack_that_is_up_names_the_cluster_that_was_chosen(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(shipped_project, "local")
    home.prepare()
    home.keep(Choice("mine", "/k", "localhost:5001"))
    assert call(monkeypatch, "env", "-C", str(shipped_project)) == 0
    text = home.stack_file.read_text()
    assert '\\"context\\": \\"mine\\", \\"kubeconfig\\": \\"/k\\"' in text
    assert '\\"registry\\": \\"localhost:5001/chat\\"' in text


def test_env_of_a_teams_stack_leaves_backend_and_secrets_to_the_shell(
    shipped_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "env", "dev", "-C", str(shipped_project)) == 1
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("slipway.operate.elsewhere.require_backend", lambda *_: "s3://bucket")
    assert call(monkeypatch, "env", "dev", "-C", str(shipped_project)) == 0
    assert (
        capsys.readouterr().out
        == "unset PULUMI_OPTION_CONFIG_FILE;\nexport PATH=/bin;\nexport PULUMI_STACK=dev;\n"
    )
