import hashlib
from typing import Any

import pytest

from components.redis.in_cluster import access_control, redis_configuration
from components.redis.section import InClusterRedis, RedisInstance
from facts.versions import REDIS_IMAGE
from tests.support.sections import accept, refusal
from tests.support.stacks import (
    CONFIG_MAP,
    SECRET_TYPE,
    SERVICE,
    STATEFUL_SET,
    dependency_names,
    live_local,
    recorded,
    shipped,
)


def section(**values: str) -> InClusterRedis:
    return accept(RedisInstance, {"kind": "in-cluster", **values})


def settings(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines())


def test_redis_speaks_tls_only_and_keeps_its_data() -> None:
    assert settings(redis_configuration(section())) == {
        "port": "0",
        "tls-port": "6379",
        "tls-cert-file": "/etc/slipway/server/tls.crt",
        "tls-key-file": "/etc/slipway/server/tls.key",
        "tls-ca-cert-file": "/etc/slipway/server/ca.crt",
        "tls-auth-clients": "no",
        "tls-protocols": '"TLSv1.2 TLSv1.3"',
        "aclfile": "/etc/slipway/acl/users.acl",
        "dir": "/data",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory": "134217728",
        "maxmemory-policy": "allkeys-lru",
        "timeout": "300",
        "tcp-keepalive": "60",
    }


@pytest.mark.parametrize(
    ("purpose", "policy"), [("cache", "allkeys-lru"), ("queue", "noeviction"), ("both", "volatile-lru")]
)
def test_the_purpose_decides_what_is_lost_when_the_memory_is_full(purpose: str, policy: str) -> None:
    assert settings(redis_configuration(section(purpose=purpose)))["maxmemory-policy"] == policy


def test_the_memory_for_data_is_the_stack_files() -> None:
    assert settings(redis_configuration(section(maxMemory="64Mi")))["maxmemory"] == str(64 * 1024**2)


@pytest.mark.parametrize(("data", "legal"), [("192Mi", True), ("193Mi", False), ("256Mi", False)])
def test_data_takes_at_most_three_quarters_of_the_container(data: str, legal: bool) -> None:
    limits = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}}
    text = refusal(RedisInstance, {"kind": "in-cluster", "maxMemory": data, "resources": limits})
    assert (text == "") == legal
    if not legal:
        assert f"maxMemory {data} is above 75 % of the container's limit of 256Mi" in text
        assert "the kernel would kill it" in text
        assert "Lower `maxMemory` to 192Mi or raise `resources.limits.memory`." in text


def test_nobody_uses_redis_without_a_password_and_the_application_administers_nothing() -> None:
    digest = hashlib.sha256(b"correct-horse").hexdigest()
    assert access_control("correct-horse").splitlines() == [
        "user default off",
        "user health on nopass resetkeys resetchannels -@all +ping",
        f"user app on #{digest} ~* &* +@all -@admin -@dangerous +info",
    ]


def test_the_file_of_users_holds_no_password() -> None:
    found = live_local()
    url = found.resources[(SECRET_TYPE, "api-env")]["stringData"]["REDIS_URL"]
    password = url.removeprefix("rediss://app:").partition("@")[0]
    users = found.resources[(SECRET_TYPE, "redis-cache-acl")]["stringData"]["users.acl"]
    assert users == access_control(password)
    assert password not in users


def test_the_server_reads_the_configuration_the_users_and_its_certificate() -> None:
    found = shipped("local")
    server = found.one(STATEFUL_SET, "redis-cache")
    spec: Any = server.get("spec", "template", "spec")
    container = spec["containers"][0]
    assert container["image"] == REDIS_IMAGE
    assert container["args"] == ["redis-server", "/etc/slipway/redis/redis.conf"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounts == {
        "tls": "/etc/slipway/server",
        "acl": "/etc/slipway/acl",
        "configuration": "/etc/slipway/redis",
        "scratch-0": "/tmp",
        "data": "/data",
    }
    sources = {one["name"]: one for one in spec["volumes"]}
    assert sources["tls"]["secret"] == {
        "secretName": found.one(SECRET_TYPE, "redis-cache-tls").get("metadata", "name"),
        "defaultMode": 0o440,
    }
    assert sources["acl"]["secret"]["secretName"] == found.one(SECRET_TYPE, "redis-cache-acl").get(
        "metadata", "name"
    )
    assert sources["configuration"]["configMap"]["name"] == found.one(CONFIG_MAP, "redis-cache-conf").get(
        "metadata", "name"
    )
    assert found.one(CONFIG_MAP, "redis-cache-conf").get("data") == {
        "redis.conf": redis_configuration(section(purpose="both"))
    }


def test_the_probes_ask_over_tls_as_the_user_that_may_only_ping() -> None:
    spec: Any = shipped("local").one(STATEFUL_SET, "redis-cache").get("spec", "template", "spec")
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        command = spec["containers"][0][name]["exec"]["command"]
        assert command[:2] == ["sh", "-c"]
        assert "--tls --cacert /etc/slipway/server/ca.crt -p 6379" in command[2]
        assert "--user health --pass none ping | grep -q PONG" in command[2]


def test_the_server_has_one_pod_a_volume_and_a_name_in_dns_before_it_starts() -> None:
    found = recorded("local", {"redis.cache.storage": "2Gi", "redis.cache.image": "redis:7.4"})
    server = found.one(STATEFUL_SET, "redis-cache")
    assert server.get("spec", "replicas") == 1
    claim: Any = server.get("spec", "volumeClaimTemplates", 0)
    assert claim["metadata"]["name"] == "data"
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    assert server.get("spec", "template", "spec", "containers", 0, "image") == "redis:7.4"
    assert "Service/redis-cache" in dependency_names(server)
    service = found.one(SERVICE, "redis-cache")
    assert service.get("metadata", "annotations") == {"pulumi.com/skipAwait": "true"}
    assert service.get("spec", "ports") == [{"name": "redis", "port": 6379, "targetPort": "redis"}]


def test_two_instances_stand_beside_each_other() -> None:
    found = recorded(
        "local",
        {
            "redis.queue": {"kind": "in-cluster", "purpose": "queue"},
            "services.api.env.REDIS_URL": {"redis": "url", "instance": "cache"},
            "services.worker.env.REDIS_URL": {"redis": "url", "instance": "queue"},
        },
    )
    assert {one.name for one in found.of_type(STATEFUL_SET)} == {"postgres", "redis-cache", "redis-queue"}
    conf: Any = found.one(CONFIG_MAP, "redis-queue-conf").get("data")
    assert "maxmemory-policy noeviction\n" in conf["redis.conf"]


@pytest.mark.parametrize("version", ["6", "8", 7])
def test_redis_is_7_in_quotes(version: object) -> None:
    assert "Input should be '7'" in refusal(RedisInstance, {"kind": "in-cluster", "version": version})
