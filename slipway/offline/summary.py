"""What a preview says of a stack, as data: parts, workloads, warnings, outputs, unknown values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import cast

from slipway.offline.checks import warnings
from slipway.offline.kubernetes import POD_TEMPLATES, Workload, kind_of, workloads
from slipway.offline.model import Json, Record, Registration, format_path
from slipway.offline.model import Path as ValuePath

STACK_PART = "stack"
"""The part that holds what belongs to no component."""


@dataclass(frozen=True)
class Part:
    """One component of the stack: how many resources a provider creates for it, by kind."""

    name: str
    type: str
    resources: int
    kinds: Mapping[str, int]


@dataclass(frozen=True)
class Unknown:
    """A value that only `up` decides: the resource (or "output") and the path of the input."""

    resource: str
    type: str
    path: str
    secret: bool


@dataclass(frozen=True)
class Summary:
    """Everything that the preview of one stack prints."""

    project: str
    stack: str
    resources: int
    parts: tuple[Part, ...]
    workloads: tuple[Workload, ...]
    warnings: tuple[str, ...]
    outputs: Mapping[str, Json]
    unknown: tuple[Unknown, ...]

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return cast("dict[str, Json]", asdict(self))


def summarise(record: Record) -> Summary:
    """The summary of a record."""
    return Summary(
        project=record.project,
        stack=record.stack,
        resources=sum(1 for one in record.registrations if _counts(one)),
        parts=_parts(record),
        workloads=workloads(record),
        warnings=warnings(record),
        outputs=record.outputs,
        unknown=_unknown(record),
    )


def _parts(record: Record) -> tuple[Part, ...]:
    top = record.children(record.root)
    # A program that wraps everything in one component: its children are the parts.
    wrapper = [one for one in top if one.is_component]
    if len(wrapper) == 1 and any(child.is_component for child in record.children(wrapper[0].urn)):
        top = (*(one for one in top if not one.is_component), *record.children(wrapper[0].urn))
    parts = [
        _part(one.name, one.type, [child for child in record.descendants(one.urn) if _counts(child)])
        for one in top
        if one.is_component
    ]
    loose = [one for one in top if _counts(one)]
    return (*parts, _part(STACK_PART, "", loose)) if loose else tuple(parts)


def _part(name: str, type: str, members: list[Registration]) -> Part:
    kinds = Counter(_kind(one) for one in members)
    # What runs says most about a part, so it comes first.
    order = sorted(kinds, key=lambda kind: (kind not in POD_TEMPLATES, -kinds[kind], kind))
    return Part(name, type, len(members), {kind: kinds[kind] for kind in order})


def _kind(one: Registration) -> str:
    return f"{one.type.rpartition(':')[2]} provider" if one.is_provider else kind_of(one)


def _counts(one: Registration) -> bool:
    """Components are groups; only what a provider creates is counted."""
    return one.custom


def _unknown(record: Record) -> tuple[Unknown, ...]:
    found = [
        _entry(one.name, kind_of(one), path, one.secret_paths)
        for one in record.registrations
        for path in one.unknown_paths
    ]
    found += [_entry("output", "", path, record.output_secret_paths) for path in record.output_unknown_paths]
    return tuple(found)


def _entry(name: str, kind: str, path: ValuePath, secrets: tuple[ValuePath, ...]) -> Unknown:
    return Unknown(name, kind, format_path(path), path in secrets)
