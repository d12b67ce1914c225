"""What each environment presets, and that it arrives."""

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel

from components.backup.section import Backup
from components.postgres.section import RdsDatabase
from components.redis.section import ElastiCacheRedis
from components.shared.section import Section, preset_fields
from components.workload.section import Scaling
from stacks.presets import PRESETS, Environment, Preset, preset_for
from tests.support.sections import accept
from tests.support.stacks import ENVIRONMENTS, REMOVED, refusals, settings_of


def sections(root: type[BaseModel] = Section) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for one in root.__subclasses__():
        if one.__module__.startswith("components."):
            found.append(one)
        found += sections(one)
    return found


MARKED = [
    (section, field, attribute)
    for section in dict.fromkeys(sections())
    for field, attribute in preset_fields(section).items()
]


def test_there_is_a_preset_for_every_environment() -> None:
    assert set(PRESETS) == set(get_args(Environment)) == set(ENVIRONMENTS)
    assert preset_for("prod") is PRESETS["prod"]


def test_every_marked_field_names_an_attribute_of_the_preset_and_every_attribute_has_a_field() -> None:
    assert {attribute for _, _, attribute in MARKED} == {one.name for one in fields(Preset)}
    assert len(MARKED) == len(fields(Preset))


@pytest.mark.parametrize(
    ("section", "field", "attribute"), MARKED, ids=lambda one: getattr(one, "__name__", one)
)
def test_every_preset_is_a_legal_value_of_its_field(
    section: type[BaseModel], field: str, attribute: str
) -> None:
    declared = section.model_fields[field]
    hint = get_type_hints(section, include_extras=True)[field]
    for chosen in PRESETS.values():
        value = getattr(chosen, attribute)
        if value is not None:
            assert accept(hint, value) == value
            for bound in declared.metadata:
                assert value >= getattr(bound, "ge", value)
                assert value <= getattr(bound, "le", value)


def scaling(environment: str, changes: dict[str, Any] | None = None) -> Scaling:
    fixed = {"services.worker.pool": {"size": 1, "overflow": 0}}
    return (
        settings_of(environment, {**fixed, "services.worker.scaling": REMOVED, **(changes or {})})
        .services["worker"]
        .scaling
    )


@pytest.mark.parametrize(
    ("environment", "bounds"),
    [("local", (1, 2)), ("dev", (1, 2)), ("staging", (2, 4)), ("prod", (2, 10))],
)
def test_a_service_that_says_nothing_scales_as_its_environment_does(
    environment: str, bounds: tuple[int, int]
) -> None:
    found = scaling(environment)
    assert (found.min, found.max, found.cpu, found.memory) == (*bounds, 70, 80)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_the_stack_file_says_wins_in_every_environment(environment: str) -> None:
    assert scaling(environment, {"services.worker.scaling": {"max": 3}}).max == 3
    assert scaling(environment, {"services.worker.scaling": {"max": 3}}).min == scaling(environment).min


@pytest.mark.parametrize(
    ("environment", "instance_class", "multi_az", "node_type", "replicas"),
    [
        ("dev", "db.t4g.micro", False, "cache.t4g.micro", 0),
        ("staging", "db.t4g.medium", False, "cache.t4g.small", 0),
        ("prod", "db.m7g.large", True, "cache.m7g.large", 1),
    ],
)
def test_managed_stores_have_the_size_of_their_environment(
    environment: str, instance_class: str, multi_az: bool, node_type: str, replicas: int
) -> None:
    found = settings_of(environment)
    database, cache = found.database, found.redis["cache"]
    assert isinstance(database, RdsDatabase)
    assert isinstance(cache, ElastiCacheRedis)
    assert (database.instance_class, database.multi_az) == (instance_class, multi_az)
    assert (cache.node_type, cache.replicas) == (node_type, replicas)


@pytest.mark.parametrize(
    ("environment", "days", "test"),
    [("local", 7, "off"), ("dev", 7, "off"), ("staging", 7, "monthly"), ("prod", 30, "monthly")],
)
def test_backups_are_kept_and_tried_as_the_environment_asks(environment: str, days: int, test: str) -> None:
    found = settings_of(environment, {"backup": {}}).backup
    assert found == Backup(retention_days=days, restore_test=test)  # pyright: ignore[reportArgumentType]


def test_an_environment_that_does_not_exist_is_refused() -> None:
    refused = refusals("dev", {"environment": "production"})
    assert [one.partition(": ")[0] for one in refused if "environment" in one] == ["slipway:environment"]
