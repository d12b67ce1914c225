"""What is wrong with a value, in words: each kind of pydantic's errors with its consequence and its remedy.

pydantic's own words name Python's types ("Input should be a valid tuple"); the reader of a stack file knows text,
numbers, lists and maps. No sentence here repeats a value: whether it may be shown is decided by its place.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.config.shapes import Place, Shape


@dataclass(frozen=True)
class Words:
    """The three sentences of an error."""

    what: str
    why: str
    remedy: str


@dataclass(frozen=True)
class Found:
    """What stands at the place of an error.

    Attributes:
        value: the value; None also where there is none.
        written: how a number, a truth value or an empty value was written, as far as the file is known.
    """

    value: object
    written: str | None = None


_RANGE_WHY = (
    "It is outside what is possible or makes sense here: it would fail later, at the API or under load."
)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that a mistyped one most likely means."""
    names = list(known)
    folded = {candidate.lower().replace("_", "").replace("-", ""): candidate for candidate in names}
    bare = name.lower().replace("_", "").replace("-", "")
    if bare in folded:
        return folded[bare]
    near = difflib.get_close_matches(bare, folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def quoted(names: Iterable[str]) -> str:
    """Return names as a list in a sentence."""
    return ", ".join(f"`{name}`" for name in names)


def unknown_key(name: str, known: Iterable[str]) -> Words:
    """Return the words for a key that nothing reads."""
    names = sorted(known)
    near = nearest(name, names)
    remedy = f"Did you mean `{near}`?" if near else f"Known here: {quoted(names)}." if names else "Remove it."
    return Words(
        "unknown key", "Nothing would read it: what it is meant to set would keep its default.", remedy
    )


def explain(kind: str, context: Mapping[str, Any], place: Place, found: Found, message: str) -> Words:
    """Return the words for an error.

    Args:
        kind: pydantic's type of the error, such as `int_type`.
        context: its bounds and expectations.
        place: where it stands, with what may stand there.
        found: what stands there.
        message: pydantic's own words, for what has none here.
    """
    shape = place.shape
    about = place.key.description if place.key is not None else ""
    if kind == "missing":
        return Words(
            f"missing: {_inside(about)}" if about else "missing",
            "There is no default that would be right for every application.",
            f"Add `{place.path[-1]}:` with {expected(shape)}.",
        )
    if kind in ("union_tag_invalid", "union_tag_not_found") and shape is not None:
        return _form(kind, shape)
    if kind == "literal_error" and shape is not None:
        return _literal(shape, found, about)
    if found.value is None and found.written is not None:
        return Words(
            "no value",
            "An empty place after the colon means null, which this key does not take.",
            _write(shape, about, " Or remove the key, for its default."),
        )
    if kind.endswith(("_type", "_from_float", "_parsing")):
        return _type(kind, place.choice or shape, found, about)
    if kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than", "multiple_of"):
        side = {"g": "too small", "l": "too large", "m": "not a multiple"}[kind[0]]
        return Words(side, _RANGE_WHY, _write(shape, about))
    if kind in ("too_short", "string_too_short"):
        least = context.get("min_length", 1)
        what = "empty" if found.value in ("", (), {}) else f"shorter than {least}"
        return Words(what, "There would be nothing to work with.", _write(shape, about))
    if kind in ("too_long", "string_too_long"):
        return Words(f"longer than {context.get('max_length')}", _RANGE_WHY, _write(shape, about))
    if kind == "string_pattern_mismatch":
        what = "not the form of such a name" if place.name_itself else "not of the form that is needed"
        return Words(
            what,
            "It would be refused later, where it is used.",
            _write(None if place.name_itself else shape, about, f" Its form: {context.get('pattern')}"),
        )
    what = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return Words(what, "The value does not fit its key.", _write(shape, about))


def expected(shape: Shape | None) -> str:
    """Return what may stand at a place, as part of a sentence: `a whole number from 1 to 500`."""
    if shape is None:
        return "a value"
    if shape.kind == "section":
        return f"a map with the keys {quoted(sorted(shape.keys))}"
    if shape.kind == "choice":
        if shape.by:
            return f"a map whose `{shape.by}` is one of {quoted(sorted(shape.forms))}"
        return (
            f"text or a map with one of the keys {quoted(sorted(shape.keys))}"
            if _takes_text(shape)
            else _maps(shape)
        )
    if shape.kind == "map":
        return (
            "a map from names to values"
            if shape.item is None
            else f"a map from names to {_several(shape.item)}"
        )
    if shape.kind == "list":
        return "a list" if shape.item is None else f"a list of {_several(shape.item)}"
    return _value(shape.schema)


def _maps(shape: Shape) -> str:
    return f"a map with one of the keys {quoted(sorted(shape.keys))}"


def _takes_text(shape: Shape) -> bool:
    return any(form.kind == "value" for form in shape.forms.values())


def _several(shape: Shape) -> str:
    if shape.kind == "value":
        return "numbers" if shape.schema.get("type") in ("integer", "number") else "texts"
    return "lists" if shape.kind == "list" else "maps"


def _value(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {quoted(str(value) for value in schema['enum'])}"
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type")
    example = f", such as `{schema['examples'][0]}`" if schema.get("examples") else ""
    if kind in ("integer", "number"):
        noun = "a whole number" if kind == "integer" else "a number"
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        bounds = (f" from {low}" if low is not None else "") + (f" to {high}" if high is not None else "")
        return f"{noun}{bounds}"
    if kind == "boolean":
        return "`true` or `false`"
    if kind == "string" or isinstance(kind, list):
        return f"text{example}"
    return "a value"


def _write(shape: Shape | None, about: str, more: str = "") -> str:
    text = f"Write {expected(shape)}" if shape is not None else "Write it as described"
    return f"{text}: {_inside(about)}{more}" if about else f"{text}.{more}"


def _inside(text: str) -> str:
    """Return a sentence as it stands behind a colon; an abbreviation such as HTTP keeps its capitals."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def _form(kind: str, shape: Shape) -> Words:
    if not shape.by:
        return Words("none of the known forms", "It is not known what is meant.", f"Write {expected(shape)}.")
    if kind == "union_tag_not_found":
        return Words(
            f"`{shape.by}` is missing",
            "It decides which other keys there are.",
            f"Add `{shape.by}:` with one of {quoted(sorted(shape.forms))}.",
        )
    return Words(
        f"there is no such `{shape.by}`",
        "It decides which other keys there are.",
        f"Write one of {quoted(sorted(shape.forms))}.",
    )


def _literal(shape: Shape, found: Found, about: str) -> Words:
    allowed = [str(value) for value in shape.schema.get("enum", [shape.schema.get("const")])]
    if found.written is not None and not isinstance(found.value, str):
        same = f"{found.value:g}" if isinstance(found.value, float) else str(found.value)
        fits = found.written if found.written in allowed else same if same in allowed else None
        return Words(
            "not text",
            "Without quotes YAML reads it as a number or a truth value.",
            f'Put it in quotes: "{fits}".' if fits else f"Write one of {quoted(allowed)}, in quotes.",
        )
    near = nearest(found.value, allowed) if isinstance(found.value, str) else None
    hint = f"Did you mean `{near}`? " if near else ""
    return Words(
        "no value that is known here", "Nothing could be built for it.", f"{hint}{_write(shape, about)}"
    )


def _type(kind: str, shape: Shape | None, found: Found, about: str) -> Words:
    value = found.value
    wanted = kind.partition("_")[0]
    if wanted == "string" and isinstance(value, int | float):
        return Words(
            "a number or a truth value where text belongs",
            "Without quotes YAML reads it as a number or a truth value, and its notation is lost.",
            "Put it in quotes.",
        )
    if wanted in ("int", "float") and isinstance(value, str):
        number = value.strip().lstrip("+-").replace(".", "", 1).isdigit()
        return Words(
            "text where a number belongs",
            "In quotes it is text." if number else "There is nothing to count with.",
            "Write the number without quotes." if number else _write(shape, about),
        )
    if wanted == "int" and isinstance(value, float):
        return Words("not a whole number", "There are no fractions of it.", _write(shape, about))
    if (
        wanted == "bool"
        and isinstance(value, str)
        and value.lower() in ("yes", "no", "on", "off", "y", "n", "true", "false")
    ):
        return Words(
            "text where true or false belongs",
            "Pulumi reads such a word as text.",
            "Write `true` or `false`.",
        )
    remedy = _write(shape, about)
    texts = (
        shape is not None and shape.kind == "list" and shape.item is not None and shape.item.kind == "value"
    )
    if texts and isinstance(value, str):
        remedy = "Write a list, each word an item of its own: [alembic, upgrade, head]."
    return Words(f"{_noun(value)} where {expected(shape)} belongs", "The program could not read it.", remedy)


def _noun(value: object) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "a map"
    return "a list" if isinstance(value, tuple | list) else "nothing"
