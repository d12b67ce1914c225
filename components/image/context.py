"""The identity of a build context: a hash of what Docker would send to its daemon.

The tag of a locally built image is this hash, so that an unchanged context gives an unchanged stack, and a changed one
rolls exactly the workloads that use the image.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pathspec import PathSpec

IGNORE_FILE = ".dockerignore"
_READ_BYTES = 1024 * 1024


def context_identity(context: Path, *, recipe: Sequence[str]) -> str:
    """Return the hash, in hexadecimal, of a build's inputs.

    Args:
        context: the folder of the build context.
        recipe: what else decides the image: the Dockerfile's path, the target, build arguments.

    Raises:
        FileNotFoundError: when the folder does not exist.
    """
    if not context.is_dir():
        raise FileNotFoundError(f"{context}: no such folder, so no image can be built from it")
    digest = hashlib.sha256("\0".join(recipe).encode())
    for path in sorted(context_files(context)):
        file = context / path
        digest.update(f"\0{path}\0{'x' if os.access(file, os.X_OK) else '-'}\0".encode())
        if file.is_symlink():
            digest.update(os.readlink(file).encode())
            continue
        with file.open("rb") as stream:
            while chunk := stream.read(_READ_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def context_files(context: Path) -> Iterator[str]:
    """Yield the relative paths of the files that `.dockerignore` leaves in the context."""
    ignore_file = context / IGNORE_FILE
    lines = ignore_file.read_text(encoding="utf-8").splitlines() if ignore_file.is_file() else []
    ignored = PathSpec.from_lines("gitignore", map(_as_gitignore, lines))
    for folder, names, files in os.walk(context):
        relative = Path(folder).relative_to(context)
        names[:] = [name for name in names if not (relative / name / "x").is_symlink()]
        for name in files:
            path = (relative / name).as_posix()
            if not ignored.match_file(path):
                yield path


def _as_gitignore(line: str) -> str:
    """Return a line of `.dockerignore` as one of `.gitignore`: Docker's patterns always start at the context's root."""
    text = line.strip()
    if not text or text.startswith("#"):
        return ""
    negated, pattern = ("!", text[1:]) if text.startswith("!") else ("", text)
    return f"{negated}/{pattern.lstrip('/')}"
