"""The simulated world which outlives a run of the engine: a folder with one file per object.

Creating is exclusive, as it is in a real API server: whoever comes second is refused. A journal
of calls lets tests ask in which order things were made.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.engine.plugins.values import Object


class AlreadyExistsError(Exception):
    """An object of that type and name exists."""


@dataclass(frozen=True)
class Call:
    """One line of the journal: `phase` is start or end, `at` seconds since the epoch."""

    method: str
    phase: str
    urn: str
    identity: str
    at: float


class Cloud:
    """Objects by type token and identity, in files below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal_lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, token: str, identity: str) -> Path:
        return self.folder / urllib.parse.quote(token, safe="") / urllib.parse.quote(identity, safe="")

    def create(self, token: str, identity: str, value: Object) -> None:
        """Keep a new object.

        Raises:
            AlreadyExistsError: where one of that type and identity is kept already.
        """
        path = self._path(token, identity)
        part = self._write_part(path, value)
        try:
            os.link(part, path)  # unlike a rename, this refuses to overwrite
        except FileExistsError:
            raise AlreadyExistsError(identity) from None
        finally:
            part.unlink()

    def put(self, token: str, identity: str, value: Object) -> None:
        """Write an object, whether or not it existed."""
        path = self._path(token, identity)
        self._write_part(path, value).replace(path)

    @staticmethod
    def _write_part(path: Path, value: Object) -> Path:
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        part.write_text(json.dumps(value))
        return part

    def get(self, token: str, identity: str) -> Object | None:
        """The object, or None."""
        try:
            return cast("Object", json.loads(self._path(token, identity).read_text()))
        except FileNotFoundError:
            return None

    def delete(self, token: str, identity: str) -> None:
        """Remove an object; that it is gone already is no error."""
        self._path(token, identity).unlink(missing_ok=True)

    def objects(self) -> Iterator[tuple[str, str]]:
        """Type token and identity of everything that exists."""
        for kind in sorted(self.folder.iterdir()):
            if kind.is_dir():
                for file in sorted(kind.iterdir()):
                    if not file.name.startswith("."):
                        yield urllib.parse.unquote(kind.name), urllib.parse.unquote(file.name)

    def note(self, method: str, phase: str, urn: str, identity: str) -> None:
        """Add a line to the journal."""
        line = json.dumps([method, phase, urn, identity, time.time()]) + "\n"
        with self._journal_lock, (self.folder / "calls.jsonl").open("a") as journal:
            journal.write(line)

    def calls(self) -> list[Call]:
        """The journal, oldest first."""
        journal = self.folder / "calls.jsonl"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [Call(*json.loads(line)) for line in lines]
