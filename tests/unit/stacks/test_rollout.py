"""How new pods replace old ones: what waits for what, what rolls what, and what stays as it is."""

from typing import Any

import pytest

from slipway.offline.model import Record
from tests.support.stacks import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    ENVIRONMENTS,
    HPA,
    JOB,
    PDB,
    REMOVED,
    SECRET_TYPE,
    SERVICE,
    dependency_names,
    recorded,
    refusals,
    settings_of,
    shipped,
)

EVERY = pytest.mark.parametrize("environment", ENVIRONMENTS)
DIGEST = f"sha256:{'cd' * 32}"


@pytest.fixture(scope="module")
def prod() -> Record:
    return shipped("prod")


def test_the_api_listens_on_8000_and_its_service_leads_there(prod: Record) -> None:
    container: Any = prod.one(DEPLOYMENT, "api").get("spec", "template", "spec", "containers", 0)
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    service = prod.one(SERVICE, "api")
    assert service.get("spec", "ports") == [{"name": "http", "port": 8000, "targetPort": "http"}]
    assert service.get("spec", "selector") == prod.one(DEPLOYMENT, "api").get(
        "spec", "selector", "matchLabels"
    )


@pytest.mark.parametrize(
    ("metrics", "names"), [(9090, ["http", "metrics"]), (8000, ["http"]), (None, ["http"])]
)
def test_figures_have_a_port_of_their_own_only_where_it_is_another(
    metrics: int | None, names: list[str]
) -> None:
    found = recorded("dev", {"services.api.metrics": {"port": metrics} if metrics else {}})
    ports: Any = found.one(DEPLOYMENT, "api").get("spec", "template", "spec", "containers", 0, "ports")
    assert [one["name"] for one in ports] == names
    assert [one["containerPort"] for one in ports] == [8000, 9090][: len(names)]
    assert found.one(SERVICE, "api").get("spec", "ports", 1) is None


@EVERY
def test_a_worker_has_no_service_and_its_own_resources(environment: str) -> None:
    found = shipped(environment)
    assert {one.name for one in found.of_type(SERVICE)} & {"api", "frontend", "worker"} == {"api", "frontend"}
    worker: Any = found.one(DEPLOYMENT, "worker").get("spec", "template", "spec", "containers", 0)
    assert [port["name"] for port in worker["ports"]] == ["metrics"]
    wanted = settings_of(environment).services["worker"].resources
    assert worker["resources"]["requests"] == {"cpu": wanted.requests.cpu, "memory": wanted.requests.memory}
    assert worker["command"] == ["python", "-m", "slipway_app.worker"]


@EVERY
def test_every_program_waits_for_the_migration(environment: str) -> None:
    found = shipped(environment)
    waiting = [*found.of_type(DEPLOYMENT), *found.of_type(CRON_JOB)]
    assert {one.name for one in waiting} == {"api", "frontend", "worker", "purge"}
    for one in waiting:
        assert found.one(JOB, "migrate").urn in one.dependencies, one.urn


@pytest.mark.parametrize(("websocket", "affinity"), [({}, None), ({"affinity": True}, "ClientIP")])
def test_an_address_stays_with_one_pod_only_where_websockets_ask_for_it(
    websocket: dict[str, Any], affinity: str | None
) -> None:
    found = recorded("local", {"services.api.websocket": websocket})
    assert found.one(SERVICE, "api").get("spec", "sessionAffinity") == affinity


def test_without_a_migration_nothing_waits_for_one() -> None:
    found = recorded("prod", {"migrations": REMOVED})
    assert found.of_type(JOB) == ()
    assert not [name for name in dependency_names(found.one(DEPLOYMENT, "api")) if name.startswith("Job/")]


def test_the_migration_waits_for_the_stores_and_sees_what_its_service_sees() -> None:
    found = shipped("local")
    migration = found.one(JOB, "migrate")
    assert {"Job/postgres-roles", "StatefulSet/redis-cache"} <= dependency_names(migration)
    api: Any = found.one(DEPLOYMENT, "api").get("spec", "template", "spec", "containers", 0)
    ours: Any = migration.get("spec", "template", "spec", "containers", 0)
    assert ours["command"] == ["alembic", "upgrade", "head"]
    for key in ("image", "envFrom", "volumeMounts"):
        assert ours[key] == api[key]
    assert migration.custom_timeouts == {"create": "660s"}


