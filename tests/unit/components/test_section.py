"""How a section is filled and refused: the base that all of them share."""

from typing import Any

import pytest
from pydantic import Field, ValidationError

from components.shared.section import Section, nested, preset, preset_fields
from stacks.presets import Preset

VALUE = "correct-horse-battery"


class Inner(Section):
    """A section with a preset."""

    max_pods: int = preset("scaling_max", default=2, ge=1, le=9, description="Pods.")
    name: str = Field(default="x", description="Name.")


class Outer(Section):
    """A section with a section."""

    inner: Inner = nested(Inner, description="The inner one.")
    text: str = Field(default="", description="Text.")


def outer(value: dict[str, Any], chosen: Preset | None = None) -> Outer:
    return Outer.model_validate(value, strict=True, by_name=False, by_alias=True, context={"preset": chosen})


@pytest.mark.parametrize(
    ("written", "chosen", "wins"),
    [
        ({}, None, 2),
        ({}, Preset(), 2),
        ({}, Preset(scaling_max=5), 5),
        ({"inner": {}}, Preset(scaling_max=5), 5),
        ({"inner": {"maxPods": 3}}, Preset(scaling_max=5), 3),
        ({"inner": {"maxPods": 3}}, None, 3),
    ],
)
def test_the_stack_file_wins_over_the_preset_and_the_preset_over_the_default(
    written: dict[str, Any], chosen: Preset | None, wins: int
) -> None:
    assert outer(written, chosen).inner.max_pods == wins


def test_a_field_given_by_its_python_name_is_not_filled_from_the_preset() -> None:
    found = Inner.model_validate({"max_pods": 3}, context={"preset": Preset(scaling_max=5)})
    assert found.max_pods == 3


def test_a_preset_is_judged_like_a_written_value() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 9"):
        outer({}, Preset(scaling_max=10))


def test_the_given_value_is_not_changed() -> None:
    given: dict[str, Any] = {}
    outer(given, Preset(scaling_max=5))
    assert given == {}


def test_only_the_marked_fields_take_presets() -> None:
    assert preset_fields(Inner) == {"max_pods": "scaling_max"}
    assert preset_fields(Outer) == {}


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        outer({"inner": {"maxPod": 3}})


def test_what_is_no_map_is_refused_with_a_preset_too() -> None:
    with pytest.raises(ValidationError, match="Input should be"):
        outer({"inner": [1]}, Preset(scaling_max=5))


def test_an_error_never_repeats_the_value() -> None:
    with pytest.raises(ValidationError) as error:
        outer({"text": 1, "inner": {"maxPods": VALUE}})
    assert VALUE not in str(error.value)


def test_a_section_cannot_be_changed() -> None:
    found = outer({})
    with pytest.raises(ValidationError, match="frozen"):
        found.text = "other"  # pyright: ignore[reportAttributeAccessIssue]
