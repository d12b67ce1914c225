"""What is wrong with a stack file: every error of it at once, each with place, consequence and remedy.

An error never shows the value of a secret, and never a control character that a file could use to forge output.
"""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

WIDTH = 110
"""Columns after which the text of an error is wrapped."""

MAX_SHOWN = 60
"""Longest value that an error repeats; more would hide the sentence that matters."""

KeyPath = tuple[str | int, ...]
"""A place in the configuration: the full key (`slipway:services`), then keys of maps and indices of lists."""


class Position(NamedTuple):
    """A place in a file.

    Attributes:
        file: the path of the file, as the user named it.
        line: the line, counted from 1.
        column: the character in the line, counted from 1.
    """

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return `file:line:column`, which editors and terminals open."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of a stack file.

    Attributes:
        key: the key as it is written, such as `slipway:services.api.scaling.max`; empty for the file as a whole.
        where: its place in the file, None where the value did not come from a file.
        what: what is wrong, a sentence.
        why: the consequence that it would have had, a sentence.
        remedy: what to write instead, a sentence.
        value: the value as text where it may be shown; None for secrets and for values of unknown meaning.
    """

    key: str
    where: Position | None
    what: str
    why: str
    remedy: str
    value: str | None = None

    def text(self) -> str:
        """Return the error as lines: the place, the key and the value; then what, why and the remedy."""
        head = "  ".join(part for part in (str(self.where or ""), printable(self.key)) if part)
        if self.value is not None:
            head += f" = {shown(self.value)}"
        lines = [head]
        for part in (self.what, self.why, self.remedy):
            if part:
                lines += textwrap.wrap(
                    printable(sentence(part)),
                    WIDTH,
                    initial_indent="  ",
                    subsequent_indent="  ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
        return "\n".join(lines)


class SettingsError(Exception):
    """The stack file cannot be used.

    Attributes:
        problems: every error, sorted by its place.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the errors.

        Args:
            problems: at least one.
        """
        self.problems: tuple[Problem, ...] = tuple(sorted(problems, key=_order))
        super().__init__(self.text())

    def text(self) -> str:
        """Return all errors as they are printed, with their number in the last line."""
        count = len(self.problems)
        last = f"{count} error{'' if count == 1 else 's'}, nothing was changed."
        return "\n".join([*(problem.text() for problem in self.problems), last])


def _order(problem: Problem) -> tuple[bool, str, int, int, str]:
    where = problem.where
    if where is None:
        return (True, "", 0, 0, problem.key)
    return (False, where.file, where.line, where.column, problem.key)


def key_text(path: KeyPath) -> str:
    """Return a path as it is written in a message: `slipway:services.api.routes[0].host`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif text and (not part or any(character in part for character in '.[]" ')):
            text += f'["{printable(part)}"]'
        else:
            text += f".{printable(part)}" if text else printable(part)
    return text


def printable(text: str) -> str:
    """Return a text whose control characters are written as escapes, so that a file cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def shown(value: str) -> str:
    """Return a value as an error repeats it: in one line, and shortened."""
    text = printable(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def sentence(text: str) -> str:
    """Return a clause as a sentence: with a capital letter and an end."""
    stripped = text.strip()
    first = (
        stripped[:1].upper() + stripped[1:] if stripped[1:2].islower() or stripped[1:2] == " " else stripped
    )
    return first if first.endswith((".", "!", "?", ":")) else f"{first}."


_SECRET_KEY = re.compile(
    r"pass|secret|token|credential|private|salt|api_?key|access_?key|signing|bearer|dsn|pem$", re.IGNORECASE
)
_CREDENTIALS = re.compile(r"://[^/]*@|BEGIN [A-Z ]*PRIVATE KEY|\b(sk|ghp|xox[bp])[-_]|\bAKIA")


def may_show(path: KeyPath, value: str) -> bool:
    """Tell whether an error may repeat a value.

    Never shown: whatever stands in the namespace or the section of secrets, environment variables (their values may be
    passwords written in clear by mistake), keys whose name speaks of a secret, and texts that look like credentials.

    Args:
        path: where the value stands.
        value: the value as text.
    """
    names = [part for part in path if isinstance(part, str)]
    if not names or names[0].startswith("secrets:") or "env" in names[1:]:
        return False
    return not any(_SECRET_KEY.search(name) for name in names) and not _CREDENTIALS.search(value)
