"""The program as a whole: in both modes, with a wrong configuration, in a hostile environment."""

import re
import runpy
import time
from pathlib import Path
from typing import Any

import pulumi_docker
import pulumi_kubernetes
import pulumi_random
import pulumi_tls
import pytest

from slipway.offline.model import SECRET, Record
from slipway.offline.record import record
from stacks.config.problems import SettingsError
from stacks.program import run
from tests.support.mocks import Run, run_live
from tests.support.stacks import (
    ALONE,
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    ENVIRONMENTS,
    JOB,
    NETWORK_POLICY,
    REMOVED,
    ROOT,
    SECRET_TYPE,
    STATEFUL_SET,
    config_of,
    kubernetes_objects,
    live_local,
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


def live(environment: str, changes: dict[str, Any] | None = None) -> Run:
    config = config_of(environment, changes)
    secret_keys = [key for key in config if key.startswith("secrets:")]
    return run_live(run, stack=environment, config=config, secret_keys=secret_keys)


@pytest.fixture(scope="module")
def up() -> Run:
    return live_local()


def test_up_creates_exactly_what_the_preview_shows(up: Run) -> None:
    shown = {(one.type, one.name) for one in shipped("local").registrations}
    assert up.resources.keys() == shown
    assert len(shown) == 68


def test_up_and_preview_ask_for_the_same_but_for_names_made_from_random_bytes(up: Run) -> None:
    hashed = re.compile(r"-[0-9a-f]{10}\b")

    def shape(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items()}
        if isinstance(value, list):
            return [shape(item) for item in value]
        return hashed.sub("-#", value) if isinstance(value, str) else value

    for one in kubernetes_objects(shipped("local")):
        live_inputs = dict(up.resources[(one.type, one.name)])
        previewed = dict(one.inputs)
        if one.type == SECRET_TYPE:
            assert set(live_inputs.pop("stringData")) == set(previewed.pop("stringData"))  # pyright: ignore
        if one.type == CONFIG_MAP and one.name.endswith("-ca"):
            live_inputs.pop("data")
            previewed.pop("data")
        if one.type == JOB:
            live_inputs["metadata"] = previewed["metadata"]
        assert shape(live_inputs) == shape(previewed), one.urn


@pytest.mark.parametrize("preview", [True, False])
def test_the_recorder_runs_the_local_stack_in_both_modes(preview: bool) -> None:
    found = recorded("local", preview=preview)
    assert [one.urn for one in found.registrations] == [one.urn for one in shipped("local").registrations]


def test_a_run_ends_by_itself_and_leaves_nothing_for_the_next() -> None:
    started = time.monotonic()
    for _ in range(2):
        assert ("kubernetes:apps/v1:Deployment", "web") in live("local", ALONE).resources
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_what_would_stand_on_aws_is_refused_by_up_and_warned_of_by_preview(environment: str) -> None:
    with pytest.raises(SettingsError) as error:
        live(environment)
    keys = {one.key for one in error.value.problems}
    assert {"slipway:cluster", "slipway:database", "slipway:redis.cache"} <= keys
    assert "A managed AWS part, which this version describes but does not create yet" in error.value.text()
    messages = [line.message for line in shipped(environment).log if line.severity == "warning"]
    assert messages[0].startswith("cluster, database, redis.cache")
    assert messages[0].endswith(
        "managed by AWS; read and checked, but not created yet. `up` refuses this stack."
    )


def test_a_refused_up_makes_nothing() -> None:
    seen = Run()
    with pytest.raises(SettingsError):
        run_live(run, stack="dev", config=config_of("dev"), mocks=seen)
    assert seen.resources == {}


def test_the_local_stack_warns_of_nothing() -> None:
    assert shipped("local").log == ()


MISSING: dict[str, Any] = {"secrets.jwtSecret": {"config": "jwtSecret"}}
COMMAND = "slipway secrets set jwtSecret --stack local"


def test_a_secret_without_a_value_is_a_warning_with_the_command_in_preview() -> None:
    found = recorded("local", MISSING)
    assert [line.message for line in found.log] == [f"secrets:jwtSecret has no value yet: `{COMMAND}`."]
    assert found.one(SECRET_TYPE, "api-env").get("stringData", "JWT_SECRET") == SECRET


def test_a_secret_without_a_value_is_a_refusal_with_the_command_in_up() -> None:
    with pytest.raises(SettingsError, match="This secret has no value") as error:
        live("local", MISSING)
    assert COMMAND in error.value.text()


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
    assert up.resources[(CONFIG_MAP, "api-env")]["data"] == {"LOG_LEVEL": "info"}
    assert set(up.resources[(SECRET_TYPE, "api-env")]["stringData"]) == {
        "DATABASE_URL",
        "JWT_SECRET",
        "REDIS_URL",
    }


def test_services_are_told_where_the_stores_are(up: Run) -> None:
    told = up.resources[(SECRET_TYPE, "worker-env")]["stringData"]
    assert re.fullmatch(
        r"postgresql://notes:unknown-postgres-app-result-[0-9a-f]{6}@postgres:5432/notes"
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
    assert re.fullmatch(r"notes-app:[0-9a-f]{10}", str(named["api"]))
    assert re.fullmatch(r"notes-web:[0-9a-f]{10}", str(named["web"]))
    assert found.outputs["images"] == {name: named[name] for name in ("api", "worker", "web")}
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


# --- __main__.py --------------------------------------------------------------------------------------------


def main() -> None:
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


def test_the_entry_runs_the_program() -> None:
    found = record(main, project="slipway", stack="local", config=config_of("local"))
    assert [one.urn for one in found.registrations] == [one.urn for one in shipped("local").registrations]
    assert found.outputs == shipped("local").outputs


def test_a_wrong_configuration_ends_with_2_and_a_text_instead_of_a_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # no stack file to take positions from
    config = config_of("local", {"services.api.scaling.max": 40, "services.api.processs": 1})
    with pytest.raises(SystemExit) as ended:
        record(main, project="slipway", stack="local", config=config)
    assert ended.value.code == 2
    text = capsys.readouterr().err
    assert "slipway:services.api.processs" in text
    assert "Did you mean `processes`" in text
    assert "40 pods x 1 processes x 5 connections = 200" in text
    assert "2 errors, nothing was changed." in text
    assert "Traceback" not in text


# --- a hostile environment ----------------------------------------------------------------------------------


def read_by_the_sdks() -> set[str]:
    """Every variable that a provider's SDK would read in place of what the program says."""
    found: set[str] = set()
    for sdk in (pulumi_kubernetes, pulumi_docker, pulumi_random, pulumi_tls):
        for file in Path(str(sdk.__file__)).parent.glob("*.py"):
            found |= set(re.findall(r"get_env\w*\(['\"](\w+)", file.read_text(encoding="utf-8")))
    return found


def test_the_sdks_would_read_the_shell() -> None:
    assert {"KUBECONFIG", "DOCKER_HOST", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY"} <= read_by_the_sdks()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nothing_in_the_shell_changes_a_record(environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = shipped(environment)
    hostile = {
        "AWS_REGION": "mars-1",
        "AWS_PROFILE": "nobody",
        "PULUMI_CONFIG": '{"slipway:environment": "prod"}',
        "PULUMI_CONFIG_SECRET_KEYS": '["slipway:services"]',
        "PULUMI_STACK": "other",
        "PULUMI_PROJECT": "other",
        "PULUMI_K8S_CLUSTER_IDENTIFIER": "other",
        "PULUMI_K8S_CLIENT_QPS": "1",
    }
    for name in read_by_the_sdks():
        hostile[name] = "true" if name.startswith("PULUMI_") else "/nowhere"
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    found = record(run, project="slipway", stack=environment, config=config_of(environment))
    assert found == expected


def test_the_cluster_is_the_one_that_the_stack_file_names() -> None:
    provider = shipped("local").one("pulumi:providers:kubernetes", "kubernetes")
    assert provider.get("kubeconfig") == "~/.kube/config"
    assert provider.get("context") == "kind-slipway"
    assert provider.get("clusterIdentifier") == "notes-local"
    stated = {key: value for key, value in provider.inputs.items() if value in ("true", "false")}
    assert stated == {
        "enableServerSideApply": "true",
        "enableConfigMapMutable": "false",
        "enableSecretMutable": "false",
        "enablePatchForce": "false",
        "upsertExistingObjects": "false",
        "deleteUnreachable": "false",
        "skipUpdateUnreachable": "false",
        "suppressDeprecationWarnings": "false",
        "suppressHelmHookWarnings": "false",
    }


def test_a_program_below_stacks_reads_neither_configuration_nor_clock_nor_shell() -> None:
    reading = re.compile(r"pulumi\.Config\b|os\.environ|getenv\(|time\.time|datetime|get_stack\(")
    for file in (ROOT / "components").rglob("*.py"):
        text = re.sub(r'"""(?:.|\n)*?"""|r?"""(?:.|\n)*?"""', "", file.read_text(encoding="utf-8"))
        assert not reading.search(text), file


# --- outputs ------------------------------------------------------------------------------------------------


def test_outputs_say_where_things_are_and_how_to_look_at_them() -> None:
    kubectl = "kubectl --kubeconfig ~/.kube/config --context kind-slipway --namespace notes-local"
    found = dict(shipped("local").outputs)
    shown: Any = found.pop("images")
    assert set(shown) == {"api", "worker"}
    assert found == {
        "environment": "local",
        "namespace": "notes-local",
        "urls": {},
        "commands": {
            "status": f"{kubectl} get pods,hpa,jobs",
            "logs-api": f"{kubectl} logs deployment/api --follow",
            "open-api": f"{kubectl} port-forward service/api 8000:8000",
            "logs-worker": f"{kubectl} logs deployment/worker --follow",
        },
    }


def test_outputs_name_the_addresses_of_routes_and_the_namespace_that_was_chosen() -> None:
    found = recorded("prod", {"app.namespace": "shop"}).outputs
    assert found["urls"] == {"api": ["https://api.notes.example.com/"]}
    assert found["namespace"] == "shop"
    commands: Any = found["commands"]
    assert commands["status"] == "kubectl --namespace shop get pods,hpa,jobs"
