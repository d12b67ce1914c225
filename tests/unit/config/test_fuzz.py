"""Whatever bytes a file holds: it is read, or refused with a place, and never anything else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stacks.config.problems import SettingsError
from stacks.config.stackfile import read_stack_file
from stacks.load import load_stack_file
from tests.unit.config.files import FULL, write

FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
CHARACTERS = st.text(
    alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@`,#? \t\n\r~<1.0\x85\u2028é\x00\ufeff\\/"), max_size=60
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3)
    ),
    max_leaves=12,
)
FULL_TEXT = FULL.read_text()


def survives(folder: Path, content: str | bytes) -> None:
    """Reading and loading either works or ends in an error that names the file and a line of it."""
    path = write(folder, content)
    lines = path.read_bytes().decode(errors="replace").splitlines()
    for read in (read_stack_file, load_stack_file):
        error = refusal(read, path)
        for problem in error.problems if error is not None else ():
            assert problem.where is not None
            assert 1 <= problem.where.line <= len(lines) + 1
            assert all(line.isprintable() for line in problem.text().splitlines())


def refusal(read: Callable[[Path], object], path: Path) -> SettingsError | None:
    """The error with which a file is refused; any other exception ends the test."""
    try:
        read(path)
    except SettingsError as error:
        return error
    return None


@FUZZ
@given(st.binary(max_size=80))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    survives(tmp_path, content)


@FUZZ
@given(CHARACTERS)
def test_any_characters_that_mean_something_to_yaml(tmp_path: Path, text: str) -> None:
    survives(tmp_path, f"config:\n  slipway:app: {text}\n")


@FUZZ
@given(VALUES)
def test_any_value_in_any_section(tmp_path: Path, value: object) -> None:
    keys = ("app", "services", "redis", "secrets", "release", "cronJobs")
    survives(tmp_path, yaml.safe_dump({"config": {f"slipway:{key}": value for key in keys}}))


@FUZZ
@given(st.integers(0, len(FULL_TEXT) - 1), CHARACTERS, st.integers(0, 30))
def test_an_example_with_damage_anywhere(tmp_path: Path, at: int, text: str, length: int) -> None:
    survives(tmp_path, FULL_TEXT[:at] + text + FULL_TEXT[at + length :])


@pytest.mark.parametrize(
    "content",
    ["\ufeff", "\n" * 5, "\r", "---\n---", "? ", "- ", "!", "&a", "*", "|", ">", "'", '"', "{", "["],
)
def test_the_shortest_files(tmp_path: Path, content: str) -> None:
    survives(tmp_path, content)
