"""Settings come from the configuration that the engine gave; an error names place, cause, consequence and remedy."""

import json
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest
import yaml
from pulumi.runtime import config as runtime

from stacks.config.problems import Problem, SettingsError
from stacks.config.stackfile import StackFile, read_stack_file
from stacks.load import from_pulumi, load_settings, load_stack_file
from tests.unit.config.files import FULL, dump, problems, write

DOCUMENT = yaml.safe_load(FULL.read_text())
HIDDEN = "hunter2-hunter2-hunter2"


def changed(**sections: object) -> str:
    """The full example with sections replaced (by the name with `_` for `:`), or removed by None."""
    config = {**DOCUMENT["config"], **{key.replace("__", ":"): value for key, value in sections.items()}}
    return dump({**DOCUMENT, "config": {key: value for key, value in config.items() if value is not None}})


def the_only(found: list[Problem]) -> Problem:
    (problem,) = found
    return problem


def full() -> StackFile:
    return read_stack_file(FULL)


def test_the_text_of_an_error_is_where_what_why_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        FULL.read_text().replace("        max: 3\n", "        max: 4000\n").replace("backup:\n", "bakup:\n")
    )
    write(Path(), text)
    with pytest.raises(SettingsError) as refused:
        load_stack_file(Path("Pulumi.dev.yaml"))
    assert refused.value.text() == (
        "Pulumi.dev.yaml:54:9  slipway:services.api.scaling.max = 4000\n"
        "  Too large.\n"
        "  It is outside what is possible or makes sense here: it would fail later, at the API or under load.\n"
        "  Write a whole number from 1 to 500: pods at the most.\n"
        "Pulumi.dev.yaml:179:3  slipway:bakup\n"
        "  Unknown section.\n"
        "  Nothing would read it: what it is meant to set would keep its default.\n"
        "  Did you mean `slipway:backup`?\n"
        "2 errors, nothing was changed."
    )
    assert str(refused.value) == refused.value.text()


def test_values_come_from_the_configuration_and_places_from_a_file_that_agrees() -> None:
    file = full()
    config = {**file.config, "slipway:budget": '{"monthlyUsd":0}', "slipway:backup": '{"retentionDays":30}'}
    with pytest.raises(SettingsError) as refused:
        load_settings(config, file.secret_keys, file)
    problem = the_only(list(refused.value.problems))
    assert (problem.key, problem.where, problem.value) == ("slipway:budget.monthlyUsd", None, "0")
    settings = load_settings({**config, "slipway:budget": '{"monthlyUsd":5}'}, file.secret_keys, file)
    assert settings.budget is not None
    assert settings.budget.monthly_usd == 5


def test_the_engines_configuration_is_enough_without_a_file() -> None:
    file = full()
    assert load_settings(file.config, file.secret_keys, None) == load_settings(
        file.config, file.secret_keys, file
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('{"monthlyUsd":1,"monthlyUsd":2}', "stands twice"),
        ('{"monthlyUsd":NaN}', "not finite"),
        ("[" * 100 + "]" * 100, "levels"),
        ("[" * 100_000 + "]" * 100_000, "levels"),
        ('{"monthlyUsd":', "Text where a map"),
        ("", "Text where a map"),
    ],
)
def test_a_section_that_was_set_by_hand_is_refused_when_it_cannot_be_read(section: str, said: str) -> None:
    file = full()
    with pytest.raises(SettingsError, match=said):
        load_settings({**file.config, "slipway:budget": section}, file.secret_keys, file)


def test_a_wrong_environment_is_one_problem_and_hides_no_other(tmp_path: Path) -> None:
    found = problems(tmp_path, changed(slipway__environment="prdo", slipway__budget={"monthlyUsd": 0}))
    assert [problem.key for problem in found] == ["slipway:environment", "slipway:budget.monthlyUsd"]
    assert found[0].remedy.startswith("Did you mean `prod`?")
    missing = the_only(problems(tmp_path, changed(slipway__environment=None)))
    assert missing.key == "slipway:environment"
    assert missing.where is not None
    assert missing.where.line == 1


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("slipway:monitorng", {}, "Unknown section"),
        ("slipway:service", {}, "Did you mean `slipway:services`?"),
        ("slipwy:app", {}, "Did you mean `slipway:app`?"),
        ("slipwey:nothing", {}, "Did you mean `slipway:<section>`?"),
        ("acme:app", {}, "Did you mean `slipway:app`?"),
        ("secret:token", "x", "Did you mean `secrets:token`?"),
        ("acme:thing", "x", "Sections begin with `slipway:`"),
        ("aws:region", "eu-central-1", "Say it in `slipway:aws`"),
        ("random:x", "y", "Remove it"),
        ("pulumi:autonaming", {"mode": "verbatim"}, "offline preview"),
        ("pulumi:disable-default-providers", [], "offline preview"),
        ("slipway:redis", {"secure": "v1:abc"}, "encrypted value inside a section"),
    ],
)
def test_a_key_that_nothing_reads_is_refused_with_the_nearest_one(
    tmp_path: Path, key: str, value: object, said: str
) -> None:
    found = problems(tmp_path, changed(**{key.replace(":", "__"): value}))
    assert found[0].key == key
    assert found[0].where is not None
    assert said in SettingsError(found).text()