def test_a_job_waits_in_its_pod_until_its_stores_can_be_reached() -> None:
    init: Any = (
        shipped("local").one(JOB, "migrate").get("spec", "template", "spec", "initContainers", 0, "command")
    )
    assert init[:2] == ["python", "-c"]
    assert init[3:] == ["postgres:5432", "redis-cache:6379"]


def migration_of(changes: dict[str, object]) -> tuple[str, object]:
    job = recorded("prod", changes).one(JOB, "migrate")
    return job.urn, job.get("metadata", "name")


def test_the_migrations_urn_is_constant_and_its_name_carries_the_images_identity(prod: Record) -> None:
    before = prod.one(JOB, "migrate")
    urn, name = migration_of({"release": DIGEST})
    assert urn == before.urn
    assert name != before.get("metadata", "name")
    # The first hash is the image's alone, so that a person sees which image a Job belongs to.
    stem = str(before.get("metadata", "name")).rpartition("-")[0]
    assert str(name).rpartition("-")[0] != stem
    assert str(migration_of({"services.api.env.LOG_LEVEL": "debug"})[1]).rpartition("-")[0] == stem


@pytest.mark.parametrize(
    "changes",
    [
        {"migrations.command": ["alembic", "upgrade", "+1"]},
        {"migrations.timeoutSeconds": 700},
        {"services.api.env.LOG_LEVEL": "debug"},
    ],
    ids=["command", "timeout", "environment"],
)
def test_whatever_a_migration_is_told_makes_a_new_job(prod: Record, changes: dict[str, object]) -> None:
    assert migration_of(changes)[1] != prod.one(JOB, "migrate").get("metadata", "name")


def test_what_a_migration_is_not_told_leaves_its_job_alone(prod: Record) -> None:
    changes = {"services.worker.env.LOG_LEVEL": "debug", "services.api.scaling.max": 9}
    assert migration_of(changes)[1] == prod.one(JOB, "migrate").get("metadata", "name")


@EVERY
def test_a_rollout_starts_one_pod_more_and_never_has_one_less(environment: str) -> None:
    for one in shipped(environment).of_type(DEPLOYMENT):
        assert one.get("spec", "strategy") == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }


@EVERY
def test_a_pod_has_time_to_stop_after_it_left_the_service(environment: str) -> None:
    for one in shipped(environment).of_type(DEPLOYMENT):
        grace: Any = one.get("spec", "template", "spec", "terminationGracePeriodSeconds")
        wait: Any = one.get(
            "spec", "template", "spec", "containers", 0, "lifecycle", "preStop", "sleep", "seconds"
        )
        # gunicorn lets running requests end for 30 seconds.
        assert grace > wait + 30


def test_a_wait_of_zero_seconds_is_no_wait() -> None:
    found = recorded("dev", {"services.api.preStopSeconds": 0})
    assert found.one(DEPLOYMENT, "api").get("spec", "template", "spec", "containers", 0, "lifecycle") is None


@EVERY
def test_the_three_probes_of_the_api_ask_different_questions(environment: str) -> None:
    container: Any = (
        shipped(environment).one(DEPLOYMENT, "api").get("spec", "template", "spec", "containers", 0)
    )
    paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": "/health/live", "port": "http"},
        "liveness": {"path": "/health/live", "port": "http"},
        "readiness": {"path": "/health/ready", "port": "http"},
    }
    assert container["startupProbe"]["failureThreshold"] == 30
    assert container["startupProbe"]["periodSeconds"] == 2


