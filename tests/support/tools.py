"""Tools that a tier of tests needs: found, or the tier is skipped with a sentence.

In CI a skipped tier would look like a passed one, so there a missing tool is a failure.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(sentence: str) -> NoReturn:
    """Skip the test on a person's machine, fail it where `CI=true`.

    Args:
        sentence: what is missing, what would have been shown, how to get it.
    """
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def require_tool(name: str, *, variable: str | None = None, why: str) -> str:
    """The path of a program which the running tests need.

    Args:
        name: the program's name on PATH.
        variable: an environment variable that may name it instead.
        why: what the tests do with it, completing "... is needed to".

    Returns:
        An absolute path. Where there is none, the test is skipped, or fails in CI.
    """
    named = os.environ.get(variable, "") if variable else ""
    found = shutil.which(named or name)
    if found is None:
        places = f"{variable} or PATH" if variable else "PATH"
        missing(f"`{named or name}` is needed to {why}, and is not found by {places}.")
    return os.path.abspath(found)
