"""Errors of YAML's syntax in words for a person, at the place where the mistake was made.

The parser reports where it gave up: for a bracket that is never closed that is the end of the file, and its words name
tokens and states.
"""

import re
from typing import Protocol

import yaml

from stacks.config.problems import Position, Problem

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters outside YAML's printable set (YAML 1.2, production 1)."""

_SLASH_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\/")

_REFUSED = "Pulumi refuses the file."
_WORDS: tuple[tuple[str, str, str], ...] = (
    # part of the parser's words, what is wrong, what to do
    (
        "cannot start any token",
        "a character that cannot begin a value",
        "Put the value in quotes; instead of a tab write spaces.",
    ),
    (
        "mapping values are not allowed",
        "a colon where a value stands already",
        "Put a text with `: ` in quotes, or correct the indentation of this line.",
    ),
    ("expected <document start>", "text after the end of the document", "Remove it, and the line `...`."),
    (
        "could not find expected ':'",
        "this line does not fit the ones above it",
        "Give keys of one map the same indentation, each with a colon and a space after it.",
    ),
    (
        "did not find expected key",
        "this line does not fit the ones above it",
        "Give keys of one map the same indentation, each with a colon and a space after it.",
    ),
    (
        "did not find expected '-' indicator",
        "this line does not fit the list above it",
        "Begin each item with `- `.",
    ),
)
_OPENED: tuple[tuple[str, str, str], ...] = (
    ("flow mapping", "a brace that is not closed", "Close it with `}`; put a comma between its keys."),
    ("flow sequence", "a bracket that is not closed", "Close it with `]`; put a comma between its items."),
    (
        "quoted scalar",
        "a quote that is not closed",
        "Close it with the same quote; write a quote inside it twice.",
    ),
)


class Mark(Protocol):
    """A place in a text, counted from 0: PyYAML has no types."""

    index: int
    line: int
    column: int


class _Marked(Protocol):
    start_mark: Mark
    end_mark: Mark


def syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """Return the parser's error as a problem; its own words only where nothing fits better.

    Args:
        error: what the parser raised.
        text: the text that it read.
        file: the name for positions.
    """
    mark: Mark | None = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.splitlines() or [""]
    tab = _tab(lines[min(line, len(lines) - 1)])
    if tab is not None:
        where = Position(file, line + 1, tab + 1)
        return Problem(
            "", where, "a tab in the indentation", "YAML knows no tabs there.", "Use two spaces a level."
        )
    said, context = str(error.problem or ""), str(error.context or "")
    opened: Mark | None = error.context_mark
    if opened is not None and ("expected ',' or" in said or "unexpected end of stream" in said):
        for part, what, remedy in _OPENED:
            if part in context:
                return Problem("", Position(file, opened.line + 1, opened.column + 1), what, _REFUSED, remedy)
    where = Position(file, line + 1, column + 1)
    for part, what, remedy in _WORDS:
        if part in said:
            return Problem("", where, what, _REFUSED, remedy)
    return Problem(
        "", where, f"no valid YAML: {said or context}", _REFUSED, "Correct the syntax at this place."
    )


def _tab(line: str) -> int | None:
    """Return the column of a tab in the indentation of a line."""
    indent = line[: len(line) - len(line.lstrip())]
    return indent.index("\t") if "\t" in indent else None


def control_character(text: str, file: str) -> Problem | None:
    """Return a problem for the first character that YAML does not allow.

    Args:
        text: the whole text.
        file: the name for positions.
    """
    match = _FORBIDDEN.search(text)
    if match is None:
        return None
    before = text[: match.start()].split("\n")
    return Problem(
        "",
        Position(file, len(before), len(before[-1]) + 1),
        f"a control character (U+{ord(match[0]):04X})",
        "YAML does not allow it: Pulumi refuses the file.",
        "Remove it; it often comes from copying out of a terminal or a document.",
    )


def slash_escape(event: _Marked, text: str, where: Position) -> Problem | None:
    """Return a problem for `\\/` in double quotes, which this parser reads as YAML 1.2 does and Pulumi's refuses.

    Args:
        event: the quoted text.
        text: the whole text.
        where: the place of the quoted text.
    """
    if not _SLASH_ESCAPE.search(text[event.start_mark.index : event.end_mark.index]):
        return None
    return Problem("", where, "the escape `\\/`", _REFUSED, "Write a slash without a backslash.")
