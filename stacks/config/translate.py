"""From pydantic's errors to problems of the stack file: the place, the value if it may be shown, the words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.shared.refusal import REFUSAL
from stacks.config.problems import KeyPath, Problem, key_text, may_show, printable
from stacks.config.scalars import number_text
from stacks.config.shapes import Place, Shape, locate, section
from stacks.config.stackfile import PROJECT, StackFile
from stacks.config.words import Found, Words, explain, nearest, unknown_key


@dataclass(frozen=True)
class Source:
    """Where the judged values come from.

    Attributes:
        root: the model of the whole.
        document: the values as they were judged, before presets.
        file: the stack file with the same values, for positions; None where it is not known or says something else.
        environment: the name of the environment, for naming its preset; empty where it is not known.
        preset: the preset's values by attribute.
        agrees: tells for a key of `config:` whether the file has the value that was judged.
    """

    root: type[BaseModel]
    document: Mapping[str, object]
    file: StackFile | None
    environment: str
    preset: Mapping[str, object]
    agrees: Callable[[str], bool]


def translate(error: ValidationError, source: Source) -> list[Problem]:
    """Return the problems of a validation, each once.

    Args:
        error: what pydantic found.
        source: where the values come from.
    """
    found = (_problem(detail, source) for detail in error.errors(include_url=False, include_input=False))
    return list(dict.fromkeys(found))


def full_path(path: KeyPath) -> KeyPath:
    """Return a path of the settings as a path of the stack file: the section with its namespace."""
    return (f"{PROJECT}:{path[0]}", *path[1:]) if path else ()


def refusal(path: KeyPath, words: Words, source: Source) -> Problem:
    """Return a problem at a place of the settings.

    Args:
        path: keys as in the stack file, beginning with the section.
        words: what, why, remedy.
        source: where the values come from.
    """
    full = full_path(path)
    where = (
        source.file.position(full)
        if source.file is not None and full and source.agrees(str(full[0]))
        else None
    )
    if where is None and source.file is not None and (not full or str(full[0]) not in source.file.config):
        where = source.file.position(())
    return Problem(key_text(full), where, words.what, words.why, words.remedy, _value(path, source))


def _problem(detail: ErrorDetails, source: Source) -> Problem:
    place = locate(source.root, detail["loc"])
    context = detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        return refusal(place.path, _unknown(place, source), source)
    if detail["type"] == REFUSAL:
        path = (*place.path, *cast("list[str | int]", context.get("at", [])))
        words = Words(str(context["what"]), str(context["why"]), str(context["remedy"]))
        return refusal(path, _with_preset(words, place, source), source)
    path = place.path
    if detail["type"].startswith("union_tag") and place.shape is not None and place.shape.by:
        path = (*path, place.shape.by)
    words = explain(detail["type"], context, place, _found(path, source), detail["msg"])
    if detail["type"] == "union_tag_invalid" and place.shape is not None:
        words = _with_nearest(words, value_at(source.document, path), place.shape)
    return refusal(path, _from_preset(words, place, source), source)


def _unknown(place: Place, source: Source) -> Words:
    owner = place.owner
    present = value_at(source.document, place.path[:-1])
    keys: list[str] = list(owner.keys) if owner is not None else []
    absent = [name for name in keys if not isinstance(present, dict) or name not in present]
    return unknown_key(str(place.path[-1]), absent or keys)


def _with_nearest(words: Words, value: object, shape: Shape) -> Words:
    near = nearest(value, shape.forms) if isinstance(value, str) else None
    return Words(words.what, words.why, f"Did you mean `{near}`? {words.remedy}") if near else words


def _with_preset(words: Words, place: Place, source: Source) -> Words:
    """Add which of the values that a rule speaks of came from the preset, so that nobody looks for them in the file."""
    shape = section(source.root) if not place.path else place.shape
    present = value_at(source.document, place.path)
    if shape is None or not source.environment:
        return words
    said = f"{words.what} {words.remedy}"
    notes: list[str] = []
    for name, key in shape.keys.items():
        value = source.preset.get(key.preset or "")
        absent = not isinstance(present, dict) or name not in present
        if value is not None and absent and name in said:
            notes.append(f"`{name}: {_text(value)}` comes from the preset of {source.environment}.")
    return Words(words.what, " ".join([words.why, *notes]), words.remedy)


def _from_preset(words: Words, place: Place, source: Source) -> Words:
    key = place.key
    value = source.preset.get(key.preset or "") if key is not None else None
    if value is None or value_at(source.document, place.path) is not None:
        return words
    note = f"The value {_text(value)} comes from the preset of {source.environment}."
    return Words(words.what, f"{words.why} {note}", words.remedy)


def _found(path: KeyPath, source: Source) -> Found:
    written = _written(path, source)
    value = value_at(source.document, path)
    if written is None and _is_scalar(value) and _present(source.document, path):
        written = _text(value)
    return Found(value, written)


def _value(path: KeyPath, source: Source) -> str | None:
    """Return a scalar as it is written, where its place says that it is no secret and its meaning is known."""
    place = locate(source.root, path)
    known = place.shape is not None and place.path == path
    value = value_at(source.document, path)
    if not known or value is None or isinstance(value, dict | tuple):
        return None
    written = _written(path, source)
    text = written or _text(value)
    return text if may_show(full_path(path), text) else None


def _written(path: KeyPath, source: Source) -> str | None:
    """Return how a number or a truth value stands in the file, where the file has the value that was judged."""
    full = full_path(path)
    return (
        source.file.written.get(full)
        if source.file is not None and full and source.agrees(str(full[0]))
        else None
    )


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return number_text(value) if isinstance(value, int | float) else printable(str(value))


def value_at(document: object, path: KeyPath) -> object:
    """Return the value at a path, None where there is none."""
    for step in path:
        if isinstance(document, Mapping):
            document = cast("Mapping[object, object]", document).get(step)
        elif isinstance(document, tuple) and isinstance(step, int):
            items = cast("tuple[object, ...]", document)
            document = items[step] if step < len(items) else None
        else:
            return None
    return document


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _present(document: object, path: KeyPath) -> bool:
    parent = value_at(document, path[:-1]) if path else None
    return isinstance(parent, Mapping) and path[-1] in parent
