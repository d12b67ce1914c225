"""What `up` decides takes its place in the stack file's values, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.cli.app import CommandError
from slipway.cli.stack_view import described, environment_of, read_stack, view_of
from slipway.operate.home import Choice

ROOT = Path(__file__).resolve().parents[3]
LOCAL = (ROOT / "Pulumi.local.yaml").read_text()
REGISTRY = Choice("mine", "/k", "localhost:5001")


def _settled(tmp_path: Path, text: str, choice: Choice) -> dict[str, dict[str, object]]:
    path = tmp_path / "Pulumi.local.yaml"
    path.write_text(text)
    return {key: json.loads(value) for key, value in view_of(*read_stack(path)).settled(choice).items()}


def test_the_cluster_that_was_chosen_is_named_in_full(tmp_path: Path) -> None:
    settled = _settled(tmp_path, LOCAL, Choice("mine", "/k"))
    assert settled == {"slipway:cluster": {"kind": "existing", "context": "mine", "kubeconfig": "/k"}}


def test_every_image_that_is_built_goes_to_the_registry_each_to_its_own_repository(tmp_path: Path) -> None:
    own = LOCAL.replace(
        "      role: frontend\n", "      role: frontend\n      image: { kind: build, context: ./web }\n"
    )
    settled = _settled(tmp_path, own, REGISTRY)
    assert settled["slipway:image"] == {
        "kind": "build",
        "context": "./app",
        "registry": "localhost:5001/chat",
    }
    services = settled["slipway:services"]
    frontend = services["frontend"]
    assert isinstance(frontend, dict)
    assert frontend["image"] == {
        "kind": "build",
        "context": "./web",
        "registry": "localhost:5001/chat-frontend",
    }
    assert set(services) == {"api", "frontend", "worker"}


def test_an_image_that_has_a_registry_keeps_it(tmp_path: Path) -> None:
    own = LOCAL.replace("context: ./app }", "context: ./app, registry: r.example/chat }")
    assert set(_settled(tmp_path, own, REGISTRY)) == {"slipway:cluster"}
    path = tmp_path / "Pulumi.local.yaml"
    assert view_of(*read_stack(path)).pushes


def test_a_stack_that_is_not_up_is_described_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.local.yaml"
    path.write_text(LOCAL)
    found = described(path, "kubectl")
    assert found.kubectl[2:] == ("--context=kind-slipway", "--namespace=chat-local")
    assert (found.ports, found.database) == ({"api": 8000, "frontend": 8501, "worker": None}, "chat")


def test_a_file_that_is_no_yaml_names_no_environment(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.local.yaml"
    path.write_text("config: [")
    with pytest.raises(CommandError, match="Pulumi.local.yaml"):
        environment_of(path)
