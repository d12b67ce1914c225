"""A summary as people read it in a terminal or a log: aligned columns, colour only where asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from slipway.offline.kubernetes import Workload
from slipway.offline.model import Json, Record, Registration
from slipway.offline.summary import Part, Summary, Unknown

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DIGEST_LENGTH = len("sha256:") + 12
_MOST_KINDS = 6
_LONGEST_OUTPUT = 240


class Style:
    """Terminal colours, or none."""

    def __init__(self, *, colour: bool) -> None:
        """Args: colour: whether to write escape sequences."""
        self._colour = colour

    def bold(self, text: str) -> str:
        """Emphasis."""
        return self._wrap("1", text)

    def faint(self, text: str) -> str:
        """What is there to explain other text."""
        return self._wrap("2", text)

    def warning(self, text: str) -> str:
        """What should be looked at."""
        return self._wrap("33", text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def preview_text(summary: Summary, style: Style, *, unknown: bool = False) -> str:
    """The preview of one stack.

    Args:
        summary: of the stack.
        style: colours.
        unknown: list every value that only `up` decides, instead of their number.
    """
    return "\n".join(_preview_lines(summary, style, unknown)) + "\n"


def tree_text(record: Record, style: Style) -> str:
    """Every resource below its parent."""
    lines: list[str] = []

    def add(one: Registration, depth: int) -> None:
        type = one.type.removeprefix("kubernetes:")
        lines.append(f"  {'  ' * depth}{one.name}  {style.faint(type)}")
        for child in record.children(one.urn):
            add(child, depth + 1)

    for one in record.children(record.root):
        add(one, 0)
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows with aligned columns; columns in `right` are right-aligned; nothing trails."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return [
        "  ".join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]


def plural(number: int, singular: str) -> str:
    """`1 resource`, `2 resources`."""
    return f"{number:,} {singular}" if number == 1 else f"{number:,} {singular}s"


def _preview_lines(summary: Summary, style: Style, unknown: bool) -> Iterator[str]:
    head = [style.bold(summary.stack), plural(summary.resources, "resource")]
    if summary.warnings:
        head.append(style.warning(plural(len(summary.warnings), "warning")))
    yield "  ".join(head)
    by_name = {workload.name: workload for workload in summary.workloads if workload.kind == "Deployment"}
    rows = [
        (part.name, str(part.resources), _describe(part, by_name.get(part.name))) for part in summary.parts
    ]
    if rows:
        yield from _block("", table(rows, right=frozenset({1})), style)
    if summary.workloads:
        header = ("workload", "", "pods", "requests", "limits", "image")
        lines = table([header, *map(_workload_row, summary.workloads)])
        yield from _block("", [style.faint(lines[0]), *lines[1:]], style)
    if summary.warnings:
        yield from _block("warnings", [style.warning(text) for text in summary.warnings], style)
    if summary.outputs:
        lines = table(
            [row for name, value in sorted(summary.outputs.items()) for row in _output_rows(name, value)]
        )
        yield from _block("outputs", lines, style)
    yield from _unknown_lines(summary, style, unknown)


def _unknown_lines(summary: Summary, style: Style, every: bool) -> Iterator[str]:
    if not summary.unknown:
        return
    if every:
        rows = [_unknown_row(one) for one in summary.unknown]
        yield from _block("not known before `up`", table(rows), style)
        return
    owners = {(one.type, one.resource) for one in summary.unknown}
    yield ""
    count = f"{plural(len(summary.unknown), 'value')} of {plural(len(owners), 'resource')}"
    yield f"  not known before `up`: {count} (slipway preview {summary.stack} --unknown)"


def _unknown_row(one: Unknown) -> tuple[str, str, str]:
    return f"{one.type} {one.resource}".strip(), one.path, "secret" if one.secret else ""


def _block(title: str, lines: Iterable[str], style: Style) -> Iterator[str]:
    yield ""
    if title:
        yield f"  {style.faint(title)}"
    indent = "    " if title else "  "
    yield from (f"{indent}{line}".rstrip() for line in lines)


def _describe(part: Part, workload: Workload | None) -> str:
    """What a part is: the pods of a service, else its kinds."""
    if workload is not None:
        return f"{_count_pods(workload)} x {_per_pod(workload, 'request')}, image {_short_images(workload)}"
    kinds = [kind if count == 1 else f"{count} {_plural_kind(kind)}" for kind, count in part.kinds.items()]
    if len(kinds) > _MOST_KINDS + 1:
        kinds[_MOST_KINDS:] = [f"{len(kinds) - _MOST_KINDS} more kinds"]
    return ", ".join(kinds)


def _plural_kind(kind: str) -> str:
    if kind.endswith("y"):
        return f"{kind[:-1]}ies"
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _workload_row(one: Workload) -> tuple[str, ...]:
    pods = f"{_pods(one)} at {one.schedule}" if one.schedule else _pods(one)
    return one.kind, one.name, pods, _per_pod(one, "request"), _per_pod(one, "limit"), _short_images(one)


def _count_pods(one: Workload) -> str:
    return f"{_pods(one)} {'pod' if one.pods_max == 1 else 'pods'}"


def _pods(one: Workload) -> str:
    return str(one.pods_min) if one.pods_min == one.pods_max else f"{one.pods_min}-{one.pods_max}"


def _per_pod(one: Workload, side: str) -> str:
    cpu, memory = (
        (one.cpu_request, one.memory_request) if side == "request" else (one.cpu_limit, one.memory_limit)
    )
    return f"{'-' if cpu is None else f'{cpu}m'}/{'-' if memory is None else f'{memory}Mi'}"


def _short_images(one: Workload) -> str:
    return ", ".join(short_image(image) for image in one.images)


def short_image(image: str) -> str:
    """An image as a table has room for it: a digest's first digits, and then no registry; never a shorter tag."""
    name, separator, digest = image.partition("@")
    if not separator or not _DIGEST.fullmatch(digest):
        return image
    host, _, path = name.partition("/")
    return f"{path if '.' in host or ':' in host else name}@{digest[:_DIGEST_LENGTH]}…"


def _output_rows(name: str, value: Json) -> list[tuple[str, str]]:
    """An output; a map has a row for each entry."""
    if isinstance(value, dict) and value != {"unknown": True}:
        return [(f"{name}.{key}", _output(item)) for key, item in sorted(value.items())] or [(name, "none")]
    return [(name, _output(value))]


def _output(value: Json) -> str:
    if value == {"unknown": True}:
        return "(known after `up`)"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ", ".join(str(item) for item in value) or "none"
    text = " ".join(value.split()) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_OUTPUT else f"{text[:_LONGEST_OUTPUT]}…"
