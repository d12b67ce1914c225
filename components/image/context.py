"""The identity of a build context: a hash of what Docker would send to its daemon.

The tag of a locally built image is this hash, so that an unchanged context gives an unchanged stack, and a changed one
rolls exactly the workloads that use the image.
"""

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pathspec import PathSpec

IGNORE_FILE = ".dockerignore"
_READ_BYTES = 1024 * 1024


def context_identity(context: Path, *, dockerfile: str = "Dockerfile", recipe: Sequence[str] = ()) -> str:
    """Return the hash, in hexadecimal, of a build's inputs.

    Args:
        context: the folder of the build context.
        dockerfile: the path of the Dockerfile, relative to the context; it counts even where it is ignored.
        recipe: what else decides the image: the target, build arguments.

    Raises:
        FileNotFoundError: when the folder or the Dockerfile does not exist.
    """
    if not context.is_dir():
        raise FileNotFoundError(f"{context}: no such folder, so no image can be built from it")
    if not (context / dockerfile).is_file():
        raise FileNotFoundError(f"{context / dockerfile}: no such file, so no image can be built from it")
    digest = hashlib.sha256("\0".join([dockerfile, *recipe]).encode())
    for path in sorted({dockerfile, *context_files(context, dockerfile=dockerfile)}):
        file = context / path
        mode = file.lstat().st_mode
        # Only whether it is a program: the other bits come from the umask of whoever checked out.
        digest.update(f"\0{path}\0{'x' if mode & stat.S_IXUSR else '-'}\0".encode())
        if stat.S_ISLNK(mode):
            digest.update(os.readlink(file).encode())
            continue
        with file.open("rb") as stream:
            while chunk := stream.read(_READ_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def context_files(context: Path, *, dockerfile: str = "Dockerfile") -> Iterator[str]:
    """Yield the relative paths of the files and links that `.dockerignore` leaves in the context.

    Args:
        context: the folder of the build context.
        dockerfile: the path of the Dockerfile, whose own ignore file (`<Dockerfile>.dockerignore`) goes first.
    """
    lines = _ignore_lines(context, dockerfile)
    ignored = PathSpec.from_lines("gitignore", lines)
    # A pattern with `!` may bring back a file of an ignored folder: only without one need such folders not be read.
    prune = not any(line.startswith("!") for line in lines)
    for folder, names, files in os.walk(context):
        relative = Path(folder).relative_to(context)
        links = [name for name in names if (Path(folder) / name).is_symlink()]
        names[:] = [
            name
            for name in names
            if name not in links and not (prune and ignored.match_file(f"{(relative / name).as_posix()}/"))
        ]
        for name in (*files, *links):
            path = (relative / name).as_posix()
            if not ignored.match_file(path):
                yield path


def _ignore_lines(context: Path, dockerfile: str) -> list[str]:
    for name in (f"{dockerfile}{IGNORE_FILE}", IGNORE_FILE):
        if (context / name).is_file():
            lines = (context / name).read_text(encoding="utf-8-sig").splitlines()
            return [_as_gitignore(line) for line in lines]
    return []


def _as_gitignore(line: str) -> str:
    """Return a line of `.dockerignore` as one of `.gitignore`: Docker's patterns always start at the context's root."""
    text = line.strip()
    if not text or text.startswith("#"):
        return ""
    negated, pattern = ("!", text[1:].strip()) if text.startswith("!") else ("", text)
    # As Docker does it: `./tests/` is `tests`.
    return f"{negated}/{posixpath.normpath(pattern).lstrip('/')}"
