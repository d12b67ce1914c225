"""A job for the tests of processes, in a module that imports nothing: each process would import it again."""

import os


def whoami(text: str) -> tuple[str, int]:
    """The text in capitals and the process that did it."""
    return text.upper(), os.getpid()
