"""Every key of every section, made wrong in every way: refused with file and line, or legal by the exported schema.

Nothing here knows a section: keys, bounds and words come from the models, so that a new key is covered when it lands.
"""

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stacks.config.problems import Problem, SettingsError
from stacks.config.schema import stack_file_schema
from stacks.config.shapes import section
from stacks.load import load_stack_file
from stacks.settings import Settings
from tests.unit.config.files import documents, dump, problems, write
from tests.unit.config.mutations import UNITS, WRONG_VALUES, Spot, all_keys, bounds, spots

LEGAL_TYPES = [("Amounts.cpu", 7), ("Amounts.cpu", 1.5)]
"""Values of another type that are meant: the same thing in another notation."""

LEGAL_UNITS = [("Amounts.cpu", "5m"), ("Amounts.cpu", "0.5"), ("Amounts.cpu", 0.5)]
"""Units that Kubernetes takes for CPU."""


@pytest.fixture(scope="module")
def every_spot(tmp_path_factory: pytest.TempPathFactory) -> list[Spot]:
    return spots(tmp_path_factory.mktemp("spots"))


@cache
def schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(stack_file_schema())


def judged(folder: Path, text: str) -> list[Problem]:
    """The errors of a text: each with its place. A text without errors must be legal by schema."""
    found = problems(folder, text)
    for problem in found:
        assert problem.where is not None, problem
        assert problem.where.file.endswith("Pulumi.dev.yaml")
        assert problem.what
        assert problem.why
        assert problem.remedy
        assert "Traceback" not in problem.text()
    if not found:
        errors = [error.message for error in schema().iter_errors(yaml.safe_load(text))]
        assert errors == []
    return found


def refused(folder: Path, spot: Spot, text: str, line: int, note: object = "") -> None:
    """A text is refused, with an error in the line of the mutation."""
    lines = {problem.where.line for problem in judged(folder, text) if problem.where is not None}
    assert line + 1 in lines, f"{spot.name} {note}: errors in {sorted(lines)}, not in {line + 1}"


def plain(spot: Spot) -> str:
    return spot.name.partition(" ")[0]


@pytest.mark.parametrize("form", documents())
def test_the_example_of_each_form_loads_and_fits_the_schema(tmp_path: Path, form: str) -> None:
    text = dump(documents()[form])
    assert judged(tmp_path, text) == []
    assert load_stack_file(write(tmp_path, text))[1].app.name == "alfred"


def test_the_examples_use_every_key_of_every_section(every_spot: list[Spot]) -> None:
    covered = {(spot.key.model.__name__, spot.key.name) for spot in every_spot}
    assert set(all_keys(section(Settings))) - covered == set()


def test_every_key_says_what_it_means(every_spot: list[Spot]) -> None:
    silent = [spot.name for spot in every_spot if not spot.key.description and spot.key.alias != "kind"]
    assert silent == []


def test_every_whole_number_has_bounds(every_spot: list[Spot]) -> None:
    numbers = [spot for spot in every_spot if spot.kind == "integer"]
    unbound = [spot.name for spot in numbers if not {"minimum", "maximum"} <= set(spot.key.shape.schema)]
    assert unbound == []


def test_an_unknown_neighbour_is_refused_and_the_key_that_was_meant_is_named(
    tmp_path: Path, every_spot: list[Spot]
) -> None:
    for spot in every_spot:
        mistyped = f"{spot.last}x"
        text = spot.with_neighbour(f"{mistyped}: 1")
        refused(tmp_path, spot, text, spot.end)
        meant = spot.without() if spot.key.info.is_required() is False and len(spot.path) > 1 else ""
        if meant and not problems(tmp_path, meant):
            renamed = spot.text.splitlines()
            renamed[spot.line] = renamed[spot.line].replace(f"{spot.last}:", f"{mistyped}:", 1)
            found = problems(tmp_path, "\n".join(renamed) + "\n")
            assert any(f"Did you mean `{spot.last}`?" in problem.remedy for problem in found), spot.name


def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, every_spot: list[Spot]) -> None:
    for spot in every_spot:
        for value in WRONG_VALUES[spot.kind]:
            text = spot.with_value(value)
            if (plain(spot), value) in LEGAL_TYPES:
                judged(tmp_path, text)
            else:
                refused(tmp_path, spot, text, spot.line, value)


def test_a_value_out_of_range_is_refused(tmp_path: Path, every_spot: list[Spot]) -> None:
    for spot in every_spot:
        for value in bounds(spot.key.shape):
            refused(tmp_path, spot, spot.with_value(value), spot.line, value)


def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path, every_spot: list[Spot]) -> None:
    for spot in every_spot:
        text = spot.with_neighbour(f"{spot.last}: {spot.value or '{}'}")
        refused(tmp_path, spot, text, spot.end)
        assert any(f"first in line {spot.line + 1}" in problem.what for problem in problems(tmp_path, text))


def test_a_missing_key_is_refused_at_the_key_around_it_or_has_a_default(
    tmp_path: Path, every_spot: list[Spot]
) -> None:
    for spot in every_spot:
        found = judged(tmp_path, spot.without())
        if spot.key.info.is_required():
            assert found, spot.name


def test_an_empty_value_is_refused_in_its_line_or_means_nothing_given(
    tmp_path: Path, every_spot: list[Spot]
) -> None:
    for spot in every_spot:
        absent = problems(tmp_path, spot.without())
        for value in (None, "", [], {}):
            found = judged(tmp_path, spot.with_value(value))
            own = [problem for problem in found if problem.where and problem.where.line == spot.line + 1]
            # Nothing given is as good as left out: the same rules speak, or the value itself is refused.
            assert own or len(found) <= len(absent), (spot.name, value)


def test_a_wrong_unit_is_refused(tmp_path: Path, every_spot: list[Spot]) -> None:
    quantities = [
        spot for spot in every_spot if "examples" in spot.key.shape.schema or spot.kind == "integer"
    ]
    assert len(quantities) > 30
    for spot in quantities:
        for value in UNITS:
            fits = spot.kind == "integer" and isinstance(value, int)
            if fits or (plain(spot), value) in LEGAL_UNITS:
                judged(tmp_path, spot.with_value(value))
            else:
                refused(tmp_path, spot, spot.with_value(value), spot.line, value)


def test_all_errors_of_a_file_come_at_once(tmp_path: Path, every_spot: list[Spot]) -> None:
    text = every_spot[0].text
    wrong: dict[int, Any] = {}
    for spot in every_spot:
        if spot.text == text and spot.kind == "integer":
            wrong[spot.line] = spot
    lines = text.splitlines()
    for line, spot in wrong.items():
        lines[line] = lines[line].replace(str(spot.value), "-5")
    with pytest.raises(SettingsError) as error:
        load_stack_file(write(tmp_path, "\n".join(lines)))
    places = [problem.where.line - 1 for problem in error.value.problems if problem.where is not None]
    assert places == sorted(wrong)
    assert error.value.text().endswith(f"{len(wrong)} errors, nothing was changed.")