def test_paths_and_patience_of_probes_are_the_stack_files() -> None:
    probes = {
        "startup": {"path": "/s", "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 99},
        "liveness": {"path": "/l"},
        "readiness": {"path": "/r", "periodSeconds": 4},
    }
    container = recorded("dev", {"services.api.probes": probes}).one(DEPLOYMENT, "api")
    found: Any = container.get("spec", "template", "spec", "containers", 0)
    assert found["startupProbe"] == {
        "httpGet": {"path": "/s", "port": "http"},
        "periodSeconds": 1,
        "timeoutSeconds": 2,
        "failureThreshold": 99,
    }
    assert found["livenessProbe"]["httpGet"]["path"] == "/l"
    assert (found["readinessProbe"]["httpGet"]["path"], found["readinessProbe"]["periodSeconds"]) == ("/r", 4)


def test_a_worker_is_asked_by_a_program(prod: Record) -> None:
    found: Any = prod.one(DEPLOYMENT, "worker").get("spec", "template", "spec", "containers", 0)
    for name in ("startup", "liveness", "readiness"):
        assert found[f"{name}Probe"]["exec"] == {"command": ["python", "-m", "slipway_app.alive"]}
        assert "httpGet" not in found[f"{name}Probe"]


def test_a_worker_without_probes_is_not_asked() -> None:
    found = recorded("prod", {"services.worker.probes": REMOVED}).one(DEPLOYMENT, "worker")
    container: Any = found.get("spec", "template", "spec", "containers", 0)
    assert not [key for key in container if key.endswith("Probe")]


def test_prod_scales_the_api_from_5_to_20_pods_by_cpu_and_memory(prod: Record) -> None:
    hpa = prod.one(HPA, "api")
    assert hpa.get("spec", "scaleTargetRef") == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}
    assert (hpa.get("spec", "minReplicas"), hpa.get("spec", "maxReplicas")) == (5, 20)
    assert hpa.get("spec", "metrics") == [
        {
            "type": "Resource",
            "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}},
        }
        for name, percent in (("cpu", 70), ("memory", 80))
    ]
    assert hpa.get("spec", "behavior", "scaleDown", "stabilizationWindowSeconds") == 300
    assert hpa.get("spec", "behavior", "scaleUp", "stabilizationWindowSeconds") == 0


def test_a_measure_that_is_null_is_left_out() -> None:
    metrics: Any = shipped("local").one(HPA, "api").get("spec", "metrics")
    assert [one["resource"]["name"] for one in metrics] == ["cpu"]


@EVERY
def test_replicas_are_given_exactly_where_no_autoscaler_sets_them(environment: str) -> None:
    found = shipped(environment)
    scaled = {one.name for one in found.of_type(HPA)}
    assert "api" in scaled
    for one in found.of_type(DEPLOYMENT):
        spec: Any = one.get("spec")
        assert ("replicas" in spec) == (one.name not in scaled)


def test_a_service_may_lose_its_autoscaler_or_get_one_without_losing_pods() -> None:
    fixed = recorded("prod", {"services.worker.scaling": {"min": 3, "max": 3}})
    worker, api = fixed.one(DEPLOYMENT, "worker"), fixed.one(DEPLOYMENT, "api")
    # Server-side apply: without force, the autoscaler's number is a conflict; left out, ours would become 1.
    assert worker.get("metadata", "annotations") == {"pulumi.com/patchForce": "true"}
    assert worker.ignore_changes == ()
    assert api.get("metadata", "annotations") is None
    assert api.ignore_changes == ("spec.replicas",)


def test_a_fixed_number_of_pods_has_replicas_and_no_autoscaler() -> None:
    found = recorded("prod", {"services.worker.scaling": {"min": 3, "max": 3}})
    assert found.one(DEPLOYMENT, "worker").get("spec", "replicas") == 3
    assert {one.name for one in found.of_type(HPA)} == {"api", "frontend"}


@EVERY
def test_a_budget_leaves_all_pods_but_one_and_a_single_pod_has_none(environment: str) -> None:
    found = shipped(environment)
    wanted = {name: one.scaling.min for name, one in settings_of(environment).services.items()}
    budgets = {one.name: one.get("spec", "minAvailable") for one in found.of_type(PDB)}
    assert budgets == {name: minimum - 1 for name, minimum in wanted.items() if minimum > 1}
    assert (budgets == {}) == (environment in ("local", "dev"))
    for one in found.of_type(PDB):
        selected = found.one(DEPLOYMENT, one.name).get("spec", "selector", "matchLabels")
        assert one.get("spec", "selector", "matchLabels") == selected
        assert one.get("spec", "unhealthyPodEvictionPolicy") == "AlwaysAllow"


