"""What each service is told, and that a reference to nothing can never be bound by accident."""

from typing import Any

import pytest

from components.workload.env import DatabaseReference, RedisReference
from stacks.bindings import Sources, bind, service_url
from stacks.names import redis_part, redis_reference, reserved_parts
from tests.support.stacks import (
    ALONE,
    CONFIG_MAP,
    DEPLOYMENT,
    SECRET_TYPE,
    dependency_names,
    live_local,
    recorded,
    settings_of,
)

WORKER_TEXT = {
    "CACHE_PRESET": "development",
    "ENVIRONMENT": "local",
    "LOG_LEVEL": "info",
    "RESILIENCE_PRESET": "development",
}
NOTHING = Sources(secrets={}, database=None, redis={})


def test_plain_text_and_addresses_of_services_stand_in_a_config_map() -> None:
    changes = {"services.worker.env.API_URL": {"service": "api"}, "services.worker.env.PORT": 8000}
    found = recorded("local", changes)
    assert found.one(CONFIG_MAP, "worker-env").get("data") == {
        **WORKER_TEXT,
        "API_URL": "http://api:8000",
        "PORT": "8000",
    }
    assert service_url(settings_of("local"), "api") == "http://api:8000"


@pytest.mark.parametrize("field", ["url", "host", "port", "name", "user", "password", "caFile"])
def test_whatever_refers_to_the_database_stands_in_a_secret(field: str) -> None:
    found = recorded("local", {"services.worker.env.X": {"database": field}})
    stored: Any = found.one(SECRET_TYPE, "worker-env").get("stringData")
    plain: Any = found.one(CONFIG_MAP, "worker-env").get("data")
    assert "X" in stored
    assert plain == WORKER_TEXT


def test_a_program_is_told_by_objects_and_never_by_its_own_manifest() -> None:
    for key, inputs in live_local().resources.items():
        if key[0] == DEPLOYMENT:
            assert "env" not in inputs["spec"]["template"]["spec"]["containers"][0]


def test_a_program_waits_for_the_stores_that_it_uses_and_for_no_other() -> None:
    found = recorded("local", {"services.worker.env.REDIS_URL": "", "services.worker.requires": []})
    assert "Job/postgres-roles" in dependency_names(found.one(DEPLOYMENT, "worker"))
    assert "StatefulSet/redis-cache" not in dependency_names(found.one(DEPLOYMENT, "worker"))
    assert "StatefulSet/redis-cache" in dependency_names(found.one(DEPLOYMENT, "api"))


def test_each_store_is_waited_for_once_however_many_variables_name_it() -> None:
    env = {name: {"database": name} for name in ("host", "port", "url")}
    found = recorded("local", {"services.api.env.A": env["host"], "services.api.env.B": env["port"]})
    init: Any = found.one("kubernetes:batch/v1:Job", "migrate").get(
        "spec", "template", "spec", "initContainers", 0, "command"
    )
    assert init[3:] == ["postgres:5432", "redis-cache:6379"]


def test_a_service_without_stores_waits_for_none() -> None:
    job = {"service": "web", "schedule": "0 3 * * *", "command": ["true"]}
    found = recorded("local", {**ALONE, "cronJobs": {"purge": job}})
    spec: Any = found.one("kubernetes:batch/v1:CronJob", "purge").get(
        "spec", "jobTemplate", "spec", "template", "spec"
    )
    assert "initContainers" not in spec
    assert spec["containers"][0]["command"] == ["true"]


def test_a_reference_to_a_missing_database_is_never_bound() -> None:
    settings = settings_of("local", ALONE)
    env = {"DATABASE_URL": DatabaseReference(database="url")}
    service = settings.services["web"].model_copy(update={"env": env})
    with pytest.raises(KeyError, match="a database that the stack does not have"):
        bind(settings, service, NOTHING)


def test_a_reference_to_one_of_several_redis_instances_names_it() -> None:
    settings = settings_of("prod")
    assert redis_reference(settings, RedisReference(redis="url", instance="queue")) == "queue"
    with pytest.raises(KeyError, match="without an instance, and not exactly one instance"):
        redis_reference(settings, RedisReference(redis="url"))
    assert redis_reference(settings_of("local"), RedisReference(redis="url")) == "cache"


def test_the_names_of_our_own_parts_are_reserved() -> None:
    assert set(reserved_parts(settings_of("local"))) == {
        "namespace",
        "default-deny",
        "quota",
        "migrate",
        "postgres",
        "postgres-roles",
        redis_part("cache"),
    }