def test_keys_of_the_engine_that_change_nothing_are_taken(tmp_path: Path) -> None:
    text = changed(pulumi__tags={"team": "a"}, **{"pulumi__disable-default-providers": ["*"]})
    assert problems(tmp_path, text) == []


def test_a_section_that_the_engine_calls_secret_is_refused() -> None:
    file = full()
    with pytest.raises(SettingsError, match="A section cannot be a secret"):
        load_settings(file.config, file.secret_keys | {"slipway:budget"}, file)


def test_a_secret_in_clear_text_is_refused_and_not_repeated(tmp_path: Path) -> None:
    problem = the_only(problems(tmp_path, changed(secrets__anthropicApiKey=HIDDEN)))
    assert problem.what == "a secret in clear text"
    assert "slipway secrets set anthropicApiKey" in problem.remedy
    assert HIDDEN not in problem.text()


def test_an_encrypted_value_that_no_secret_names_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, changed(secrets__anthropicApKey={"secure": "v1:x"}))
    assert "Did you mean `secrets:anthropicApiKey`?" in the_only(found).remedy
    found = problems(tmp_path, changed(secrets__other={"secure": "v1:x"}))
    assert "{ other: { config: other } }" in the_only(found).remedy
    found = problems(tmp_path, changed(slipway__secrets="x"))
    assert [problem.key for problem in found] == ["slipway:secrets"]


@pytest.mark.parametrize("release", ["1.50", "0x10", "true", "7"])
def test_a_release_that_loses_its_notation_is_refused(tmp_path: Path, release: str) -> None:
    text = changed(slipway__release="RELEASE").replace(
        "slipway:release: RELEASE", f"slipway:release: {release}"
    )
    problem = the_only(problems(tmp_path, text))
    assert (problem.key, problem.value, problem.remedy) == ("slipway:release", release, "Put it in quotes.")


def test_what_came_from_a_preset_is_said(tmp_path: Path) -> None:
    services = DOCUMENT["config"]["slipway:services"]
    api = {**services["api"], "scaling": {"max": 1}}
    text = changed(slipway__environment="staging", slipway__services={**services, "api": api})
    found = [problem for problem in problems(tmp_path, text) if "scaling" in problem.key]
    problem = the_only(found)
    assert problem.key == "slipway:services.api.scaling.max"
    assert "`min: 2` comes from the preset of staging." in problem.why


def test_a_rule_over_several_keys_names_the_line_of_the_key_to_change(tmp_path: Path) -> None:
    text = FULL.read_text().replace("graceSeconds: 45", "graceSeconds: 3")
    problem = the_only(problems(tmp_path, text))
    assert problem.where is not None
    assert text.splitlines()[problem.where.line - 1].strip() == "graceSeconds: 3"


SECRET_PLACES = {
    "environment variable": ("LOG_LEVEL: info", f"LOG_LEVEL: {{ scret: {HIDDEN} }}"),
    "number for a variable": ("LOG_LEVEL: info", "LOG_LEVEL: 4711471147.5"),
    "octal variable": ("LOG_LEVEL: info", "LOG_LEVEL: 04711471147"),
    "date variable": ("LOG_LEVEL: info", "LOG_LEVEL: 2001-01-31"),
    "reference": ("secret: jwtSecret", f"secret: {HIDDEN}!"),
    "secret itself": ("generate: 48", f"generate: {HIDDEN}"),
    "unknown key": ("generate: 48", f"value: {HIDDEN}"),
    "credentials in a URL": ("repository: ghcr.io/acme/alfred", f"repository: https://me:{HIDDEN}@ghcr.io/x"),
    "key of a provider": (
        "context: kind-slipway",
        f"context: AKIA{HIDDEN}\n    kubeconfig: 1\n    token: {HIDDEN}",
    ),
    "broken YAML": ("owner: platform-team", f'owner: "{HIDDEN}'),
    "tab": ("    owner: platform-team", f"\towner: {HIDDEN}"),
    "tag": ("LOG_LEVEL: info", f"LOG_LEVEL: !x {HIDDEN}"),
    "alias": ("LOG_LEVEL: info", f"LOG_LEVEL: &a {HIDDEN}\n        LOG_LEVEL: *a"),
    "encrypted in a section": ("LOG_LEVEL: info", f"LOG_LEVEL: {{ secure: {HIDDEN} }}"),
}


