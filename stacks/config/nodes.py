"""The tree of a YAML document, with the position of every key and item, built from the parser's events.

Events, not PyYAML's composer: it recurses, overwrites duplicated keys silently and resolves words by YAML 1.1. The C
parser reads a stack file in a few milliseconds; the pure Python one serves where it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

import yaml

from stacks.config.problems import Position, Problem, SettingsError
from stacks.config.syntax import Mark, control_character, slash_escape, syntax_error

MAX_DEPTH = 60
"""Levels of maps and lists; a stack file needs about eight, and recursion ends far above."""


@dataclass(slots=True)
class Scalar:
    """A word, a quoted text or a block of text.

    Attributes:
        text: its content.
        plain: whether it stands without quotes, so that it may mean a number.
        tag: an explicit tag such as `!!str`, otherwise None.
        where: its first character.
    """

    text: str
    plain: bool
    tag: str | None
    where: Position


@dataclass(slots=True)
class Sequence:
    """A list: each item with the place where it is used, which for an alias is not where it was written."""

    tag: str | None
    where: Position
    items: list[tuple[Position, Node]] = field(default_factory=list["tuple[Position, Node]"])


@dataclass(slots=True)
class Mapping:
    """A map: keys and values in the file's order, duplicates included."""

    tag: str | None
    where: Position
    entries: list[tuple[Position, Node, Node]] = field(default_factory=list["tuple[Position, Node, Node]"])


Node = Scalar | Sequence | Mapping


class _Event(Protocol):
    start_mark: Mark
    end_mark: Mark
    style: str | None
    anchor: str | None
    tag: str | None
    value: str
    implicit: tuple[bool, bool]
    version: tuple[int, int] | None
    tags: dict[str, str] | None


class _Builder:
    """Puts events together; refuses what has no place in a stack file or never ends."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._slashes = "\\/" in text
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._open: list[tuple[Sequence | Mapping, str | None]] = []
        self._keys: list[tuple[Position, Node] | None] = []
        self.root: Node | None = None
        self.size = 0

    def fail(self, where: Position, what: str, why: str, remedy: str) -> SettingsError:
        return SettingsError([Problem("", where, what, why, remedy)])

    def position(self, mark: Mark) -> Position:
        return Position(self._file, mark.line + 1, mark.column + 1)

    def take(self, event: object) -> None:
        """Handle one event of the parser."""
        it = cast("_Event", event)
        self.size += 1
        where = self.position(it.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            if self._slashes and it.style == '"':
                self._refuse_slash_escape(it, where)
            scalar = Scalar(it.value, it.implicit[0], it.tag, where)
            self._remember(it.anchor, scalar)
            self._place(where, scalar)
        elif isinstance(event, yaml.AliasEvent):
            self._place(where, self._aliased(str(it.anchor), where))
        elif isinstance(event, yaml.MappingStartEvent):
            self._begin(Mapping(it.tag, where), it.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._begin(Sequence(it.tag, where), it.anchor)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            node, anchor = self._open.pop()
            self._keys.pop()
            self._remember(anchor, node)
            self._place(node.where, node)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._document(it, where)

    def _refuse_slash_escape(self, event: _Event, where: Position) -> None:
        escape = slash_escape(event, self._text, where)
        if escape is not None:
            raise SettingsError([escape])

    def _document(self, event: _Event, where: Position) -> None:
        if self.root is not None:
            raise self.fail(
                where,
                "a second YAML document",
                "Pulumi reads the first one and ignores the rest without a word.",
                "Keep one document: remove the line `---` and what does not belong.",
            )
        if event.version is not None or event.tags:
            raise self.fail(
                Position(where.file, 1, 1),
                "a YAML directive",
                "Pulumi's parser refuses `%YAML 1.2`, and a stack file needs no directive.",
                "Remove the lines that begin with `%`.",
            )

    def _begin(self, node: Sequence | Mapping, anchor: str | None) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise self.fail(
                node.where,
                f"more than {MAX_DEPTH} levels of maps and lists",
                "No section is that deep; something opened brackets without end.",
                "Close the brackets, or correct the indentation.",
            )
        self._open.append((node, anchor))
        self._keys.append(None)

    def _remember(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _aliased(self, anchor: str, where: Position) -> Node:
        if any(name == anchor for _, name in self._open):
            raise self.fail(
                where,
                f"the alias `*{anchor}` stands inside the value that it repeats",
                "The value would have no end.",
                "Write the value out.",
            )
        if anchor not in self._anchors:
            raise self.fail(
                where,
                f"the alias `*{anchor}` has no anchor before it",
                "There is nothing that it could repeat.",
                f"Mark the value to repeat with `&{anchor}` further up, or put a text with a star in quotes.",
            )
        return self._anchors[anchor]

    def _place(self, where: Position, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1][0]
        if isinstance(parent, Sequence):
            parent.items.append((where, node))
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = (where, node)
        else:
            parent.entries.append((key[0], key[1], node))
            self._keys[-1] = None


def build(text: str, file: str) -> tuple[Node | None, int]:
    """Return the tree of a YAML text, None for a text without content, and how many parts it was written with.

    Args:
        text: the text.
        file: the name for positions.

    Raises:
        SettingsError: when it is no YAML, or YAML that Pulumi would misread.
    """
    forbidden = control_character(text, file)
    if forbidden is not None:
        raise SettingsError([forbidden])
    builder = _Builder(text, file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for event in cast("Iterator[object]", yaml.parse(text, Loader=loader)):  # pyright: ignore[reportUnknownMemberType]
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise SettingsError([syntax_error(error, text, file)]) from None
    return builder.root, builder.size
