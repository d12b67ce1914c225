import re

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.shared.names import (
    MAX_NAME_LENGTH,
    Name,
    content_name,
    content_name_output,
    labels,
    secret_content_name,
    selector,
    suggest_label,
)
from tests.support.mocks import values
from tests.support.sections import accept, refusal

LABEL = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")


@pytest.mark.parametrize("name", ["a", "api", "api-2", "a" * MAX_NAME_LENGTH])
def test_a_name_is_a_dns_label(name: str) -> None:
    assert accept(Name, name) == name


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("", "app"),
        ("My_API", "my-api"),
        ("-api", "api"),
        ("api-", "api"),
        ("2fast", "app-2fast"),
        ("a.b", "a-b"),
        ("api\n", "api"),
        ("a" * 41, "a" * 40),
        ("1" * 60, "app-" + "1" * 36),
    ],
)
def test_another_name_is_refused_with_the_nearest_legal_one(name: str, instead: str) -> None:
    text = refusal(Name, name)
    assert "no name that Kubernetes takes (lower-case letters, digits and `-`, at most 40)" in text
    assert f"Write a name such as `{instead}`." in text


@given(st.text(max_size=80))
def test_every_suggested_name_is_legal(text: str) -> None:
    assert LABEL.fullmatch(suggest_label(text))


def test_a_content_name_is_the_base_and_a_hash_of_the_content() -> None:
    assert content_name("api-env", {"LOG_LEVEL": "info"}) == "api-env-e9b643b0f2"


def test_the_order_of_the_content_does_not_matter() -> None:
    assert content_name("x", {"a": "1", "b": "2"}) == content_name("x", {"b": "2", "a": "1"})


@given(st.dictionaries(st.text(), st.text(), max_size=4), st.dictionaries(st.text(), st.text(), max_size=4))
def test_names_are_equal_exactly_when_contents_are(one: dict[str, str], other: dict[str, str]) -> None:
    assert (content_name("x", one) == content_name("x", other)) == (one == other)


def test_a_name_of_outputs_is_that_of_their_values() -> None:
    found = values(lambda: {"name": content_name_output("x", {"a": "1"})})
    assert found == {"name": content_name("x", {"a": "1"}), "secret:name": False}


def test_the_name_of_a_secret_is_no_secret_and_depends_on_the_key_and_the_content() -> None:
    hidden = pulumi.Output.secret

    def program() -> dict[str, pulumi.Input[str]]:
        return {
            "one": secret_content_name("env", hidden("key"), {"A": hidden("x")}),
            "same": secret_content_name("env", hidden("key"), {"A": "x"}),
            "other-key": secret_content_name("env", hidden("yek"), {"A": hidden("x")}),
            "other-value": secret_content_name("env", hidden("key"), {"A": hidden("y")}),
            "other-variable": secret_content_name("env", hidden("key"), {"B": hidden("x")}),
        }

    found = values(program)
    assert not any(found[name] for name in found if name.startswith("secret:"))
    # HMAC-SHA256 of the JSON text with the key, checked with another implementation.
    assert found["one"] == "env-8fa5c434be"
    assert found["same"] == found["one"]
    assert len({found[name] for name in ("one", "other-key", "other-value", "other-variable")}) == 4


def test_the_name_of_a_secret_cannot_be_found_by_guessing_the_content() -> None:
    found = values(lambda: {"name": secret_content_name("env", "key", {"A": "password"})})
    assert found["name"] != content_name("env", {"A": "password"})


def test_labels_are_the_recommended_ones_and_the_selector_leaves_out_what_changes() -> None:
    assert labels(app="notes", part="api", environment="dev") == {
        "app.kubernetes.io/name": "api",
        "app.kubernetes.io/part-of": "notes",
        "app.kubernetes.io/managed-by": "slipway",
        "slipway.dev/environment": "dev",
    }
    assert selector(app="notes", part="api") == {
        "app.kubernetes.io/name": "api",
        "app.kubernetes.io/part-of": "notes",
    }
