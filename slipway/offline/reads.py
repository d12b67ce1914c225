"""Which files a run of the program read, so that a cached record can be checked against them.

The program reads more than its sources and its stack file: the build context of an image, for one. Python's
audit events name every file that is opened and every folder that is listed. What the import system does is
left out, since the sources are part of the cache's key.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import stat
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

_logs: list[set[str]] = []
_hooked: list[bool] = []


@contextmanager
def reads_logged() -> Generator[set[str]]:
    """Collect the absolute paths of files opened for reading and folders listed within the block."""
    if not _hooked:
        sys.addaudithook(_hook)  # can't be removed again, so there is only one for the whole process
        _hooked.append(True)
    log: set[str] = set()
    _logs.append(log)
    try:
        yield log
    finally:
        _logs.remove(log)


def fingerprints(paths: set[str]) -> dict[str, str]:
    """The state of each path now: what it holds, or that it is absent."""
    return {path: fingerprint(path) for path in sorted(paths)}


def unchanged(seen: Mapping[str, str]) -> bool:
    """Whether every path is still as its fingerprint says."""
    return all(fingerprint(path) == known for path, known in seen.items())


def fingerprint(path: str) -> str:
    """The state of a file (content, executable bit) or a folder (names, kinds, links), as text."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
            lines = [_describe(entry) for entry in entries if entry.name != "__pycache__"]
            return "folder " + hashlib.sha256("\0".join(lines).encode(errors="surrogateescape")).hexdigest()
        executable = "x" if mode & stat.S_IXUSR else "-"
        return f"file {executable} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
    except OSError:
        return "absent"


def _describe(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return f"{entry.name} -> {os.readlink(entry.path)}"
    if entry.is_dir():
        return f"{entry.name}/"
    return f"{entry.name} {'x' if entry.stat().st_mode & stat.S_IXUSR else '-'}"


def _hook(event: str, args: tuple[object, ...]) -> None:
    if not _logs or event not in ("open", "os.listdir", "os.scandir"):
        return
    path = args[0]
    if event == "open" and isinstance(args[1], str) and not args[1].startswith("r"):
        return
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if path is None:
        path = "."
    if not isinstance(path, str) or _is_import():
        return
    path = os.path.abspath(path)
    if not path.startswith(_IGNORED):
        for log in _logs:
            log.add(path)


def _is_import() -> bool:
    """Whether the event comes from the import system."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame is not None and "importlib" in frame.f_code.co_filename


_IGNORED = tuple(
    f"{os.path.abspath(folder)}{os.sep}"
    for folder in {sys.prefix, sys.base_prefix, "/dev", "/proc", "/sys", "/etc"}
)
"""Python itself, the installed packages (part of the key by their versions) and the machine."""
