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
from tests.unit.config.mutations import (
    UNITS,
    WRONG_VALUES,
    Spot,
    all_keys,
    bounds,
    groups,
    spots,
    with_neighbours,
    with_values,
)

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


def refused(folder: Path, text: str, places: dict[int, Spot], note: object = "") -> None:
    """A text is refused, with an error in the line of every mutation."""
    lines = {problem.where.line - 1 for problem in judged(folder, text) if problem.where is not None}
    assert [f"{spot.name} {note}" for line, spot in places.items() if line not in lines] == []


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


def by_text(found: list[Spot]) -> list[list[Spot]]:
    """Every key, the keys of one text together."""
    texts = dict.fromkeys(spot.text for spot in found)
    return [[spot for spot in found if spot.text == text] for text in texts]


def test_an_unknown_neighbour_is_refused(tmp_path: Path, every_spot: list[Spot]) -> None:
    for found in by_text(every_spot):
        refused(tmp_path, *with_neighbours(found, lambda spot: f"{spot.last}x: 1"))


def test_a_mistyped_key_is_refused_and_the_key_that_was_meant_is_named(
    tmp_path: Path, every_spot: list[Spot]
) -> None:
    optional = [spot for spot in every_spot if not spot.key.info.is_required()]
    for group in groups(optional):
        lines = group[0].text.splitlines()
        for spot in group:
            lines[spot.line] = lines[spot.line].replace(f"{spot.last}:", f"{spot.last}x:", 1)
        text = "\n".join(lines) + "\n"
        refused(tmp_path, text, {spot.line: spot for spot in group})
        meant = {
            problem.where.line - 1: problem.remedy for problem in judged(tmp_path, text) if problem.where
        }
        assert [spot.name for spot in group if f"Did you mean `{spot.last}`?" not in meant[spot.line]] == []


def mutated(folder: Path, every_spot: list[Spot], values: dict[Spot, list[object]], legal: object) -> int:
    """Every value at every key is refused in its line, except the legal ones; returns how many were tried."""
    tried = 0
    assert isinstance(legal, list)
    for group in groups([spot for spot in every_spot if values[spot]]):
        for number in range(max(len(values[spot]) for spot in group)):
            chosen = {spot: values[spot][number] for spot in group if number < len(values[spot])}
            wrong = [spot for spot in chosen if (plain(spot), chosen[spot]) not in legal]
            tried += len(chosen)
            if wrong:
                text, places = with_values(wrong, chosen.__getitem__)
                refused(folder, text, places, number)
            for spot in set(chosen) - set(wrong):
                judged(folder, spot.with_value(chosen[spot]))
    return tried


def test_a_value_of_the_wrong_type_is_refused(tmp_path: Path, every_spot: list[Spot]) -> None:
    values = {spot: WRONG_VALUES[spot.kind] for spot in every_spot}
    assert mutated(tmp_path, every_spot, values, LEGAL_TYPES) > 600


def test_a_value_out_of_range_is_refused(tmp_path: Path, every_spot: list[Spot]) -> None:
    values = {spot: bounds(spot.key.shape) for spot in every_spot}
    assert mutated(tmp_path, every_spot, values, []) > 250


def test_a_wrong_unit_is_refused(tmp_path: Path, every_spot: list[Spot]) -> None:
    values: dict[Spot, list[object]] = {spot: [] for spot in every_spot}
    for spot in every_spot:
        if "examples" in spot.key.shape.schema:
            values[spot] = UNITS
        elif spot.kind == "integer":
            values[spot] = [value for value in UNITS if not isinstance(value, int)]
    assert mutated(tmp_path, every_spot, values, LEGAL_UNITS) > 450


def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path, every_spot: list[Spot]) -> None:
    for found in by_text(every_spot):
        text, places = with_neighbours(found, lambda spot: f"{spot.last}: {spot.value or '{}'}")
        lines = {problem.where.line - 1: problem.what for problem in judged(tmp_path, text) if problem.where}
        for line, spot in places.items():
            first = spot.line + sum(1 for other in places.values() if other.end <= spot.line)
            assert f"first in line {first + 1}" in lines[line], spot.name


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
        absent: list[Problem] | None = None
        for value in (None, "" if spot.kind in ("string", "integer", "boolean") else {}):
            found = judged(tmp_path, spot.with_value(value))
            if any(problem.where and problem.where.line == spot.line + 1 for problem in found):
                continue
            # Nothing given is as good as left out: the same rules speak.
            absent = problems(tmp_path, spot.without()) if absent is None else absent
            assert len(found) <= len(absent), (spot.name, value)


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
