"""Who may talk to whom: every policy of every stack, and that each follows from what a program is told."""

from typing import Any

import pytest

from components.shared.network_policy import PRIVATE_RANGES, AnywherePeer, InternetPeer, PartPeer, Peer
from slipway.offline.model import Record
from stacks.flows import PROMETHEUS_PEER, Flow, flows
from tests.support.stacks import (
    ALONE,
    ENVIRONMENTS,
    NETWORK_POLICY,
    PROBES,
    REMOVED,
    RESOURCES,
    pod_templates,
    recorded,
    settings_of,
    shipped,
)

EVERY = pytest.mark.parametrize("environment", ENVIRONMENTS)
DNS = [{"port": port, "protocol": protocol} for port in (53, 1053, 5353) for protocol in ("UDP", "TCP")]
DNS_RULE = {
    "to": [
        {
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        }
    ],
    "ports": DNS,
}
PROMETHEUS = {
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
    "namespaceSelector": {"matchLabels": {}},
}
ANYWHERE = {"ipBlock": {"cidr": "0.0.0.0/0"}}


def tcp(port: int) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"}]


def pods(part: str) -> dict[str, Any]:
    return {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": part, "app.kubernetes.io/part-of": "chat"}}
    }


def policy(found: Record, part: str) -> dict[str, Any]:
    spec = found.one(NETWORK_POLICY, part).get("spec")
    assert isinstance(spec, dict)
    return spec


def to(part: str, port: int) -> dict[str, Any]:
    return {"to": [pods(part)], "ports": tcp(port)}


def figures(port: int) -> dict[str, Any]:
    return {"from": [PROMETHEUS], "ports": tcp(port)}


def from_(part: str, port: int) -> dict[str, Any]:
    return {"from": [pods(part)], "ports": tcp(port)}


@EVERY
def test_nothing_talks_to_anything_unless_a_policy_allows_it(environment: str) -> None:
    assert policy(shipped(environment), "default-deny") == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


