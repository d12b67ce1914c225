"""Sections of a stack file for unit tests: validated as the program does it, their refusals as one text."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError


def accept(kind: Any, value: object) -> Any:  # noqa: ANN401 - a TypeAdapter takes any annotation
    """The value as the section holds it; raises ValidationError."""
    return TypeAdapter(kind).validate_python(value, strict=True, by_alias=True, by_name=False)


def refusal(kind: Any, value: object) -> str:  # noqa: ANN401 - as above
    """What is refused, each error with why and remedy on a line of its own; empty where the value is accepted."""
    try:
        accept(kind, value)
    except ValidationError as error:
        return "\n".join(
            " | ".join([one["msg"], *(str(one.get("ctx", {}).get(key, "")) for key in ("why", "remedy"))])
            for one in error.errors(include_url=False)
        )
    return ""
