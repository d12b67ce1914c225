"""Mutations of a stack file: every key that the sections know, each made wrong in one way, as text."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacks.config.problems import KeyPath
from stacks.config.shapes import Key, Shape, locate
from stacks.config.stackfile import PROJECT, read_stack_file
from stacks.settings import Settings
from tests.unit.config.files import documents, dump, write

WRONG_VALUES: dict[str, list[object]] = {
    "string": [{"a": 1}, ["a"], True, 1.5, 7],
    "integer": [{"a": 1}, ["a"], True, 1.5, "zzz"],
    "boolean": [{"a": 1}, ["a"], "on", "yes", "true", 1],
    "section": [["a"], "zzz", 3, True],
    "map": [["a"], "zzz", 3, True],
    "choice": [["a"], "zzz", 3, True, {"kind": "zzz"}, {}],
    "list": [{"a": 1}, "zzz", 3, True],
}
UNITS: list[object] = [
    "10s",
    "5m",
    "512",
    "1e3",
    "5XB",
    "-1Mi",
    "0.5",
    "1 Gi",
    "1gb",
    512,
    0.5,
    "",
    "Mi",
    "١Mi",
]


@dataclass(frozen=True)
class Spot:
    """One key in one text.

    Attributes:
        name: the key for people, with the form of its section.
        key: its declaration.
        path: where it stands.
        line: its line, counted from 0.
        end: the line after its value.
        text: the file.
    """

    name: str
    key: Key
    path: KeyPath
    line: int
    end: int
    text: str

    @property
    def last(self) -> str:
        """The key as it is written."""
        return f"{PROJECT}:{self.path[0]}" if len(self.path) == 1 else str(self.path[-1])

    @property
    def kind(self) -> str:
        """What it takes: the kind of its shape, or the type of its value."""
        shape = self.key.shape
        found = shape.kind if shape.kind != "value" else shape.schema.get("type", "string")
        return found if isinstance(found, str) else "string"

    @property
    def value(self) -> object:
        """What stands there, as YAML text of one line."""
        return self.text.splitlines()[self.line].partition(f"{self.last}:")[2].strip()

    def with_value(self, value: object) -> str:
        """The text with another value."""
        lines = self.text.splitlines()
        before = lines[self.line].partition(f"{self.last}:")[0]
        lines[self.line : self.end] = [f"{before}{self.last}: {json.dumps(value, ensure_ascii=False)}"]
        return "\n".join(lines) + "\n"

    def without(self) -> str:
        """The text without the key."""
        lines = self.text.splitlines()
        before = lines[self.line].partition(self.last)[0]
        del lines[self.line : self.end]
        if (
            before.endswith("- ")
            and self.line < len(lines)
            and lines[self.line].startswith(" " * len(before))
        ):
            lines[self.line] = before + lines[self.line][len(before) :]
        return "\n".join(lines) + "\n"


def groups(found: list[Spot]) -> list[list[Spot]]:
    """Return keys that can be made wrong in one text at once: of one file, none inside another.

    The key that names the form of a union stands alone, since an unknown form hides what is wrong beside it.
    """
    together: dict[tuple[str, int, bool], list[Spot]] = {}
    for spot in found:
        together.setdefault((spot.text, len(spot.path), spot.last == "kind"), []).append(spot)
    return [sorted(group, key=lambda spot: spot.line) for group in together.values()]


def with_values(group: list[Spot], value: Callable[[Spot], object]) -> tuple[str, dict[int, Spot]]:
    """Return a text with other values, and in which line each of them stands, counted from 0.

    Args:
        group: keys of one text, none inside another, in its order.
        value: gives the value of a key.
    """
    lines = group[0].text.splitlines()
    out: list[str] = []
    places: dict[int, Spot] = {}
    cursor = 0
    for spot in group:
        out += lines[cursor : spot.line]
        places[len(out)] = spot
        before = lines[spot.line].partition(f"{spot.last}:")[0]
        out.append(f"{before}{spot.last}: {json.dumps(value(spot), ensure_ascii=False)}")
        cursor = spot.end
    return "\n".join([*out, *lines[cursor:]]) + "\n", places


def with_neighbours(found: list[Spot], line: Callable[[Spot], str]) -> tuple[str, dict[int, Spot]]:
    """Return a text with one more line behind the value of every key, and in which line each stands, counted from 0.

    Args:
        found: keys of one text.
        line: gives the line of a key, without its indentation.
    """
    lines = found[0].text.splitlines()
    out: list[str] = []
    places: dict[int, Spot] = {}
    for number in range(len(lines) + 1):
        # Where several values end in one line, the innermost comes first.
        for spot in sorted((one for one in found if one.end == number), key=lambda one: -len(one.path)):
            places[len(out)] = spot
            out.append(" " * lines[spot.line].index(f"{spot.last}:") + line(spot))
        out += lines[number : number + 1]
    return "\n".join(out) + "\n", places


def spots(folder: Path) -> list[Spot]:
    """Return every key that the sections know, each once, in a text in which it stands."""
    found: dict[tuple[str, str], Spot] = {}
    for form, document in documents().items():
        text = dump(document)
        file = read_stack_file(write(folder, text))
        for path, place in file.positions.items():
            if not path or not isinstance(path[-1], str) or not str(path[0]).startswith(f"{PROJECT}:"):
                continue
            inner = (str(path[0]).removeprefix(f"{PROJECT}:"), *path[1:])
            at = locate(Settings, with_forms(inner, document))
            if at.key is None or at.key.alias != inner[-1]:
                continue
            name = f"{at.key.model.__name__}.{at.key.alias}"
            line = place.line - 1
            found.setdefault(
                (at.key.model.__name__, at.key.name),
                Spot(f"{name} ({form})", at.key, inner, line, _end(text, line, place.column - 1), text),
            )
    return list(found.values())


def with_forms(path: KeyPath, document: dict[str, object]) -> KeyPath:
    """Return a path with the forms of unions in it, as pydantic names them."""
    config = document["config"]
    assert isinstance(config, dict)
    value: Any = {key.removeprefix(f"{PROJECT}:"): item for key, item in config.items()}
    steps: list[str | int] = []
    for step in path:
        shape = locate(Settings, tuple(steps)).shape
        if shape is not None and shape.kind == "choice":
            steps.append(_form(shape, value))
        steps.append(step)
        value = value[step]
    return tuple(steps)


def _form(shape: Shape, value: dict[str, object]) -> str:
    if shape.by:
        return str(value[shape.by])
    return next(form for form in shape.forms if form in value)


def all_keys(root: Shape) -> Iterator[tuple[str, str]]:
    """Yield every key of every section: the model's name and the attribute's name."""
    if root.kind == "choice":
        for form in root.forms.values():
            yield from all_keys(form)
    elif root.kind == "section":
        for key in root.keys.values():
            yield key.model.__name__, key.name
            yield from all_keys(key.shape)
    elif root.item is not None:
        yield from all_keys(root.item)


def _end(text: str, line: int, column: int) -> int:
    lines = text.splitlines()
    for number in range(line + 1, len(lines)):
        indent = len(lines[number]) - len(lines[number].lstrip())
        if indent < column or (indent == column and not lines[number].lstrip().startswith("- ")):
            return number
    return len(lines)


def bounds(shape: Shape) -> list[object]:
    """Return values outside what a value may be: beyond its bounds, not of its pattern, none of its words, too long."""
    schema = shape.schema
    found: list[object] = []
    if "minimum" in schema:
        found.append(schema["minimum"] - 1)
    if "maximum" in schema:
        found += [schema["maximum"] + 1, 10**15]
    if "enum" in schema or "const" in schema:
        found += ["zzz", "", schema.get("const", schema.get("enum", [""])[0]).upper() + " "]
    if "pattern" in schema:
        found += ["!!", "a b", "ä/\n"]
    if "maxLength" in schema:
        found.append("x" * (schema["maxLength"] + 1))
    return found
