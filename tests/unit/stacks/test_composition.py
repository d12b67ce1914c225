"""Forms of one part in the place of another: external stores, none at all, several images."""

import re
from typing import Any

import pytest

from slipway.offline.model import SECRET, Record
from tests.support.stacks import (
    ALONE,
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    NETWORK_POLICY,
    REMOVED,
    SECRET_TYPE,
    STATEFUL_SET,
    live,
    recorded,
    shipped,
)

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
EXTERNAL: dict[str, Any] = {
    "database": {"kind": "external", "host": "db.example.com", "port": 6432, "password": "db", "ca": "dbCa"},
    "redis.cache": {"kind": "external", "host": "r.example.com", "password": "redis", "ca": "redisCa"},
    "secrets": {name: {"config": name} for name in ("db", "dbCa", "redis", "redisCa", "jwtSecret")},
    "secrets:db": "p@ss/word",
    "secrets:dbCa": CA,
    "secrets:redis": "redis-password",
    "secrets:redisCa": CA,
    "secrets:jwtSecret": "a-very-long-secret",
}
HIDDEN = ("secrets:db", "secrets:dbCa", "secrets:redis", "secrets:redisCa", "secrets:jwtSecret")


def test_external_stores_make_nothing_but_the_certificates_of_their_authorities() -> None:
    found = live("local", EXTERNAL)
    kinds = {kind for kind, _ in found.resources}
    assert STATEFUL_SET not in kinds
    assert not [kind for kind in kinds if kind.startswith(("tls:index", "slipway:certificates"))]
    for part in ("postgres", "redis-cache"):
        assert found.resources[(CONFIG_MAP, f"{part}-ca")]["data"] == {"ca.crt": CA}
    told = found.resources[(SECRET_TYPE, "api-env")]["stringData"]
    assert told["DATABASE_URL"] == (
        "postgresql://app:p%40ss%2Fword@db.example.com:6432/app"
        "?sslmode=verify-full&sslrootcert=/etc/slipway/tls/postgres/ca.crt"
    )
    assert told["REDIS_URL"] == (
        "rediss://default:redis-password@r.example.com:6379/0?ssl_ca_certs=/etc/slipway/tls/redis-cache/ca.crt"
    )
    deployment = found.resources[(DEPLOYMENT, "api")]["spec"]["template"]["spec"]
    mounts = {one["mountPath"] for one in deployment["containers"][0]["volumeMounts"]}
    assert {"/etc/slipway/tls/postgres", "/etc/slipway/tls/redis-cache"} <= mounts


def test_a_certificate_is_public_though_its_way_was_secret() -> None:
    # As the offline preview has them: the values of a stack file are never decrypted.
    hidden = dict.fromkeys(HIDDEN, "[secret]")
    found = recorded("local", {**EXTERNAL, **hidden}, secret_keys=HIDDEN)
    for part in ("postgres", "redis-cache"):
        assert found.one(CONFIG_MAP, f"{part}-ca").secret_paths == ()
    assert found.log == ()
    urls = found.one(SECRET_TYPE, "api-env")
    assert urls.get("stringData", "DATABASE_URL") == SECRET


def test_external_stores_without_an_authority_are_checked_against_the_systems_trust() -> None:
    changes = {**EXTERNAL}
    changes["database"] = {key: value for key, value in EXTERNAL["database"].items() if key != "ca"}
    changes["redis.cache"] = {key: value for key, value in EXTERNAL["redis.cache"].items() if key != "ca"}
    found = live("local", changes)
    told = found.resources[(SECRET_TYPE, "api-env")]["stringData"]
    assert told["DATABASE_URL"].endswith("?sslmode=verify-full&sslrootcert=system")
    assert told["REDIS_URL"].endswith("@r.example.com:6379/0")
    assert not [name for kind, name in found.resources if kind == CONFIG_MAP and name.endswith("-ca")]


def test_a_stack_without_stores_has_none_and_no_authority() -> None:
    found = recorded("local", ALONE)
    types = {one.type for one in found.registrations}
    assert not types & {STATEFUL_SET, JOB, CRON_JOB, SECRET_TYPE, CONFIG_MAP}
    assert "slipway:certificates:CertificateAuthority" not in types
    assert found.one(DEPLOYMENT, "web").get("spec", "template", "spec", "containers", 0, "envFrom") in (
        None,
        [],
    )


@pytest.mark.parametrize("gone", ["database", "redis"])
def test_one_store_alone_has_its_authority(gone: str) -> None:
    variable = {"database": "DATABASE_URL", "redis": "REDIS_URL"}[gone]
    changes: dict[str, Any] = {gone: REMOVED}
    for service in ("api", "worker"):
        changes[f"services.{service}.env.{variable}"] = REMOVED
        changes[f"services.{service}.requires"] = []
    found = recorded("local", changes)
    left = "redis-cache" if gone == "database" else "postgres"
    assert [one.name for one in found.of_type(STATEFUL_SET)] == [left]
    assert len(found.of_type("slipway:certificates:CertificateAuthority")) == 1
    assert left in {one.name for one in found.of_type(NETWORK_POLICY)}


def images(found: Record) -> dict[str, object]:
    return {
        one.name: one.get("spec", "template", "spec", "containers", 0, "image")
        for one in found.of_type(DEPLOYMENT)
    }


def test_services_share_the_applications_image_unless_they_name_their_own() -> None:
    other = {"kind": "release", "repository": "ghcr.io/acme/worker", "release": "v2"}
    built = {"kind": "build", "target": "test"}
    found = recorded("local", {"services.worker.image": other, "services.web": {**WEB, "image": built}})
    named = images(found)
    assert named["worker"] == "ghcr.io/acme/worker:v2"
    assert re.fullmatch(r"chat-app:[0-9a-f]{10}", str(named["api"]))
    assert re.fullmatch(r"chat-web:[0-9a-f]{10}", str(named["web"]))
    assert found.outputs["images"] == {name: named[name] for name in ("api", "frontend", "worker", "web")}
    worker = found.one(CRON_JOB, "purge").get(
        "spec", "jobTemplate", "spec", "template", "spec", "containers", 0
    )
    assert isinstance(worker, dict)
    assert (worker["image"], worker["imagePullPolicy"]) == ("ghcr.io/acme/worker:v2", "Always")


WEB: dict[str, Any] = ALONE["services"]["web"]


def test_one_image_is_built_once_however_many_services_run_it() -> None:
    assert len(shipped("local").of_type("docker:index/image:Image")) == 1


def test_a_released_image_needs_no_docker() -> None:
    assert not [one for one in shipped("prod").registrations if "docker" in one.type]
