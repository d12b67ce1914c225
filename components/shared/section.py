"""The base of every section of the stack file.

A section is declared once, beside the part that it configures, as a frozen pydantic model. A field that an environment
may preset says so with `preset`; the value is resolved as stack file, then preset, then default.
"""

from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

PRESET_KEY = "preset"
"""Where a field keeps the name of the preset's attribute that may fill it (in `json_schema_extra`)."""


class Section(BaseModel):
    """A part of the stack file: immutable, refusing keys that it does not know, never repeating a value in an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: object, info: ValidationInfo) -> object:
        context = cast("Mapping[str, object]", info.context or {})
        chosen = context.get(PRESET_KEY)
        if chosen is None or not isinstance(data, dict):
            return data
        filled = dict(cast("dict[str, object]", data))
        for name, attribute in preset_fields(cls).items():
            alias = cls.model_fields[name].alias or name
            value = cast("object", getattr(chosen, attribute))
            if alias not in filled and name not in filled and value is not None:
                filled[alias] = value
        return filled


def preset[T](
    attribute: str, *, default: T, description: str, ge: int | None = None, le: int | None = None
) -> T:
    """Declare a field that the preset of an environment may fill.

    Args:
        attribute: the attribute of `stacks.presets.Preset` that holds the value; None there means no opinion.
        default: the value where neither the stack file nor the preset says anything.
        description: meaning, unit and allowed values, for `slipway explain` and the JSON Schema.
        ge: the smallest value allowed.
        le: the largest value allowed.
    """
    return Field(
        default=default, description=description, json_schema_extra={PRESET_KEY: attribute}, ge=ge, le=le
    )


def nested[T](model: type[T], *, description: str) -> T:  # noqa: ARG001 - only its type is used
    """Declare a field that is a section with a default for every key, so that its presets apply where it is left out.

    Args:
        model: the section.
        description: what the section is about.
    """
    return cast("T", Field(default_factory=dict, validate_default=True, description=description))


def preset_fields(section: type[BaseModel]) -> dict[str, str]:
    """Return which fields of a section a preset may fill: the field's name to the preset's attribute."""
    found: dict[str, str] = {}
    for name, field in section.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict):
            attribute = cast("Mapping[str, object]", extra).get(PRESET_KEY)
            if isinstance(attribute, str):
                found[name] = attribute
    return found