@pytest.mark.parametrize("place", SECRET_PLACES)
def test_no_error_repeats_what_may_be_a_secret(tmp_path: Path, place: str) -> None:
    before, after = SECRET_PLACES[place]
    text = FULL.read_text()
    assert before in text
    found = problems(tmp_path, text.replace(before, after, 1))
    assert found
    said = SettingsError(found).text()
    for secret in (HIDDEN, "4711", "2001-01-31\n"):
        assert secret not in said.replace("2001-01-31 00:00", "")


def test_a_password_that_was_written_as_the_name_of_a_secret_is_not_repeated(tmp_path: Path) -> None:
    database = {"kind": "external", "host": "db.example.com", "password": f"{HIDDEN}!"}
    found = problems(tmp_path, changed(slipway__database=database))
    assert [problem.key for problem in found] == ["slipway:database.password"]
    assert HIDDEN not in found[0].text()


def test_control_characters_of_a_file_reach_no_terminal(tmp_path: Path) -> None:
    text = FULL.read_text().replace("owner: platform-team", 'owner: "\\e[31mred\\x07"\n    "\\e]0;x\\a": 1')
    said = SettingsError(problems(tmp_path, text)).text()
    assert "\\x1b[31mred\\x07" in said
    assert said.replace("\n", "").isprintable()


def test_errors_of_notation_and_of_values_come_together(tmp_path: Path) -> None:
    text = (
        FULL.read_text()
        .replace("monthlyUsd: 200", "monthlyUsd: 0")
        .replace("retentionDays: 30", "retentionDays: 030")
    )
    assert [problem.key for problem in problems(tmp_path, text)] == [
        "slipway:backup.retentionDays",
        "slipway:budget.monthlyUsd",
    ]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory, and a runtime that has no configuration yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PULUMI_CONFIG", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_SECRET_KEYS", raising=False)
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")
    config, secret = runtime.CONFIG.get(), runtime._SECRET_KEYS.get()
    runtime.set_all_config({}, [])
    yield tmp_path
    runtime.set_all_config(config, list(secret))


def given(config: dict[str, str]) -> None:
    runtime.set_all_config(config, ["secrets:anthropicApiKey"])


def test_the_whole_configuration_of_the_engine_is_read_unknown_keys_included(engine: Path) -> None:
    config = dict(full().config)
    given(config)
    assert from_pulumi().app.name == "alfred"
    given({**config, "slipway:monitorng": "{}"})
    with pytest.raises(SettingsError) as refused:
        from_pulumi()
    assert the_only(list(refused.value.problems)).where is None
    write(engine, FULL.read_text().replace("slipway:budget:", "slipway:monitorng: {}\n  slipway:budget:"))
    with pytest.raises(SettingsError, match="Pulumi.dev.yaml:184:3  slipway:monitorng"):
        from_pulumi()
    write(engine, "no: [yaml")
    with pytest.raises(SettingsError, match="slipway:monitorng"):
        from_pulumi()


@pytest.mark.usefixtures("engine")
def test_a_stray_environment_variable_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given(dict(full().config))
    expected = from_pulumi()
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({"slipway:app": "x", "slipway:nonsense": "y"}))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", '["slipway:app"]')
    monkeypatch.setenv("PULUMI_CONFIG_SLIPWAY_APP", "x")
    assert from_pulumi() == expected


@pytest.mark.usefixtures("engine")
def test_a_program_of_its_own_gets_its_configuration_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(dict(full().config)))
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", '["secrets:anthropicApiKey"]')
    assert from_pulumi() == load_settings(full().config, full().secret_keys, None)
    monkeypatch.setenv("PULUMI_CONFIG", "{broken")
    with pytest.raises(SettingsError, match="Missing"):
        from_pulumi()
