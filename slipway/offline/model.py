"""What one offline run of the program leaves behind: registrations, outputs and log, as plain JSON.

Everything else (manifests, preview, difference, price) is a function of a `Record`, so it holds no SDK
object, no secret value and nothing that differs between two runs of the same program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, cast

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type Path = tuple[str | int, ...]

FORMAT = 1
"""Version of the JSON form; a reader refuses any other."""

SECRET = "[secret]"  # noqa: S105 - the text that stands in place of a secret
"""Replaces every secret value in a record."""

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


@dataclass(frozen=True)
class LogLine:
    """A message of the program or of the recorder: severity, text, and the URN it concerns (or "")."""

    severity: Literal["info", "warning", "error"]
    message: str
    urn: str = ""


@dataclass(frozen=True)
class Registration:
    """One resource as the program asked for it.

    `inputs` have the provider's names (camelCase), with `SECRET` in place of secrets and `{"unknown": true}`
    for values nobody knows before `up`; `secret_paths` and `unknown_paths` list where those stand. A path of
    `unknown_paths` may also lead to a text that contains a placeholder for such a value.
    """

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    inputs: dict[str, Json]
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    protect: bool = False
    provider: str = ""
    aliases: tuple[Json, ...] = ()
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool = False
    retain_on_delete: bool = False
    deleted_with: str = ""
    additional_secret_outputs: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, str] = field(default_factory=dict[str, str])
    import_id: str = ""
    secret_paths: tuple[Path, ...] = ()
    unknown_paths: tuple[Path, ...] = ()

    def get(self, *path: str | int) -> Json:
        """The input at `path`, or None when any step of it is missing."""
        return value_at(self.inputs, path)

    @property
    def is_component(self) -> bool:
        """Whether this is a component: a group of resources, nothing that a provider creates."""
        return not self.custom and self.type != STACK_TYPE

    @property
    def is_provider(self) -> bool:
        """Whether this is an explicit provider."""
        return self.type.startswith(PROVIDER_PREFIX)

    def to_json(self) -> dict[str, Json]:
        """Plain JSON; fields at their default are left out."""
        document: dict[str, Json] = {}
        for name, default in _DEFAULTS:
            value: object = getattr(self, name)
            if value != default:
                document[name] = _plain(value)
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Registration:
        """The inverse of `to_json`."""
        values: dict[str, object] = dict(document)
        for name in _TUPLES & values.keys():
            values[name] = tuple(cast("list[object]", values[name]))
        for name in ("secret_paths", "unknown_paths"):
            if name in values:
                values[name] = tuple(tuple(path) for path in cast("list[list[str | int]]", document[name]))
        if "property_dependencies" in values:
            by_property = cast("dict[str, list[str]]", document["property_dependencies"])
            values["property_dependencies"] = {key: tuple(urns) for key, urns in by_property.items()}
        return cls(
            **cast("dict[str, Any]", values)
        )  # the cast only quiets the checker: values are as written


@dataclass(frozen=True)
class Record:
    """Everything one run of the program registered, in order, with the stack's outputs and the log."""

    project: str
    stack: str
    registrations: tuple[Registration, ...]
    outputs: Mapping[str, Json]
    log: tuple[LogLine, ...] = ()
    output_secret_paths: tuple[Path, ...] = ()
    output_unknown_paths: tuple[Path, ...] = ()

    @cached_property
    def _by_urn(self) -> dict[str, Registration]:
        return {one.urn: one for one in self.registrations}

    @cached_property
    def _by_parent(self) -> dict[str, list[Registration]]:
        children: dict[str, list[Registration]] = {}
        for one in self.registrations:
            children.setdefault(one.parent, []).append(one)
        return children

    @property
    def root(self) -> str:
        """URN of the stack itself."""
        return f"urn:pulumi:{self.stack}::{self.project}::{STACK_TYPE}::{self.project}-{self.stack}"

    def by_urn(self, urn: str) -> Registration:
        """The registration with this URN; raises KeyError."""
        return self._by_urn[urn]

    def of_type(self, token: str) -> tuple[Registration, ...]:
        """All registrations of a type token, in order."""
        return tuple(one for one in self.registrations if one.type == token)

    def children(self, urn: str) -> tuple[Registration, ...]:
        """Direct children of a resource, in order."""
        return tuple(self._by_parent.get(urn, ()))

    def descendants(self, urn: str) -> Iterator[Registration]:
        """All resources below one, depth first."""
        for child in self._by_parent.get(urn, ()):
            yield child
            yield from self.descendants(child.urn)

    def one(self, type: str, name: str) -> Registration:
        """The only registration of this type and name; raises LookupError naming what there is."""
        found = [item for item in self.of_type(type) if item.name == name]
        if len(found) != 1:
            names = sorted(item.name for item in self.of_type(type))
            raise LookupError(f"{len(found)} resources {type} named {name!r}; of this type there are {names}")
        return found[0]

    def to_json(self) -> dict[str, Json]:
        """Plain JSON with a format number."""
        return {
            "format": FORMAT,
            "project": self.project,
            "stack": self.stack,
            "registrations": [one.to_json() for one in self.registrations],
            "outputs": dict(self.outputs),
            "log": [cast("dict[str, Json]", asdict(line)) for line in self.log],
            "output_secret_paths": [list(path) for path in self.output_secret_paths],
            "output_unknown_paths": [list(path) for path in self.output_unknown_paths],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> Record:
        """The inverse of `to_json`; raises ValueError for another format number."""
        if document.get("format") != FORMAT:
            raise ValueError(f"this record has format {document.get('format')}, expected {FORMAT}")
        return cls(
            project=str(document["project"]),
            stack=str(document["stack"]),
            registrations=tuple(
                Registration.from_json(one)
                for one in cast("list[dict[str, Json]]", document["registrations"])
            ),
            outputs=cast("dict[str, Json]", document["outputs"]),
            log=tuple(
                LogLine(
                    cast('Literal["info", "warning", "error"]', line["severity"]),
                    line["message"],
                    line["urn"],
                )
                for line in cast("list[dict[str, str]]", document["log"])
            ),
            output_secret_paths=_paths(document["output_secret_paths"]),
            output_unknown_paths=_paths(document["output_unknown_paths"]),
        )


def value_at(value: Json, path: Path) -> Json:
    """Follow `path` through maps and lists; None when a step is missing."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def format_path(path: Path) -> str:
    """A path as people write it: `spec.template.spec.containers[0].image`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def _plain(value: object) -> Json:
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in cast("dict[str, object]", value).items()}
    return cast("Json", value)


def _paths(value: Json) -> tuple[Path, ...]:
    return tuple(tuple(path) for path in cast("list[list[str | int]]", value))


_TUPLES = {
    "dependencies",
    "aliases",
    "ignore_changes",
    "replace_on_changes",
    "additional_secret_outputs",
}
_EMPTY = Registration("", "", "", "", False, {})
_REQUIRED = object()
_DEFAULTS: tuple[tuple[str, object], ...] = tuple(
    (
        one.name,
        _REQUIRED
        if one.name in ("urn", "type", "name", "parent", "custom", "inputs")
        else getattr(_EMPTY, one.name),
    )
    for one in fields(Registration)
)
