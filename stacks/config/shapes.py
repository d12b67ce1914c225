"""The shape of the settings, read from the models: which keys there are, what they mean, and what may stand below them.

pydantic names the place of an error by the models' inner structure (the chosen form of a union is part of it); `locate`
finds the place in the stack file.
"""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Any, ForwardRef, Literal, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Discriminator, Tag, TypeAdapter
from pydantic.fields import FieldInfo

from components.shared.section import preset_fields

Kind = Literal["section", "map", "list", "choice", "value"]


@dataclass(frozen=True, eq=False)
class Shape:
    """What may stand at a place.

    Attributes:
        kind: a section with fixed keys, a map with keys of the user's choice, a list, a choice of forms, or one value.
        annotation: the Python type with its constraints.
        model: the model of a section.
        item: what stands in a list or a map.
        forms: the forms of a choice by their tag.
        by: the key whose value names the form, such as `kind`; empty where the form is told by its keys.
    """

    kind: Kind
    annotation: object
    model: type[BaseModel] | None = None
    item: "Shape | None" = None
    forms: Mapping[str, "Shape"] = field(default_factory=dict[str, "Shape"])
    by: str = ""

    @cached_property
    def keys(self) -> Mapping[str, "Key"]:
        """The keys of a section, or those of all forms of a choice, by their name in the stack file."""
        if self.kind == "choice":
            return {name: key for form in self.forms.values() for name, key in form.keys.items()}
        if self.model is None:
            return {}
        return {
            info.alias or name: Key(name, self.model, info) for name, info in self.model.model_fields.items()
        }

    @cached_property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of one value: type, bounds, pattern, allowed values."""
        schema = TypeAdapter[Any](cast("Any", self.annotation)).json_schema()
        forms: list[dict[str, Any]] = schema.get("anyOf", [])
        one = [form for form in forms if form.get("type") != "null"]
        return one[0] if len(one) == 1 else schema


@dataclass(frozen=True, eq=False)
class Key:
    """One key of a section.

    Attributes:
        name: the attribute's name in Python.
        model: the section that it belongs to.
        info: its declaration.
    """

    name: str
    model: type[BaseModel]
    info: FieldInfo

    @property
    def alias(self) -> str:
        """The name in the stack file."""
        return self.info.alias or self.name

    @property
    def description(self) -> str:
        """Meaning, unit and allowed values."""
        return self.info.description or ""

    @property
    def preset(self) -> str | None:
        """The attribute of the environment's preset that may fill it."""
        return preset_fields(self.model).get(self.name)

    @cached_property
    def shape(self) -> Shape:
        """What may stand at this key."""
        metadata: tuple[object, ...] = tuple(self.info.metadata)
        if self.info.discriminator is not None:
            metadata = (*metadata, self.info)
        annotation: object = self.info.annotation
        if isinstance(annotation, ForwardRef):
            annotation = get_type_hints(self.model, include_extras=True)[self.name]
        return shape_of(annotation, metadata)


@cache
def section(model: type[BaseModel]) -> Shape:
    """Return the shape of a model; the same object for the same model."""
    return Shape("section", model, model)


def shape_of(annotation: object, metadata: tuple[object, ...] = ()) -> Shape:
    """Return the shape of a type annotation.

    Args:
        annotation: the type, as a field declares it.
        metadata: constraints that stand outside it.
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        base, *inner = cast("tuple[object, ...]", get_args(annotation))
        return shape_of(base, (*inner, *metadata))
    arguments = cast("tuple[object, ...]", get_args(annotation))
    if origin in (Union, types.UnionType):
        forms = [argument for argument in arguments if argument is not type(None)]
        return shape_of(forms[0], metadata) if len(forms) == 1 else _choice(forms, metadata)
    if isinstance(annotation, type) and origin is None and issubclass(annotation, BaseModel):
        return section(annotation)
    whole = _annotated(cast("object", annotation), metadata)
    if origin in (dict, Mapping):
        return Shape("map", whole, item=shape_of(arguments[1]))
    if origin in (list, tuple, set, frozenset, Sequence):
        return Shape("list", whole, item=shape_of(arguments[0]))
    return Shape("value", whole)


def _annotated(annotation: object, metadata: tuple[object, ...]) -> object:
    useful = tuple(item for item in metadata if not isinstance(item, Tag))
    return cast("Any", Annotated)[annotation, *useful] if useful else annotation


def _choice(forms: list[object], metadata: tuple[object, ...]) -> Shape:
    by = next(
        (name for item in metadata if isinstance(name := getattr(item, "discriminator", None), str)), ""
    )
    found: dict[str, Shape] = {}
    for number, form in enumerate(forms):
        shape = shape_of(form)
        if by and shape.model is not None:
            for value in get_args(shape.model.model_fields[by].annotation):
                found[str(value)] = shape
        else:
            tags = [item.tag for item in get_args(form)[1:] if isinstance(item, Tag)]
            found[tags[0] if tags else str(number)] = shape
    known = by or any(isinstance(item, Discriminator) for item in metadata)
    return (
        Shape("choice", forms[0], forms=found, by=by) if known else Shape("value", cast("Any", Union)[*forms])
    )


@dataclass(frozen=True)
class Place:
    """A place in the settings.

    Attributes:
        path: keys and indices as in the stack file, without the forms of unions.
        shape: what may stand there; None for a key that no section knows.
        key: the innermost named key on the way.
        owner: the shape that the last key belongs to.
        name_itself: whether the name of a map's key is meant, not its value.
        choice: the choice that `shape` is one form of.
    """

    path: tuple[str | int, ...]
    shape: Shape | None
    key: Key | None
    owner: Shape | None
    name_itself: bool = False
    choice: Shape | None = None


def locate(root: type[BaseModel], location: tuple[str | int, ...]) -> Place:
    """Return the place that a location of pydantic's means.

    Args:
        root: the model that was validated.
        location: `loc` of one of its errors, or a path of the stack file.
    """
    shape: Shape | None = section(root)
    path: list[str | int] = []
    key: Key | None = None
    owner: Shape | None = None
    choice: Shape | None = None
    for step in location:
        if step == "[key]":
            return Place(tuple(path), shape, key, owner, name_itself=True)
        if shape is None:
            path.append(step)
        elif shape.kind == "choice" and step in shape.forms:
            choice, shape = shape, shape.forms[str(step)]
            continue
        elif shape.kind == "section" or (shape.kind == "choice" and step in shape.keys):
            owner, key = shape, shape.keys.get(str(step), None)
            shape = key.shape if key is not None else None
            path.append(step)
        elif shape.kind in ("map", "list"):
            owner, shape = shape, shape.item
            path.append(step)
        choice = None
    return Place(tuple(path), shape, key, owner, choice=choice)
