"""A stack file as Pulumi's engine reads it: for each key the very text that the program would get, and where it stands.

What Pulumi refuses, ignores in silence or misreads (a second document, an unknown key at the top, a date without
quotes, a number with a leading zero) is an error here, so that nothing reaches the program by accident.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from stacks.config import nodes
from stacks.config.nodes import Node, Scalar, Sequence
from stacks.config.problems import KeyPath, Position, Problem, SettingsError
from stacks.config.values import Values

PROJECT = "slipway"
"""The project's name in Pulumi.yaml: the namespace of the sections."""

MAX_BYTES = 4 * 1024 * 1024
"""Largest file that is read; a stack of 400 services needs about 0.6 MiB."""

SECRET_PLACEHOLDER = "[secret]"  # noqa: S105 - stands for a value, is none
"""What stands in `StackFile.config` for a value that is encrypted in the file: it is never decrypted here."""

_TOP_KEYS = ("config", "encryptionsalt", "secretsprovider", "encryptedkey")
_FULL_KEY = re.compile(r"(?P<namespace>[^:\s]+):(?P<name>[^:\s]+)")


@dataclass(frozen=True, slots=True)
class StackFile:
    """What one stack file says.

    Attributes:
        path: the file.
        config: the full key (`slipway:services`) to the text that the engine hands the program.
        secret_keys: the keys whose value is encrypted; their text in `config` is a placeholder.
        positions: each key and list item to its place; the empty path is `config:` itself.
        written: the plain words that the engine reads as something else than text, as they stand in the file.
    """

    path: Path
    config: Mapping[str, str]
    secret_keys: frozenset[str]
    positions: Mapping[KeyPath, Position]
    written: Mapping[KeyPath, str] = field(default_factory=dict["KeyPath", str])

    def position(self, path: KeyPath) -> Position | None:
        """Return the place of a key, or of the nearest key around it that stands in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.positions:
                return self.positions[path[:length]]
        return self.positions.get(())


@dataclass(frozen=True, slots=True)
class Scan:
    """A stack file with what is wrong about its notation; whoever judges the values adds to the same list."""

    file: StackFile
    problems: tuple[Problem, ...]


def read_stack_file(path: Path) -> StackFile:
    """Read a stack file.

    Args:
        path: such as `Pulumi.dev.yaml`.

    Raises:
        SettingsError: with every error of notation; values are judged by `stacks.load`.
    """
    scan = scan_stack_file(path)
    if scan.problems:
        raise SettingsError(scan.problems)
    return scan.file


def scan_stack_file(path: Path) -> Scan:
    """Read a stack file as far as it can be read.

    Raises:
        SettingsError: when there is no file, or nothing in it that could be judged.
    """
    shown = _shown(path)
    scan = _scanned(_text(path, shown), shown)
    return replace(scan, file=replace(scan.file, path=path))


@lru_cache(maxsize=2)
def _scanned(text: str, shown: str) -> Scan:
    """Take a text apart; kept, since a preview judges the file first and the program then asks for its places."""
    root, size = nodes.build(text, shown)
    return _Reader(shown, size).read(root)


def _shown(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _refused(where: Position, what: str, why: str, remedy: str) -> SettingsError:
    return SettingsError([Problem("", where, what, why, remedy)])


def _text(path: Path, shown: str) -> str:
    start = Position(shown, 1, 1)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise _refused(
            start,
            "a folder, not a file",
            "There is nothing to read.",
            "Name the stack file, such as Pulumi.dev.yaml.",
        ) from None
    except FileNotFoundError:
        raise _refused(
            start, "there is no such file", "There is nothing to read.", _files_near(path)
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise _refused(
            start,
            f"cannot be read: {reason}",
            "There is nothing to read.",
            "Check the path and its permissions.",
        ) from None
    if len(data) > MAX_BYTES:
        raise _refused(
            start,
            f"larger than {MAX_BYTES // 1024 // 1024} MiB",
            "A stack file has some hundred lines; this is something else.",
            "Name the stack file, such as Pulumi.dev.yaml.",
        )
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode(errors="replace")) + 1
        raise _refused(
            Position(shown, before.count(b"\n") + 1, column),
            f"the byte 0x{data[error.start]:02X} is not UTF-8",
            "Pulumi refuses the file.",
            "Save the file in UTF-8.",
        ) from None


def _files_near(path: Path) -> str:
    try:
        names = sorted(
            entry.name for entry in path.parent.iterdir() if re.fullmatch(r"Pulumi\..+\.ya?ml", entry.name)
        )
    except OSError:
        names = []
    if not names:
        return "Write one with `slipway init`, or call slipway in the project's folder."
    near = difflib.get_close_matches(path.name, names, n=1)
    found = ", ".join(f"`{name}`" for name in names)
    return f"Did you mean `{near[0]}`? Stack files here: {found}." if near else f"Stack files here: {found}."


class _Reader:
    """Takes the tree apart: the keys at the top, the keys of `config:`, then their values."""

    def __init__(self, shown: str, size: int) -> None:
        self._start = Position(shown, 1, 1)
        self._problems: list[Problem] = []
        self._values = Values(self._problems, size)
        self._values.positions[()] = self._start
        self._config: dict[str, str] = {}
        self._secret_keys: set[str] = set()

    def read(self, root: Node | None) -> Scan:
        config = self._config_node(root)
        if config is not None:
            for where, key, value in self._values.merged(config, ()):
                self._entry(where, key, value)
        file = StackFile(
            Path(self._start.file),
            self._config,
            frozenset(self._secret_keys),
            self._values.positions,
            self._values.written,
        )
        return Scan(file, tuple(self._problems))

    def _config_node(self, root: Node | None) -> nodes.Mapping | None:
        if root is None or (isinstance(root, Scalar) and root.plain and root.text in ("", "~", "null")):
            raise _refused(
                self._start,
                "the file is empty",
                "Pulumi would run the program without any setting.",
                "Write `config:` and the sections below it, or let `slipway init` ask for them.",
            )
        if not isinstance(root, nodes.Mapping):
            raise _refused(
                root.where,
                "a list where keys belong" if isinstance(root, Sequence) else "a text where keys belong",
                "Pulumi refuses the file.",
                "Begin with `config:` and write the sections below it.",
            )
        found: nodes.Mapping | None = None
        seen = False
        for where, key, value in self._values.merged(root, ()):
            if key == "config":
                seen = True
                self._values.positions[()] = where
                found = self._map_of_config(where, value)
            else:
                self._top_key(where, key, value)
        if not seen:
            self._problem(
                "",
                self._start,
                "there is no `config:`",
                "Pulumi would run the program without any setting.",
                "Write `config:` and the sections below it.",
            )
        return found

    def _map_of_config(self, where: Position, value: Node) -> nodes.Mapping | None:
        if isinstance(value, nodes.Mapping):
            return value
        empty = isinstance(value, Scalar) and value.plain and value.text in ("", "~", "null")
        what = (
            "empty"
            if empty
            else "a list where keys belong"
            if isinstance(value, Sequence)
            else "a text where keys belong"
        )
        self._problem(
            "config",
            where,
            what,
            "Pulumi would run the program without any setting." if empty else "Pulumi refuses the file.",
            f"Write the sections below it, each as `{PROJECT}:<section>:`, two spaces further in.",
        )
        return None

    def _top_key(self, where: Position, key: str, value: Node) -> None:
        if key == "environment":
            self._problem(
                key,
                where,
                "values from Pulumi ESC",
                "They are known to Pulumi Cloud only: the offline preview and every check would judge another stack.",
                "Write the values below `config:`.",
            )
        elif key not in _TOP_KEYS:
            near = difflib.get_close_matches(key.lower(), _TOP_KEYS, n=1)
            full = f"{PROJECT}:{key.removeprefix(f'{PROJECT}:')}"
            remedy = f"Did you mean `{near[0]}`?" if near else f"Sections stand below `config:`, as `{full}`."
            self._problem(key, where, "unknown key", "Pulumi ignores it without a word.", remedy)
        elif not isinstance(value, Scalar):
            self._problem(
                key,
                where,
                "not a text",
                "Pulumi refuses the file.",
                "Leave this line as Pulumi wrote it; remove what is below it.",
            )

    def _entry(self, where: Position, key: str, value: Node) -> None:
        match = _FULL_KEY.fullmatch(key)
        if match is None:
            name = key.strip().removeprefix(f"{PROJECT}:").removeprefix("config:").strip(":")
            self._problem(
                key,
                where,
                "not a key with a namespace",
                "Pulumi refuses it, or takes it for another key than it looks like.",
                f"Write `{PROJECT}:{name}`." if name and ":" not in name else f"Write `{PROJECT}:<section>`.",
            )
            return
        self._values.positions[key,] = where
        if match["namespace"] != PROJECT and _is_secure(value):
            self._secret_keys.add(key)
            self._config[key] = SECRET_PLACEHOLDER
            return
        self._config[key] = self._values.top(value, (key,))

    def _problem(self, key: str, where: Position, what: str, why: str, remedy: str) -> None:
        self._problems.append(Problem(key, where, what, why, remedy))


def _is_secure(node: Node) -> bool:
    """Tell whether a value is ciphertext in Pulumi's notation: a map with the one key `secure` and a text."""
    if not isinstance(node, nodes.Mapping) or len(node.entries) != 1:
        return False
    _, key, value = node.entries[0]
    return isinstance(key, Scalar) and key.text == "secure" and isinstance(value, Scalar) and bool(value.text)
