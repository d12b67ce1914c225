"""Names that only `up` decides: an immutable Secret is named by a hash keyed with random bytes, for one.

Offline such a name looks like any other text. It is found by what it depends on, and every equal text in the
record is marked as unknown too; the text itself stays, so that manifests refer to each other consistently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace

from slipway.offline.model import Json, Path, Record, Registration

_GENERATED = re.compile(r".-[0-9a-f]{6,}$")
"""A name that a hash decides ends with it; other names don't change with an unknown value beside them."""


def mark_unknown_names(record: Record, unknowable: AbstractSet[str]) -> Record:
    """The record with `unknown_paths` extended by every use of a name that depends on an unknowable value.

    Args:
        record: as registered.
        unknowable: URNs of resources with outputs that only exist after `up`.
    """
    names = {name for one in record.registrations if (name := _unknown_name(one, unknowable)) is not None}
    if not names:
        return record
    return replace(record, registrations=tuple(_mark(one, names) for one in record.registrations))


def _unknown_name(one: Registration, unknowable: AbstractSet[str]) -> str | None:
    if unknowable.isdisjoint(one.property_dependencies.get("metadata", ())):
        return None
    name = one.get("metadata", "name")
    return name if isinstance(name, str) and _GENERATED.search(name) else None


def _mark(one: Registration, names: AbstractSet[str]) -> Registration:
    known = set(one.unknown_paths)
    found = tuple(path for path in _paths_of(one.inputs, names, ()) if path not in known)
    return replace(one, unknown_paths=one.unknown_paths + found) if found else one


def _paths_of(value: Json, names: AbstractSet[str], path: Path) -> Iterator[Path]:
    if isinstance(value, str):
        if value in names:
            yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _paths_of(item, names, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths_of(item, names, (*path, index))
