"""From the configuration of a stack to its settings: the one way in, for the engine and for the offline preview.

Values come from the configuration that the engine gave; the stack file only says where they stand, and only for keys
whose value there is the one that was given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast, get_args

import pulumi
from pulumi.runtime import config as runtime
from pydantic import BaseModel, ValidationError

from stacks.config.namespaces import Configuration, sort_out
from stacks.config.problems import KeyPath, Problem, SettingsError
from stacks.config.shapes import Kind, locate, section
from stacks.config.stackfile import StackFile, read_stack_file, scan_stack_file
from stacks.config.translate import Source, refusal, translate
from stacks.config.words import Words
from stacks.presets import Environment, Preset, preset_for
from stacks.rules import Violation, violations
from stacks.settings import Settings


def load_settings(
    config: Mapping[str, str], secret_keys: frozenset[str] | set[str], stack_file: StackFile | None
) -> Settings:
    """Return the settings of a configuration.

    Args:
        config: the full key to the text that the engine hands the program; maps and lists as JSON.
        secret_keys: the keys whose value is a secret. Values of the namespace `secrets` are never read here:
            the program takes them with `pulumi.Config("secrets").get_secret(name)`.
        stack_file: the file for positions, where it is known.

    Raises:
        SettingsError: with every error, sorted by its place.
    """
    settings, problems = _judge(config, secret_keys, stack_file)
    if problems or settings is None:
        raise SettingsError(problems)
    return settings


def load_stack_file(path: Path) -> tuple[StackFile, Settings]:
    """Read and judge a stack file without an engine.

    Args:
        path: such as `Pulumi.dev.yaml`.

    Raises:
        SettingsError: with every error of notation and of values at once.
    """
    scan = scan_stack_file(path)
    settings, judged = _judge(scan.file.config, scan.file.secret_keys, scan.file)
    places = {problem.where for problem in scan.problems}
    problems = [*scan.problems, *(problem for problem in judged if problem.where not in places)]
    if problems or settings is None:
        raise SettingsError(problems)
    return scan.file, settings


def from_pulumi() -> Settings:
    """Return the settings of the running stack, from the whole configuration that the engine gave.

    Raises:
        SettingsError: with every error; positions are those of `Pulumi.<stack>.yaml` in the working directory, where
            it says the same.
    """
    config, secret_keys = engine_config()
    return load_settings(config, secret_keys, _own_file())


def refused(found: Iterable[Violation]) -> SettingsError:
    """Return the error for what only the running program can find, with the places that `from_pulumi` gives.

    Args:
        found: at least one.
    """
    config, secret_keys = engine_config()
    file = _own_file()
    sorted_out = _sorted_out(config, secret_keys, file)
    return SettingsError(_placed(found, _source(Settings, sorted_out, file, None, None)))


def _own_file() -> StackFile | None:
    try:
        return read_stack_file(Path(f"Pulumi.{pulumi.get_stack()}.yaml"))
    except SettingsError:
        return None


def engine_config() -> tuple[dict[str, str], frozenset[str]]:
    """Return every key that the engine gave, unknown ones included; the SDK only answers for keys that one knows.

    The engine gives the configuration by call (inline programs, tests) or by environment variable (a program of its
    own); the SDK prefers the first, and so do we, so that a stray PULUMI_CONFIG changes nothing.
    """
    given: dict[str, Any] = runtime.CONFIG.get()
    if given:
        return {key: str(value) for key, value in given.items()}, frozenset(
            key for key in given if runtime.is_config_secret(key)
        )
    try:
        given, secret = runtime.get_config_env(), runtime.get_config_secret_keys_env()
    except ValueError:
        return {}, frozenset()
    return {key: str(value) for key, value in given.items()}, frozenset(secret)


def _judge(
    config: Mapping[str, str], secret_keys: frozenset[str] | set[str], file: StackFile | None
) -> tuple[Settings | None, list[Problem]]:
    sorted_out = _sorted_out(config, secret_keys, file)
    environment = _environment(sorted_out)
    preset = preset_for(environment) if environment is not None else None
    problems = list(sorted_out.problems)
    source = _source(Settings, sorted_out, file, environment, preset)
    settings: Settings | None = None
    try:
        settings = _validate(sorted_out.document, preset)
    except ValidationError as error:
        keys = {problem.key for problem in problems}
        problems += [problem for problem in translate(error, source) if problem.key not in keys]
        judged = _without_unknown_keys(error, sorted_out.document, preset)
    else:
        judged = settings
    if judged is not None:
        problems += _placed(violations(judged), source)
    return settings, problems


def _placed(found: Iterable[Violation], source: Source) -> list[Problem]:
    return [refusal(one.path, Words(one.what, one.why, one.remedy), source) for one in found]


def _sorted_out(
    config: Mapping[str, str], secret_keys: frozenset[str] | set[str], file: StackFile | None
) -> Configuration:
    sections: dict[str, Kind] = {name: key.shape.kind for name, key in section(Settings).keys.items()}
    return sort_out(config, frozenset(secret_keys), sections, file)


def _validate(document: Mapping[str, object], preset: Preset | None) -> Settings:
    return Settings.model_validate(
        document, strict=True, by_alias=True, by_name=False, context={"preset": preset}
    )


def _without_unknown_keys(
    error: ValidationError, document: Mapping[str, object], preset: Preset | None
) -> Settings | None:
    """Return the settings as they would be without unknown keys, so that one typo does not hide what else is wrong."""
    details = error.errors(include_url=False, include_input=False)
    if any(detail["type"] != "extra_forbidden" for detail in details):
        return None
    unknown = {locate(Settings, detail["loc"]).path for detail in details}
    try:
        return _validate(cast("Mapping[str, object]", _prune(document, (), unknown)), preset)
    except ValidationError:
        return None


def _prune(value: object, path: KeyPath, unknown: set[KeyPath]) -> object:
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, object]", value).items()
        return {
            key: _prune(one, (*path, key), unknown) for key, one in entries if (*path, key) not in unknown
        }
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        return tuple(_prune(one, (*path, index), unknown) for index, one in enumerate(items))
    return value


def _environment(configuration: Configuration) -> Environment | None:
    given = configuration.document.get("environment")
    return cast("Environment", given) if given in get_args(Environment) else None


def _source(
    root: type[BaseModel],
    configuration: Configuration,
    file: StackFile | None,
    environment: str | None,
    preset: Preset | None,
) -> Source:
    values = {item.name: getattr(preset, item.name) for item in fields(preset)} if preset is not None else {}
    return Source(root, configuration.document, file, environment or "", values, configuration.agrees(file))
