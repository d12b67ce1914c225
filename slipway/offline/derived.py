"""Values that only `up` decides and that show no trace of it: the hash of a password, a name that ends with a hash.

They are found by what they depend on. Every text equal to an unknown name is marked as unknown too; the text itself
stays, so that manifests refer to each other consistently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace

from slipway.offline.model import Json, Path, Record, Registration

_GENERATED = re.compile(r".-[0-9a-f]{6,}$")
"""A name that a hash decides ends with it; other names don't change with an unknown value beside them."""


def mark_derived(record: Record, unknowable: AbstractSet[str]) -> Record:
    """The record with `unknown_paths` extended by every use of a name that depends on an unknowable value.

    Args:
        record: as registered.
        unknowable: URNs of resources with outputs that only exist after `up`.
    """
    sources = set(unknowable)
    names: set[str] = set()
    for one in record.registrations:
        name = _unknown_name(one, sources)
        if name is not None:
            names.add(name)
            sources.add(one.urn)  # what is named after this object is as unknown as its name
    return replace(record, registrations=tuple(_mark(one, names, sources) for one in record.registrations))


def _unknown_name(one: Registration, sources: AbstractSet[str]) -> str | None:
    if sources.isdisjoint(one.property_dependencies.get("metadata", ())):
        return None
    name = one.get("metadata", "name")
    return name if isinstance(name, str) and _GENERATED.search(name) else None


def _mark(one: Registration, names: AbstractSet[str], sources: AbstractSet[str]) -> Registration:
    marked = dict.fromkeys((*one.unknown_paths, *_paths_of(one.inputs, names, ())))
    for key, urns in one.property_dependencies.items():
        # A secret computed from unknown ones, a password's hash for one, shows no trace of them. Where the property
        # depends on such a value and it is found nowhere in it, it went into the secrets.
        if not sources.isdisjoint(urns) and all(path[0] != key for path in marked):
            marked.update(dict.fromkeys(path for path in one.secret_paths if path[0] == key))
    paths = tuple(marked)
    return one if paths == one.unknown_paths else replace(one, unknown_paths=paths)


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
