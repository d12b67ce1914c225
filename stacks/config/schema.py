"""The JSON Schema of a stack file, made from the models, so that editors complete keys and mark mistakes.

It describes the notation and each value by itself. Rules between values, and those of another field's kind, are judged
by `slipway preview` only.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import cast, get_args

from pydantic import BaseModel

from components.shared.section import PRESET_KEY
from stacks.config.stackfile import PROJECT
from stacks.presets import Environment, preset_for
from stacks.settings import Settings

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_CIPHERTEXT: Json = {
    "type": "object",
    "description": "A secret, encrypted by `slipway secrets set`.",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}
_SECRET_PATTERN = r"^secrets:[a-z][A-Za-z0-9]*$"  # noqa: S105 - the form of a key


def stack_file_schema(root: type[BaseModel] = Settings) -> dict[str, Json]:
    """Return the JSON Schema (2020-12) of a stack file.

    Args:
        root: the model of all sections.
    """
    model = cast("dict[str, Json]", root.model_json_schema(by_alias=True, mode="validation"))
    definitions = model.pop("$defs", {})
    sections = cast("dict[str, Json]", model["properties"])
    required = cast("list[str]", model.get("required", []))
    config: dict[str, Json] = {
        "type": "object",
        "description": "The sections of the stack, each with its namespace, and the encrypted values.",
        "properties": {f"{PROJECT}:{name}": section for name, section in sections.items()},
        "patternProperties": {_SECRET_PATTERN: _CIPHERTEXT},
        "required": [f"{PROJECT}:{name}" for name in required],
        "additionalProperties": False,
    }
    schema: dict[str, Json] = {
        "$schema": DIALECT,
        "title": "Slipway stack file",
        "type": "object",
        "properties": {
            "config": config,
            "encryptionsalt": {"type": "string", "description": "Written by Pulumi: leave it as it is."},
            "encryptedkey": {"type": "string", "description": "Written by Pulumi: leave it as it is."},
            "secretsprovider": {
                "type": "string",
                "description": "What encrypts the secrets, such as a KMS key.",
            },
        },
        "required": ["config"],
        "additionalProperties": False,
        "$defs": definitions,
    }
    return cast("dict[str, Json]", _told_presets(schema))


def _told_presets(node: Json) -> Json:
    """Return a schema whose descriptions name the presets; the name of the attribute means nothing to an editor."""
    if isinstance(node, list):
        return [_told_presets(item) for item in node]
    if not isinstance(node, dict):
        return node
    told = {key: _told_presets(value) for key, value in node.items()}
    attribute = told.get(PRESET_KEY)
    if isinstance(attribute, str):
        del told[PRESET_KEY]
        told["description"] = f"{told.get('description', '')} Presets: {preset_texts(attribute)}.".strip()
    return told


def preset_texts(attribute: str) -> str:
    """Return the presets of all environments as text: `local 1, dev 1, prod 2`."""
    given: dict[str, object] = {}
    for name in get_args(Environment):
        value = cast("Mapping[str, object]", asdict(preset_for(name)))[attribute]
        if value is not None:
            given[name] = value
    return ", ".join(f"{name} {str(value).lower()}" for name, value in given.items()) or "none"