@EVERY
def test_every_pod_has_exactly_one_policy_of_its_own(environment: str) -> None:
    found = shipped(environment)
    parts = {template["metadata"]["labels"]["app.kubernetes.io/name"] for _, template in pod_templates(found)}
    policies = {one.name: one.get("spec") for one in found.of_type(NETWORK_POLICY)}
    assert policies.keys() - {"default-deny"} == parts
    for part in parts:
        spec: Any = policies[part]
        assert spec["podSelector"] == pods(part)["podSelector"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_the_policies_of_the_local_stack_are_these_and_no_more() -> None:
    found = shipped("local")
    programs = ("api", "worker", "migrate", "purge")
    stores = [to("postgres", 5432), to("redis-cache", 6379)]
    for part in programs:
        assert policy(found, part)["egress"] == [DNS_RULE, *stores], part
    assert policy(found, "api")["ingress"] == [figures(8000), from_("frontend", 8000)]
    assert policy(found, "worker")["ingress"] == [figures(9090)]
    assert policy(found, "frontend")["egress"] == [DNS_RULE, to("api", 8000)]
    for part in ("frontend", "migrate", "purge"):
        assert policy(found, part)["ingress"] == [], part
    assert policy(found, "postgres")["ingress"] == [
        from_(part, 5432) for part in (*programs, "postgres-roles")
    ]
    assert policy(found, "redis-cache")["ingress"] == [from_(part, 6379) for part in programs]
    assert policy(found, "postgres-roles")["egress"] == [DNS_RULE, to("postgres", 5432)]
    for part in ("postgres", "redis-cache"):
        assert policy(found, part)["egress"] == [DNS_RULE]


def test_a_service_with_routes_is_reached_from_anywhere_on_its_own_port_only() -> None:
    found = shipped("prod")
    anywhere = {"from": [ANYWHERE], "ports": tcp(8000)}
    assert policy(found, "api")["ingress"] == [anywhere, figures(8000), from_("frontend", 8000)]
    assert policy(found, "worker")["ingress"] == [figures(9090)]


def test_managed_stores_are_reached_at_their_port() -> None:
    expected = [DNS_RULE, {"to": [ANYWHERE], "ports": tcp(5432)}, {"to": [ANYWHERE], "ports": tcp(6379)}]
    assert policy(shipped("prod"), "api")["egress"] == expected


def test_a_program_that_is_told_of_nothing_reaches_nothing_but_dns() -> None:
    found = recorded("local", {**ALONE})
    assert policy(found, "web")["egress"] == [DNS_RULE]
    assert {one.name for one in found.of_type(NETWORK_POLICY)} == {"default-deny", "web"}


def test_the_internet_is_every_public_address_by_https() -> None:
    found = recorded("local", {**ALONE, "services.web.internet": True})
    block = {"cidr": "0.0.0.0/0", "except": list(PRIVATE_RANGES)}
    assert policy(found, "web")["egress"] == [DNS_RULE, {"to": [{"ipBlock": block}], "ports": tcp(443)}]
    # Among them the address at which clouds hand out credentials: 169.254.169.254.
    assert set(PRIVATE_RANGES) == {
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    }


@pytest.mark.parametrize(("metrics", "port"), [({}, 8000), ({"port": 9090}, 9090)])
def test_prometheus_may_read_the_figures_from_any_namespace(metrics: dict[str, int], port: int) -> None:
    found = recorded("local", {**ALONE, "services.web.metrics": metrics})
    assert policy(found, "web")["ingress"] == [{"from": [PROMETHEUS], "ports": tcp(port)}]


def test_a_service_that_is_told_of_another_may_call_it_and_nobody_else_may() -> None:
    caller = {
        "role": "frontend",
        "port": 8080,
        "probes": PROBES,
        "resources": RESOURCES,
        "env": {"API_BASE_URL": {"service": "called"}},
    }
    called = {"role": "api", "port": 8000, "probes": PROBES, "resources": RESOURCES}
    found = recorded("local", {**ALONE, "services": {"caller": caller, "called": called}})
    assert policy(found, "called")["ingress"] == [from_("caller", 8000)]
    assert policy(found, "caller")["egress"] == [DNS_RULE, to("called", 8000)]


def flow_set(environment: str, changes: dict[str, Any]) -> set[Flow]:
    return set(flows(settings_of(environment, changes)))


STORES: dict[str, tuple[str, dict[str, Any], Peer, int]] = {
    "in-cluster database": ("DATABASE_URL", {}, PartPeer("postgres"), 5432),
    "in-cluster redis": ("REDIS_URL", {}, PartPeer("redis-cache"), 6379),
    "external database": (
        "DATABASE_URL",
        {"database": {"kind": "external", "host": "db.example.com", "port": 6432, "password": "jwtSecret"}},
        AnywherePeer(),
        6432,
    ),
    "external redis": (
        "REDIS_URL",
        {"redis.cache": {"kind": "external", "host": "r.example.com", "port": 6380, "password": "jwtSecret"}},
        AnywherePeer(),
        6380,
    ),
}


@pytest.mark.parametrize("store", STORES)
def test_a_flow_to_a_store_stands_exactly_where_the_environment_names_it(store: str) -> None:
    variable, changes, target, port = STORES[store]
    wanted = Flow(PartPeer("worker"), target, port)
    assert wanted in flow_set("local", changes)
    without = {
        **changes,
        f"services.worker.env.{variable}": REMOVED,
        "services.worker.requires": [],
    }
    left = flow_set("local", without)
    assert wanted not in left
    # Its CronJob loses the flow with it; the API keeps its own.
    assert Flow(PartPeer("purge"), target, port) not in left
    assert Flow(PartPeer("api"), target, port) in left


def test_a_flow_is_listed_once_however_often_it_is_needed() -> None:
    env = {"services.worker.env.DATABASE_HOST": {"database": "host"}}
    found = flows(settings_of("local", env))
    assert len(found) == len(set(found))


def test_a_job_has_the_flows_of_its_service_and_no_callers() -> None:
    changes = {
        "services.api.internet": True,
        "services.api.metrics": {},
        "services.api.routes": [{"host": "api.example.com"}],
    }
    found = flow_set("local", changes)
    assert Flow(PartPeer("migrate"), InternetPeer(), 443) in found
    assert Flow(PROMETHEUS_PEER, PartPeer("api"), 8000) in found
    assert Flow(AnywherePeer(), PartPeer("api"), 8000) in found
    assert not [flow for flow in found if flow.target == PartPeer("migrate")]


def test_a_worker_is_never_called_and_shows_figures_only_on_a_port_of_its_own() -> None:
    silent = flow_set("local", {"services.worker.metrics": REMOVED})
    assert not [flow for flow in silent if flow.target == PartPeer("worker")]
    shown = [flow for flow in flow_set("local", {}) if flow.target == PartPeer("worker")]
    assert shown == [Flow(PROMETHEUS_PEER, PartPeer("worker"), 9090)]
