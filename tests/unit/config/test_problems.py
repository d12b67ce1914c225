"""Problems as text: sorted by place, wrapped, without control characters and without what may be a secret."""

import pytest

from stacks.config.problems import Position, Problem, SettingsError, key_text, may_show, sentence, shown
from stacks.config.words import nearest


def problem(line: int, key: str = "slipway:a", value: str | None = None) -> Problem:
    return Problem(
        key, Position("f.yaml", line, 1) if line else None, "wrong", "it breaks", "write it right", value
    )


def test_problems_are_sorted_by_place_and_those_without_a_place_come_last() -> None:
    error = SettingsError([problem(0, "slipway:b"), problem(9), problem(2), problem(0, "slipway:a")])
    assert [one.where.line if one.where else one.key for one in error.problems] == [
        2,
        9,
        "slipway:a",
        "slipway:b",
    ]


def test_the_last_line_counts_the_errors() -> None:
    assert SettingsError([problem(1)]).text().endswith("1 error, nothing was changed.")
    assert SettingsError([problem(1), problem(2)]).text().endswith("2 errors, nothing was changed.")


def test_the_head_names_what_is_known() -> None:
    assert problem(3, value="x").text().splitlines()[0] == "f.yaml:3:1  slipway:a = x"
    assert problem(3, "").text().splitlines()[0] == "f.yaml:3:1"
    assert problem(0).text().splitlines()[0] == "slipway:a"


def test_sentences_are_wrapped_and_missing_ones_left_out() -> None:
    long = Problem("k", None, "word " * 60, "", "do it")
    lines = long.text().splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= 110
    assert all(line.startswith("  ") for line in lines[1:])


def test_a_value_is_shown_in_one_short_line() -> None:
    assert shown("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert shown("x" * 100) == "x" * 59 + "…"


def test_keys_read_as_they_are_written() -> None:
    assert key_text(("slipway:services", "api", "routes", 0, "host")) == "slipway:services.api.routes[0].host"
    assert key_text(("slipway:services", "api", "env", "A.B", "")) == 'slipway:services.api.env["A.B"][""]'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unknown key", "Unknown key."),
        ("HTTP path!", "HTTP path!"),
        ("`kind` is missing", "`kind` is missing."),
        ("a b", "A b."),
    ],
)
def test_a_clause_becomes_a_sentence(text: str, expected: str) -> None:
    assert sentence(text) == expected


@pytest.mark.parametrize(
    ("path", "value", "may"),
    [
        (("slipway:services", "api", "scaling", "max"), "40", True),
        (("slipway:services", "api", "env", "LOG_LEVEL"), "info", False),
        (("slipway:database", "password"), "x", False),
        (("slipway:secrets", "jwt", "generate"), "12", False),
        (("secrets:x",), "12", False),
        (("slipway:cluster", "context"), "AKIAXXXXXXXX", False),
        (("slipway:image", "repository"), "https://u:p@host/x", False),
        ((), "x", False),
    ],
)
def test_only_values_of_known_meaning_are_shown(path: tuple[str, ...], value: str, may: bool) -> None:
    assert may_show(path, value) is may


def test_the_nearest_key_forgives_case_and_separators() -> None:
    keys = ["retentionDays", "restoreTest", "min", "max"]
    assert nearest("retention_days", keys) == "retentionDays"
    assert nearest("retentionDay", keys) == "retentionDays"
    assert nearest("maxx", keys) == "max"
    assert nearest("completely", keys) is None
