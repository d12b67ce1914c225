"""The exported JSON Schema is one, and agrees with what loads."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from slipway.cli.main import app
from stacks.config.schema import preset_texts, stack_file_schema
from tests.unit.config.files import documents, dump

ROOT = Path(__file__).resolve().parents[3]


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(stack_file_schema())


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(stack_file_schema())


def test_the_command_prints_it() -> None:
    assert json.loads(CliRunner().invoke(app, ["schema"]).stdout) == stack_file_schema()


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_every_shipped_stack_file_is_valid(path: Path) -> None:
    assert [error.message for error in validator().iter_errors(yaml.safe_load(path.read_text()))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"config": {}},
        {"config": {"slipway:monitorng": {}}},
        {"config": {"secrets:token": "in clear"}},
        {"config": {"secrets:token": {"secure": "a", "other": 1}}},
        {"Config": {}},
        {"encryptionsalt": ["a"]},
    ],
)
def test_what_is_refused_is_marked_by_an_editor_too(change: dict[str, dict[str, object]]) -> None:
    document = documents()["full"]
    config = document["config"]
    assert isinstance(config, dict)
    assert list(validator().iter_errors(document)) == []
    wrong = {**document, **change}
    if change.get("config"):
        wrong["config"] = {**config, **change["config"]}
    assert list(validator().iter_errors(yaml.safe_load(dump(wrong))))


def test_every_key_carries_its_meaning_and_its_presets() -> None:
    schema = json.dumps(stack_file_schema())
    assert "Pods at the most. Presets: local 2, dev 2, staging 4, prod 10." in schema
    assert '"preset"' not in schema
    assert preset_texts("rds_multi_az") == "prod true"
