"""The Kubernetes objects of a record as YAML: one file an object, in the order to apply them.

The same record gives the same bytes. Secrets are placeholders; a comment at the top of each file says which
values those are and which are only known after `up`.
"""

from __future__ import annotations

import base64
import copy
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml

from slipway.offline.kubernetes import kind_of, kubernetes_objects, name_of, namespace_of, rank_of
from slipway.offline.model import SECRET, Json, Record, Registration, format_path
from slipway.offline.model import Path as ValuePath

INDEX = ".slipway-rendered"
"""Lists the files that an earlier call wrote, so that it may remove them; kubectl reads no such suffix."""

UNKNOWN_PLACEHOLDER = "unknown-before-up"


class RenderError(Exception):
    """The folder can't be written to; the text says why and what to do."""


def manifests(record: Record) -> dict[str, str]:
    """File names, in the order to apply them, with their YAML."""
    objects = kubernetes_objects(record)
    counts = Counter(_file_name(one, with_namespace=False) for one in objects)
    files: dict[str, str] = {}
    for one in objects:
        name = _file_name(one, with_namespace=False)
        if counts[name] > 1:
            name = _file_name(one, with_namespace=True)
        if name in files:
            raise RenderError(
                f"Two objects would be written to {name}: a cluster would keep only one of them."
            )
        files[name] = manifest(one, stack=record.stack)
    return dict(sorted(files.items()))


def manifest(one: Registration, *, stack: str) -> str:
    """The YAML of one object, with a comment about its placeholders.

    Args:
        one: a Kubernetes object.
        stack: the stack's name, for the comment.
    """
    document = copy.deepcopy(one.inputs)
    for path in one.secret_paths:
        if kind_of(one) == "Secret" and path[0] == "data":
            _replace(document, path, base64.b64encode(SECRET.encode()).decode())
    for path in one.unknown_paths:
        _replace(document, path, UNKNOWN_PLACEHOLDER, only_marks=True)
    lines = [f"# Stack {stack}, rendered by slipway."]
    if one.secret_paths:
        lines.append(f"# Placeholders for secrets: {_list_paths(one.secret_paths)}.")
    unknown = [path for path in one.unknown_paths if path not in one.secret_paths]
    if unknown:
        lines.append(f"# Only known after `up`: {_list_paths(unknown)}.")
    return "\n".join(lines) + "\n" + to_yaml(document)


def write_manifests(record: Record, folder: Path) -> list[Path]:
    """Write all objects of a record into a folder of their own.

    Args:
        record: of any stack.
        folder: made if missing. It must be empty or hold only what an earlier call wrote there.

    Returns:
        The files, in the order to apply them.

    Raises:
        RenderError: when the folder holds anything else; nothing is written then.
    """
    files = manifests(record)
    if folder.exists() and not folder.is_dir():
        raise RenderError(f"{folder} is a file. Name a folder.")
    index = folder / INDEX
    earlier = set(index.read_text(encoding="utf-8").split("\n")) - {""} if index.is_file() else set[str]()
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    foreign = present - earlier - {INDEX}
    if foreign:
        raise RenderError(
            f"{folder} holds {_some(foreign)}, which slipway did not write. Files of another origin would be "
            "applied along with these. Name an empty folder, or empty this one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    # The index first: a call that is interrupted must not leave files that the next one calls foreign.
    index.write_text("\n".join(sorted(earlier | files.keys())) + "\n", encoding="utf-8")
    for stale in (earlier & present) - files.keys():
        (folder / stale).unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    index.write_text("\n".join(files) + "\n", encoding="utf-8")
    return [folder / name for name in files]


def to_yaml(document: Mapping[str, Json]) -> str:
    """YAML that every parser reads alike: what might be taken for a number, date or switch is quoted."""
    order = [key for key in ("apiVersion", "kind", "metadata") if key in document]
    order += [key for key in document if key not in order]
    ordered = {key: document[key] for key in order}
    return yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that isn't plainly a word; long texts become blocks."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - anchors would only confuse readers
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        return super().increase_indent(flow, False)


def _represent_text(_dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if _BLOCK.search(text):
        style = "|"
    elif _WORD.fullmatch(text) and text.lower() not in _SWITCHES:
        style = None
    else:
        style = '"'
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)

_WORD = re.compile(
    r"[A-Za-z/][A-Za-z0-9_./-]*(?:[:@][A-Za-z0-9_./-]+)*(?: [A-Za-z0-9_./-]+)*"  # words, paths, images
    r"|[0-9]+(?:\.[0-9]+)?(?:m|[KMGT]i)"  # quantities
)
_BLOCK = re.compile(r"\n")
_SWITCHES = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


def _file_name(one: Registration, *, with_namespace: bool) -> str:
    kind = kind_of(one)
    parts = [kind.lower(), namespace_of(one) if with_namespace else "", name_of(one)]
    return f"{rank_of(kind):02d}-{'-'.join(part for part in parts if part)}.yaml"


def _replace(document: Json, path: ValuePath, text: str, *, only_marks: bool = False) -> None:
    holder = document
    for step in path[:-1]:
        holder = cast("dict[str | int, Json]", holder)[step]
    entries = cast("dict[str | int, Json]", holder)
    if not only_marks or entries[path[-1]] == {"unknown": True}:
        entries[path[-1]] = text


def _list_paths(paths: tuple[ValuePath, ...] | list[ValuePath]) -> str:
    return ", ".join(sorted(format_path(path) for path in paths))


def _some(names: set[str], most: int = 3) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
