"""Records kept by content: an unchanged stack is shown without running the program.

The key covers what is known before a run (sources, stack file, installed packages, Python); the entry lists
what the run read besides, each with a fingerprint. An entry that can't be read or doesn't fit does not exist.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

from slipway.offline.model import FORMAT, Json, Record
from slipway.offline.reads import unchanged

KEPT_ENTRIES = 40
"""Entries that stay; older ones go when a new one is written."""


def content_key(*, stack: str, stack_file: Path, sources: Iterable[Path]) -> str:
    """The hash of everything that decides a record before the program runs.

    Args:
        stack: name of the stack.
        stack_file: its settings, wherever they are.
        sources: files, and folders of Python sources, of the program and the recorder.
    """
    digest = hashlib.sha256(f"{FORMAT}\n{sys.version}\n{stack}\n".encode())
    for name in sorted(_installed()):
        digest.update(f"{name}\n".encode())
    for file in (stack_file, *_files(sources)):
        # The name, not the path: a checkout may stand anywhere.
        digest.update(f"{file.parent.name}/{file.name}\n".encode())
        with suppress(FileNotFoundError):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


class RecordCache:
    """Records in a private folder, safe for several processes at once."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: made when first written to; anything in it may be deleted at any time."""
        self._folder = folder

    def load(self, key: str) -> Record | None:
        """The record of this key if what its run read is unchanged, else None."""
        try:
            header_line, _, body = (self._folder / f"{key}.json").read_text(encoding="utf-8").partition("\n")
            header = cast("dict[str, Json]", json.loads(header_line))
            if header["key"] != key or header["body"] != _digest(body):
                return None
            if not unchanged(cast("dict[str, str]", header["reads"])):
                return None
            return Record.from_json(cast("dict[str, Json]", json.loads(body)))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def store(self, key: str, record: Record, reads: Mapping[str, str]) -> None:
        """Keep a record; failing to write (a full or read-only disk) only costs the next run its time."""
        body = json.dumps(record.to_json(), separators=(",", ":"))
        header = json.dumps({"key": key, "body": _digest(body), "reads": dict(reads)}, separators=(",", ":"))
        with suppress(OSError):
            self._make_folder()
            # Written beside and moved, so that no reader ever sees a part of it.
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".writing-")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(f"{header}\n{body}")
            os.replace(temporary, self._folder / f"{key}.json")
            self._prune()

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = self._folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")

    def _prune(self) -> None:
        entries = [entry for entry in os.scandir(self._folder) if entry.name != ".gitignore"]
        for entry in sorted(entries, key=_age)[KEPT_ENTRIES:]:
            with suppress(FileNotFoundError):  # another process prunes too
                os.unlink(entry.path)


def _age(entry: os.DirEntry[str]) -> float:
    try:
        return -entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_dir():
            yield from sorted(path for path in source.rglob("*.py"))
        else:
            yield source


def _installed() -> Iterator[str]:
    """Installed packages with their versions: the names of their metadata folders."""
    for folder in sys.path:
        if folder.endswith("-packages") and os.path.isdir(folder):
            yield from (name for name in os.listdir(folder) if name.endswith(".dist-info"))