@EVERY
def test_pods_spread_over_zones_and_nodes_and_in_prod_prefer_different_nodes(environment: str) -> None:
    for one in shipped(environment).of_type(DEPLOYMENT):
        selected = one.get("spec", "selector", "matchLabels")
        spread = one.get("spec", "template", "spec", "topologySpreadConstraints")
        assert spread == [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selected},
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
        affinity = one.get("spec", "template", "spec", "affinity")
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": selected}}
        preferred = [{"weight": 100, "podAffinityTerm": term}]
        assert affinity == (
            {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
            if environment == "prod"
            else None
        )


def told(found: Record, service: str) -> list[object]:
    """The names of what a service's pods read their environment from."""
    sources: Any = found.one(DEPLOYMENT, service).get("spec", "template", "spec", "containers", 0, "envFrom")
    return list(sources)


def test_a_changed_value_renames_the_config_map_and_so_rolls_exactly_the_pods_that_read_it() -> None:
    before, after = shipped("dev"), recorded("dev", {"services.api.env.LOG_LEVEL": "debug"})
    assert told(before, "api") != told(after, "api")
    assert told(before, "worker") == told(after, "worker")
    name = after.one(CONFIG_MAP, "api-env").get("metadata", "name")
    assert {"configMapRef": {"name": name}} in told(after, "api")
    assert after.one(CONFIG_MAP, "api-env").urn == before.one(CONFIG_MAP, "api-env").urn


def test_an_equal_value_renames_nothing_whatever_the_order() -> None:
    env = {"B": "2", "A": "1"}
    one = recorded("dev", {"services.worker.env": env, "services.worker.requires": []})
    other = recorded(
        "dev", {"services.worker.env": dict(reversed(env.items())), "services.worker.requires": []}
    )
    assert told(one, "worker") == told(other, "worker")


def test_a_changed_secret_renames_the_secret_and_rolls_the_pods_and_its_name_tells_nothing() -> None:
    changes: dict[str, object] = {"secrets.jwtSecret": {"config": "jwtSecret"}}
    found = [
        recorded("dev", {**changes, "secrets:jwtSecret": value}, secret_keys=("secrets:jwtSecret",))
        for value in ("correct-horse-battery", "correct-horse-battery", "another-horse-battery")
    ]
    names = [str(one.one(SECRET_TYPE, "api-env").get("metadata", "name")) for one in found]
    assert names[0] == names[1] != names[2]
    assert told(found[0], "api") != told(found[2], "api")
    assert told(found[0], "worker") == told(found[2], "worker")
    assert not any("horse" in name for name in names)


@EVERY
def test_configuration_is_immutable(environment: str) -> None:
    found = shipped(environment)
    objects = (*found.of_type(CONFIG_MAP), *found.of_type(SECRET_TYPE))
    assert len(objects) > 3
    for one in objects:
        assert one.get("immutable") is True, one.urn
        name = str(one.get("metadata", "name"))
        assert name.startswith(f"{one.name}-")
        assert len(name) == len(one.name) + 11


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_latest_is_refused_outside_local_and_dev(environment: str) -> None:
    assert any(
        f"the tag `latest` in {environment}" in one for one in refusals(environment, {"release": "latest"})
    )


@pytest.mark.parametrize(
    ("environment", "release"), [("dev", "latest"), ("staging", "v1.2.3"), ("prod", DIGEST)]
)
def test_what_runs_is_named_as_strictly_as_the_environment_asks(environment: str, release: str) -> None:
    image = (
        recorded(environment, {"release": release})
        .one(DEPLOYMENT, "api")
        .get("spec", "template", "spec", "containers", 0, "image")
    )
    repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/chat"
    assert image == f"{repository}{'@' if release == DIGEST else ':'}{release}"


def test_prod_takes_nothing_but_a_digest() -> None:
    assert any(
        "release: a tag in prod | A tag can be moved" in one
        for one in refusals("prod", {"release": "v1.2.3"})
    )
    assert refusals("prod", {"release": DIGEST}) == []
