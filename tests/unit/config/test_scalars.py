"""Each word of YAML means what it means to Pulumi, or is refused with the reason."""

import json
import math
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.config.problems import SettingsError
from stacks.config.scalars import number_text
from stacks.config.stackfile import StackFile, read_stack_file
from tests.unit.config.files import write
from tests.unit.config.golden import NESTED_SURPRISES, SCALARS, STRUCTURES, SURPRISES


def read(folder: Path, text: str) -> StackFile:
    return read_stack_file(write(folder, text))


@pytest.mark.parametrize("text", SCALARS)
def test_a_scalar_is_the_text_that_pulumi_hands_over(tmp_path: Path, text: str) -> None:
    top, nested = SCALARS[text]
    file = read(tmp_path, f"config:\n  slipway:t: {text}\n  slipway:l:\n    - {text}\n    - x\n")
    assert file.config == {"slipway:t": top, "slipway:l": f'[{nested},"x"]'}


@pytest.mark.parametrize("text", SURPRISES)
def test_what_nobody_means_is_refused_where_it_stands(tmp_path: Path, text: str) -> None:
    for content, line in (
        (f"config:\n  slipway:t: {text}\n", 2),
        (f"config:\n  slipway:l:\n    - {text}\n", 3),
    ):
        with pytest.raises(SettingsError) as refused:
            read(tmp_path, content)
        where = refused.value.problems[0].where
        assert where is not None
        assert where.line == line


@pytest.mark.parametrize("text", NESTED_SURPRISES)
def test_a_number_that_pulumi_would_round_is_refused_inside_a_list_only(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"config:\n  slipway:k: {text}\n").config == {"slipway:k": text}
    with pytest.raises(SettingsError, match="more than 64 bits") as refused:
        read(tmp_path, f"config:\n  slipway:k: [{text}]\n")
    assert refused.value.problems[0].value == text


@pytest.mark.parametrize("text", ["~", "null", "NULL", ""])
def test_an_empty_section_is_refused_since_pulumi_hands_over_an_empty_text(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="No value"):
        read(tmp_path, f"config:\n  slipway:k: {text}\n")


@pytest.mark.parametrize("text", STRUCTURES)
def test_a_structure_is_the_text_that_pulumi_hands_over(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, f"config:\n{text}\n").config == STRUCTURES[text]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_and_has_the_fewest_digits(number: float) -> None:
    text = number_text(number)
    assert float(text) == number
    assert len(text.replace("-", "").replace(".", "").partition("e")[0].strip("0")) <= 17
    assert ("e" in text) == (number != 0 and not 1e-6 <= abs(number) < 1e21)
    assert math.isclose(float(Decimal(text)), json.loads(text), rel_tol=0) or number == 0
