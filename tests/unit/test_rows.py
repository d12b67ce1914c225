"""`tests/rows.toml` says which test shows which capability; here it is held to tests that exist.

Read from the source, so that a tier whose tools are missing on this machine is covered, too.
"""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS: dict[str, dict[str, object]] = tomllib.loads((ROOT / "tests/rows.toml").read_text(encoding="utf-8"))
FINISHED = {
    *range(1, 7), *range(8, 18), 30, *range(37, 40), 41, 42, *range(45, 49), *range(50, 54), 60, 62, 63,
    *range(69, 74), 76, 77, 78, 83,
}  # fmt: skip
"""The rows of the capability table whose parts are built. A row is added with the part that it names."""


def collected(path: Path) -> set[str]:
    """The tests that pytest collects from a file: functions, and methods of Test classes."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= {
                f"{node.name}::{item.name}"
                for item in node.body
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


def named_tests() -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for row, entry in ROWS.items():
        tests = entry["tests"]
        assert isinstance(tests, list)
        pairs += [(row, str(test)) for test in tests]
    return pairs


@pytest.mark.parametrize(("row", "test"), named_tests())
def test_a_row_names_a_test_that_pytest_collects(row: str, test: str) -> None:
    assert re.fullmatch(r"((app|toolbox)/)?tests/(\w+/)*test_\w+\.py::\w+(::\w+)?", test), (
        f"row {row}: {test}"
    )
    path, _, name = test.partition("::")
    assert (ROOT / path).is_file(), f"row {row}: {path} does not exist"
    assert name in collected(ROOT / path), f"row {row}: {path} has no test {name}"


@pytest.mark.parametrize("row", sorted(FINISHED))
def test_every_row_of_a_finished_part_has_a_test(row: int) -> None:
    entry = ROWS.get(str(row), {})
    assert entry.get("tests"), f"row {row} has no test in tests/rows.toml"
    assert entry.get("what"), f"row {row} does not say what it is"


def test_rows_are_in_order_and_name_no_test_twice() -> None:
    numbers = [int(row) for row in ROWS]
    assert numbers == sorted(numbers)
    for row, entry in ROWS.items():
        tests = entry["tests"]
        assert isinstance(tests, list)
        assert len(tests) == len(set(tests)), f"row {row}"


def test_names_in_a_file_are_found_as_pytest_finds_them(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    file.write_text(
        "def test_a(): ...\n"
        "def helper(): ...\n"
        "class TestB:\n    def test_c(self): ...\n    def d(self): ...\n"
        "class Other:\n    def test_e(self): ...\n"
    )
    assert collected(file) == {"test_a", "TestB::test_c"}
