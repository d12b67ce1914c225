"""Where secrets stand: in Secrets, marked as such, and in no other place."""

import re
from typing import Any

import pytest

from slipway.offline.model import SECRET
from tests.support.mocks import Run
from tests.support.stacks import (
    CONFIG_MAP,
    ENVIRONMENTS,
    SECRET_TYPE,
    kubernetes_objects,
    live,
    live_local,
    shipped,
)

MISSING: dict[str, Any] = {"secrets.jwtSecret": {"config": "jwtSecret"}}
COMMAND = "slipway secrets set jwtSecret --stack local"


@pytest.fixture(scope="module")
def up() -> Run:
    return live_local()


def test_a_configured_secret_reaches_the_pods_and_no_other_place() -> None:
    found = live("local", {**MISSING, "secrets:jwtSecret": "correct-horse-battery"})
    holders = [key for key, inputs in found.resources.items() if "correct-horse-battery" in repr(inputs)]
    assert holders == [(SECRET_TYPE, "api-env")]
    assert found.resources[holders[0]]["stringData"]["JWT_SECRET"] == "correct-horse-battery"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_all_data_of_every_secret_is_marked_secret(environment: str) -> None:
    secrets = shipped(environment).of_type(SECRET_TYPE)
    assert len(secrets) >= 2
    for one in secrets:
        data = one.get("stringData")
        assert isinstance(data, dict)
        assert set(data.values()) == {SECRET}
        assert {("stringData", key) for key in data} <= set(one.secret_paths)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_secret_stands_in_a_config_map_a_pod_or_an_output(environment: str) -> None:
    found = shipped(environment)
    for one in kubernetes_objects(found):
        if one.type != SECRET_TYPE:
            assert one.secret_paths == (), one.urn
    assert found.output_secret_paths == ()
    assert not [line for line in found.log if "in the clear" in line.message]


def test_a_config_map_holds_the_text_of_the_stack_file_and_nothing_else(up: Run) -> None:
    assert up.resources[(CONFIG_MAP, "api-env")]["data"] == {
        "CACHE_PRESET": "development",
        "ENABLE_WORK": "true",
        "ENVIRONMENT": "local",
        "FORWARDED_ALLOW_IPS": "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16",
        "LOG_LEVEL": "info",
        "RESILIENCE_PRESET": "development",
        "WEBSOCKET_IDLE_SECONDS": "300",
    }
    assert set(up.resources[(SECRET_TYPE, "api-env")]["stringData"]) == {
        "DATABASE_URL",
        "JWT_SECRET",
        "REDIS_URL",
    }


def test_services_are_told_where_the_stores_are(up: Run) -> None:
    told = up.resources[(SECRET_TYPE, "worker-env")]["stringData"]
    assert re.fullmatch(
        r"postgresql://chat:unknown-postgres-app-result-[0-9a-f]{6}@postgres:5432/chat"
        r"\?sslmode=verify-full&sslrootcert=/etc/slipway/tls/postgres/ca\.crt",
        told["DATABASE_URL"],
    )
    assert re.fullmatch(
        r"rediss://app:unknown-redis-cache-app-result-[0-9a-f]{6}@redis-cache:6379/0"
        r"\?ssl_ca_certs=/etc/slipway/tls/redis-cache/ca\.crt",
        told["REDIS_URL"],
    )


def test_the_application_never_gets_the_administrators_password(up: Run) -> None:
    administrator = up.resources[(SECRET_TYPE, "postgres-administrator")]["stringData"]["POSTGRES_PASSWORD"]
    holders = {key[1] for key, inputs in up.resources.items() if administrator in repr(inputs)}
    assert holders == {"postgres-administrator", "postgres-roles-env"}


def test_all_that_stands_in_a_secret_travels_as_a_secret_even_an_address() -> None:
    env = {"DATABASE_HOST": {"database": "host"}}
    found = live("local", {"services.worker.env": env, "services.worker.requires": []})
    assert found.resources[(SECRET_TYPE, "worker-env")]["stringData"] == {"DATABASE_HOST": "postgres"}
    for key, secret in found.secret_inputs.items():
        assert ("stringData" in secret) == (key[0] == SECRET_TYPE), key
