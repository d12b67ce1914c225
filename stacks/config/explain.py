"""What a key of the stack file means, what it takes, and where its value in a stack comes from."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel

from stacks.config.namespaces import decode
from stacks.config.problems import KeyPath, key_text, may_show, printable
from stacks.config.schema import preset_texts
from stacks.config.shapes import Key, Place, Shape, locate
from stacks.config.stackfile import PROJECT, StackFile
from stacks.config.translate import full_path, value_at
from stacks.config.words import expected, nearest, quoted
from stacks.presets import Environment, preset_for
from stacks.settings import Settings

_STEP = re.compile(r"\[(?P<index>\d+)\]|\[\"(?P<quoted>[^\"]*)\"\]|(?P<name>[^.\[\]]+)")


class UnknownKeyError(Exception):
    """No section has such a key; the text says which one may be meant."""


@dataclass(frozen=True)
class Explanation:
    """Everything about one key.

    Attributes:
        key: the key in full, names of the user's choice as `<name>`.
        description: meaning, unit, allowed values.
        takes: what may be written.
        default: the value where nobody says anything; empty where there is none.
        presets: the values of the environments; empty where there are none.
        below: the keys below it with their description.
        value: the value in a stack and where it comes from; empty where no stack was asked for.
    """

    key: str
    description: str
    takes: str
    default: str
    presets: str
    below: tuple[tuple[str, str], ...]
    value: str = ""

    def text(self) -> str:
        """Return it for a terminal."""
        rows = [
            ("takes", self.takes),
            ("default", self.default),
            ("presets", self.presets),
            ("value", self.value),
        ]
        lines = [self.key, *(f"  {part}" for part in [self.description] if part)]
        lines += [f"  {name:<9}{text}" for name, text in rows if text]
        width = max((len(name) for name, _ in self.below), default=0)
        lines += [f"    {name:<{width}}  {text}".rstrip() for name, text in self.below]
        return "\n".join(lines)


def explain(
    key: str,
    file: StackFile | None = None,
    settings: BaseModel | None = None,
    *,
    root: type[BaseModel] = Settings,
) -> Explanation:
    """Explain a key.

    Args:
        key: a dotted key such as `services.api.scaling.max`, with or without `slipway:`.
        file: the stack file whose value is wanted too.
        settings: the settings of that file; None while it has errors.
        root: the model of all sections.

    Raises:
        UnknownKeyError: when there is no such key.
    """
    path = _path(key)
    document = _document(file)
    place = _placed(root, path, document)
    shape = place.shape
    kinds: Mapping[str, Shape] = (
        place.owner.forms if place.owner is not None and place.owner.by == path[-1] else {}
    )
    named = place.key if place.key is not None and place.path and place.path[-1] == place.key.alias else None
    presets = preset_texts(named.preset) if named is not None and named.preset is not None else ""
    return Explanation(
        key=key_text(full_path(_general(root, path))),
        description="Which form it has; decides the other keys." if kinds else _description(place, named),
        takes=f"one of {quoted(sorted(kinds))}" if kinds else expected(shape),
        default=_default(named),
        presets=presets,
        below=tuple((name, found.description) for name, found in _below(shape)),
        value=_value(path, named, document, file, settings) if file is not None else "",
    )


def _path(key: str) -> KeyPath:
    bare = key.strip().removeprefix(f"{PROJECT}:")
    return tuple(
        int(match["index"]) if match["index"] is not None else match["quoted"] or match["name"]
        for match in _STEP.finditer(bare)
    )


def _document(file: StackFile | None) -> Mapping[str, object]:
    config: Mapping[str, str] = file.config if file is not None else {}
    return {
        key.partition(":")[2]: decode(text) for key, text in config.items() if key.startswith(f"{PROJECT}:")
    }


def _placed(root: type[BaseModel], path: KeyPath, document: Mapping[str, object]) -> Place:
    """Return the place of a path, each step checked; an unknown step is answered with what may stand there.

    A key that several forms share (`database.name`) is that of the form which the stack has.
    """
    if not path:
        raise UnknownKeyError(
            f"Name a key, such as `services.api.scaling.max`. Sections: {_names(locate(root, ()).shape)}."
        )
    for length in range(1, len(path) + 1):
        place = locate(root, path[:length])
        around = locate(root, path[: length - 1]).shape
        if place.path != path[:length] or place.shape is None:
            known = list(around.keys) if around is not None else []
            near = nearest(str(path[length - 1]), known)
            at = f" below `{key_text(full_path(path[: length - 1]))}`" if length > 1 else ""
            hint = (
                f"Did you mean `{near}`?"
                if near
                else f"There are: {quoted(known)}."
                if known
                else "It takes one value."
            )
            raise UnknownKeyError(f"No key `{printable(str(path[length - 1]))}`{at}. {hint}")
    steps: list[str | int] = []
    for length, step in enumerate(path):
        around = locate(root, tuple(steps)).shape
        form = value_at(document, (*path[:length], around.by)) if around is not None and around.by else None
        if (
            around is not None
            and isinstance(form, str)
            and step != around.by
            and step in around.forms.get(form, around).keys
        ):
            steps.append(form)
        steps.append(step)
    return locate(root, tuple(steps))


def _names(shape: Shape | None) -> str:
    return quoted(shape.keys) if shape is not None else ""


def _general(root: type[BaseModel], path: KeyPath) -> KeyPath:
    """Return a path with `<name>` for the keys that the user chooses."""
    found: list[str | int] = []
    for length, step in enumerate(path):
        around = locate(root, path[:length]).shape
        found.append("<name>" if around is not None and around.kind == "map" else step)
    return tuple(found)


def _description(place: Place, named: Key | None) -> str:
    if named is not None:
        return named.description
    model = place.shape.model if place.shape is not None else None
    return (model.__doc__ or "").strip().split("\n")[0] if model is not None else ""


def _below(shape: Shape | None) -> list[tuple[str, Key]]:
    while shape is not None and shape.item is not None:
        shape = shape.item
    if shape is None or not shape.by:
        return list(shape.keys.items()) if shape is not None else []
    return [
        (
            name
            if all(name in form.keys for form in shape.forms.values())
            else f"{name} ({', '.join(_having(shape, name))})",
            key,
        )
        for name, key in shape.keys.items()
    ]


def _having(shape: Shape, name: str) -> Iterable[str]:
    return [tag for tag, form in shape.forms.items() if name in form.keys]


def _default(named: Key | None) -> str:
    if named is None:
        return ""
    if named.info.is_required():
        return "none: required"
    return _text(named.info.get_default(call_default_factory=True, validated_data={}))


def _text(value: object) -> str:
    if isinstance(value, BaseModel):
        return json.dumps(value.model_dump(mode="json", by_alias=True), ensure_ascii=False)
    if isinstance(value, str):
        return printable(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _value(
    path: KeyPath,
    named: Key | None,
    document: Mapping[str, object],
    file: StackFile,
    settings: BaseModel | None,
) -> str:
    full = full_path(path)
    if full in file.positions:
        value = value_at(document, path)
        if isinstance(value, dict | tuple):
            return f"given at {file.positions[full]}"
        text = file.written.get(full) or _text(value)
        return f"{text if may_show(full, text) else '(not shown)'}, given at {file.positions[full]}"
    if settings is None:
        return f"not known while {file.path.name} has errors: `slipway preview` shows them"
    try:
        value = _attribute(settings, path)
    except LookupError:
        return f"none: nothing that has it is in {file.path.name}"
    environment = document.get("environment")
    preset = (
        getattr(preset_for(cast("Environment", environment)), named.preset)
        if named and named.preset
        else None
    )
    from_preset = preset is not None and preset == value
    return f"{_text(value)}, {f'from the preset of {environment}' if from_preset else 'the default'}"


def _attribute(value: object, path: KeyPath) -> object:
    """Return what the settings hold at a path of the stack file.

    Raises:
        LookupError: when a section on the way is not set or has another form.
    """
    for step in path:
        if isinstance(value, BaseModel):
            names = {info.alias or name: name for name, info in type(value).model_fields.items()}
            value = getattr(value, names[str(step)])
        elif isinstance(value, Mapping):
            value = cast("Mapping[object, object]", value)[step]
        elif isinstance(value, tuple) and isinstance(step, int):
            value = cast("tuple[object, ...]", value)[step]
        else:
            raise LookupError(step)
    return value
