"""Each kind of pydantic's errors in words of its own, on a section with every kind of field."""

from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, ValidationError

from components.shared.section import Section
from stacks.config.problems import Problem
from stacks.config.shapes import locate, section, shape_of
from stacks.config.translate import Source, translate, value_at
from stacks.config.words import expected


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("an odd number")
    return value


class Inner(Section):
    """A section below."""

    size: int = Field(ge=1, description="Size of it.")


class Toy(Section):
    """Every kind of field."""

    whole: int = Field(default=1, gt=0, lt=10, multiple_of=3, description="A number.")
    upward: int = Field(default=1, ge=1, description="Any number from one.")
    free: int = Field(default=1)
    share: float = Field(default=0.5, le=1.0, description="A share.")
    switch: bool = Field(default=False, description="HTTP or not.")
    word: Literal["16"] = Field(default="16", description="Major version.")
    pair: tuple[Annotated[str, StringConstraints(min_length=2)], ...] = Field(
        default=(), min_length=1, max_length=2, description="Two words."
    )
    text: str = Field(default="", max_length=3)
    even: Annotated[int, AfterValidator(_even)] = Field(default=2, description="An even number.")
    either: int | list[int] = Field(default=1, description="One or several.")
    formless: Annotated[
        Annotated[str, Tag("text")] | Annotated[Inner, Tag("inner")],
        Discriminator(lambda value: {str: "text", dict: "inner"}.get(type(value))),
    ] = Field(default="", description="Text or a section.")
    inner: Inner | None = Field(default=None, description="The section below.")
    inners: dict[str, list[Inner]] = Field(default_factory=dict, description="Sections by name.")


def problem(**values: object) -> Problem:
    """The first problem of a toy."""
    with pytest.raises(ValidationError) as refused:
        Toy.model_validate(values, strict=True)
    return translate(refused.value, Source(Toy, values, None, "", {}, lambda _: False))[0]


@pytest.mark.parametrize(
    ("values", "key", "what", "remedy"),
    [
        ({"whole": 12}, "whole", "too large", "Write a whole number from 0 to 10: a number."),
        ({"whole": 0}, "whole", "too small", "a number."),
        ({"whole": 4}, "whole", "not a multiple", "a number."),
        ({"whole": "3"}, "whole", "text where a number belongs", "Write the number without quotes."),
        ({"whole": "many"}, "whole", "text where a number belongs", "Write a whole number"),
        ({"whole": 3.0}, "whole", "not a whole number", "Write a whole number"),
        ({"upward": 0}, "upward", "too small", "Write a whole number from 1: any number from one."),
        ({"free": "x"}, "free", "text where a number belongs", "Write a whole number."),
        ({"free": None}, "free", "no value", "Or remove the key"),
        ({"share": 2.0}, "share", "too large", "Write a number to 1.0: a share."),
        ({"share": "half"}, "share", "text where a number belongs", "Write a number to 1.0"),
        ({"switch": "yes"}, "switch", "text where true or false belongs", "Write `true` or `false`."),
        ({"switch": 1}, "switch", "a number where `true` or `false` belongs", "HTTP or not."),
        ({"word": 16}, "word", "not text", 'Put it in quotes: "16".'),
        ({"word": 15.5}, "word", "not text", "Write one of `16`, in quotes."),
        ({"word": "16.0"}, "word", "no value that is known here", "Did you mean `16`? Write `16`: major version."),
        ({"word": "latest"}, "word", "no value that is known here", "Write `16`: major version."),
        ({"pair": ()}, "pair", "empty", "Write a list of texts: two words."),
        ({"pair": ("aa", "bb", "cc")}, "pair", "longer than 2", "two words."),
        ({"pair": ("a",)}, "pair[0]", "shorter than 2", "two words."),
        ({"pair": "aa bb"}, "pair", "text where a list of texts belongs", "each word an item of its own"),
        ({"pair": True}, "pair", "a truth value where a list of texts belongs", "Write a list of texts"),
        ({"text": "long"}, "text", "longer than 3", "Write text."),
        ({"text": ("a",)}, "text", "a list where text belongs", "Write text."),
        ({"even": 3}, "even", "an odd number", "Write a whole number: an even number."),
        ({"either": {"a": 1}}, "either", "a map where a value belongs", "one or several."),
        ({"formless": 3}, "formless", "none of the known forms", "Write text or a map with one of the keys `size`."),
        ({"inner": ("a",)}, "inner", "a list where a map with the keys `size` belongs", "the section below."),
        ({"inner": {}}, "inner.size", "missing: size of it.", "Add `size:` with a whole number from 1."),
        ({"inner": {"sise": 1, "size": 1}}, "inner.sise", "unknown key", "Did you mean `size`?"),
        ({"inner": {"color": 1, "size": 1}}, "inner.color", "unknown key", "Known here: `size`."),
        ({"inners": {"a": "x"}}, "inners.a", "text where a list of maps belongs", "sections by name."),
        ({"inners": "x"}, "inners", "text where a map from names to lists belongs", "sections by name."),
    ],
)  # fmt: skip
def test_an_error_is_said_in_words_of_the_stack_file(
    values: dict[str, object], key: str, what: str, remedy: str
) -> None:
    found = problem(**values)
    assert found.key == f"slipway:{key}"
    assert found.what == what
    assert found.why
    assert remedy in found.remedy
    assert "pydantic" not in found.text()


def test_values_are_shown_as_they_would_be_written() -> None:
    assert problem(whole=12).value == "12"
    assert problem(share=2.5).value == "2.5"
    assert problem(switch="yes").value == "yes"
    assert problem(whole=True).value == "true"
    assert problem(inner={"color": 1, "size": 1}).value is None


def test_a_location_of_a_union_without_forms_ends_at_its_key() -> None:
    place = locate(Toy, ("either", "list[int]", 0))
    assert place.path == ("either",)
    assert locate(Toy, ("nothing", "below")).path == ("nothing", "below")


def test_what_may_stand_is_said_for_any_type() -> None:
    assert expected(None) == "a value"
    assert expected(section(Inner)) == "a map with the keys `size`"
    assert expected(shape_of(dict[str, int])) == "a map from names to numbers"
    assert expected(shape_of(list[Inner])) == "a list of maps"
    assert expected(shape_of(object)) == "a value"


def test_a_path_that_leads_nowhere_has_no_value() -> None:
    assert value_at({"a": ({"b": 1},)}, ("a", 0, "b")) == 1
    assert value_at({"a": ()}, ("a", 0)) is None
    assert value_at({"a": 1}, ("a", "b")) is None
