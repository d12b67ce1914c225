from typing import Any

import pytest

from components.postgres.roles import roles_script
from components.postgres.section import DatabaseSection
from facts.versions import PGVECTOR_IMAGE, POSTGRES_IMAGE
from slipway.offline.model import Record
from tests.support.sections import accept, refusal
from tests.support.stacks import (
    CONFIG_MAP,
    JOB,
    SECRET_TYPE,
    SERVICE,
    STATEFUL_SET,
    dependency_names,
    live_local,
    recorded,
    shipped,
)


@pytest.fixture(scope="module")
def changed() -> Record:
    return recorded(
        "local",
        {
            "database": {
                "kind": "in-cluster",
                "name": "shop",
                "user": "owner",
                "extensions": ["vector", "citext"],
                "storage": "20Gi",
                "maxConnections": 200,
            }
        },
    )


def pod(found: Record) -> dict[str, Any]:
    spec = found.one(STATEFUL_SET, "postgres").get("spec", "template", "spec")
    assert isinstance(spec, dict)
    return spec


def arguments(found: Record) -> dict[str, str]:
    args = pod(found)["containers"][0]["args"]
    assert args[0] == "postgres"
    assert set(args[1::2]) == {"-c"}
    return dict(one.split("=", 1) for one in args[2::2])


def test_the_server_speaks_tls_hashes_passwords_and_logs_slow_queries(changed: Record) -> None:
    assert arguments(changed) == {
        "ssl": "on",
        "ssl_cert_file": "/etc/slipway/server/tls.crt",
        "ssl_key_file": "/etc/slipway/server/tls.key",
        "ssl_min_protocol_version": "TLSv1.2",
        "hba_file": "/etc/slipway/postgres/pg_hba.conf",
        "password_encryption": "scram-sha-256",
        "max_connections": "200",
        "shared_preload_libraries": "pg_stat_statements",
        "log_min_duration_statement": "500",
    }


def test_no_connection_over_the_network_is_accepted_without_tls_and_a_password() -> None:
    data: Any = shipped("local").one(CONFIG_MAP, "postgres-hba").get("data")
    lines = [line.split() for line in data["pg_hba.conf"].splitlines()]
    assert lines == [
        ["local", "all", "all", "scram-sha-256"],
        ["hostssl", "all", "all", "all", "scram-sha-256"],
    ]


def test_the_key_is_readable_by_the_server_alone(changed: Record) -> None:
    volumes = {one["name"]: one for one in pod(changed)["volumes"]}
    assert volumes["tls"]["secret"] == {
        "secretName": changed.one(SECRET_TYPE, "postgres-tls").get("metadata", "name"),
        "defaultMode": 0o640,
    }
    assert volumes["configuration"]["configMap"]["name"] == changed.one(CONFIG_MAP, "postgres-hba").get(
        "metadata", "name"
    )


def test_the_administrators_password_comes_from_a_secret(changed: Record) -> None:
    container = pod(changed)["containers"][0]
    name = changed.one(SECRET_TYPE, "postgres-administrator").get("metadata", "name")
    assert container["envFrom"] == [{"secretRef": {"name": name}}]
    assert container["env"] == [
        {"name": "POSTGRES_USER", "value": "postgres"},
        {"name": "PGDATA", "value": "/var/lib/postgresql/data/pgdata"},
    ]


def test_the_server_has_one_pod_a_volume_and_a_name_in_dns_before_it_starts(changed: Record) -> None:
    server = changed.one(STATEFUL_SET, "postgres")
    assert server.get("spec", "replicas") == 1
    claim: Any = server.get("spec", "volumeClaimTemplates", 0, "spec")
    assert claim == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Gi"}}}
    assert "Service/postgres" in dependency_names(server)
    service = changed.one(SERVICE, "postgres")
    assert service.get("metadata", "annotations") == {"pulumi.com/skipAwait": "true"}
    assert service.get("spec", "ports") == [{"name": "postgres", "port": 5432, "targetPort": "postgres"}]
    mounts = {one["name"]: one["mountPath"] for one in pod(changed)["containers"][0]["volumeMounts"]}
    assert mounts["data"] == "/var/lib/postgresql/data"
    assert {"/tmp", "/var/run/postgresql"} <= set(mounts.values())


def test_the_three_probes_ask_the_server_and_startup_is_patient(changed: Record) -> None:
    container = pod(changed)["containers"][0]
    question = ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=postgres"]
    patience = {}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[name]["exec"] == {"command": question}
        patience[name] = container[name]["periodSeconds"] * container[name]["failureThreshold"]
    assert patience == {"startupProbe": 180, "readinessProbe": 15, "livenessProbe": 60}


@pytest.mark.parametrize(
    ("extensions", "image"),
    [([], POSTGRES_IMAGE), (["citext"], POSTGRES_IMAGE), (["vector", "citext"], PGVECTOR_IMAGE)],
)
def test_the_image_brings_the_extensions(extensions: list[str], image: str) -> None:
    found = recorded("local", {"database.extensions": extensions})
    assert pod(found)["containers"][0]["image"] == image
    assert found.one(JOB, "postgres-roles").get("spec", "template", "spec", "containers", 0, "image") == image


def test_a_chosen_image_wins() -> None:
    found = recorded("local", {"database.image": "postgres:16.4", "database.extensions": ["vector"]})
    assert pod(found)["containers"][0]["image"] == "postgres:16.4"


SCRIPT = r"""\set ON_ERROR_STOP on
\getenv app_database APP_DATABASE
\getenv app_user APP_USER
\getenv app_password APP_PASSWORD
SELECT format('CREATE ROLE %I', :'app_user') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'app_user') \gexec
ALTER ROLE :"app_user" WITH LOGIN PASSWORD :'app_password';
-- An administrator that is no superuser (RDS) may give a database only to a role that it is a member of.
GRANT :"app_user" TO CURRENT_USER;
SELECT format('CREATE DATABASE %I OWNER %I', :'app_database', :'app_user')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'app_database') \gexec
REVOKE ALL ON DATABASE :"app_database" FROM PUBLIC;
\connect :"app_database"
"""


def test_the_roles_script_quotes_every_name_and_stops_at_an_error() -> None:
    assert roles_script(()) == SCRIPT


def test_extensions_are_made_in_the_database_in_one_order() -> None:
    made = roles_script(("vector", "uuid-ossp")).removeprefix(SCRIPT)
    assert made.splitlines() == [
        'CREATE EXTENSION IF NOT EXISTS "uuid-ossp";',
        'CREATE EXTENSION IF NOT EXISTS "vector";',
    ]
    assert roles_script(("vector", "uuid-ossp")) == roles_script(("uuid-ossp", "vector"))


def test_the_roles_job_connects_as_administrator_and_verifies_the_server() -> None:
    found = live_local()
    told = found.resources[(SECRET_TYPE, "postgres-roles-env")]["stringData"]
    administrator = found.resources[(SECRET_TYPE, "postgres-administrator")]["stringData"]
    assert told["PGPASSWORD"] == administrator["POSTGRES_PASSWORD"] != told["APP_PASSWORD"]
    public = {key: value for key, value in told.items() if not key.endswith("PASSWORD")}
    assert public == {
        "PGHOST": "postgres",
        "PGPORT": "5432",
        "PGDATABASE": "postgres",
        "PGUSER": "postgres",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/slipway/tls/postgres/ca.crt",
        "APP_DATABASE": "chat",
        "APP_USER": "chat",
    }


def test_the_roles_job_waits_for_the_server_and_runs_the_script(changed: Record) -> None:
    job = changed.one(JOB, "postgres-roles")
    needed = {"StatefulSet/postgres", "ConfigMap/postgres-roles-sql", "Secret/postgres-roles-env"}
    assert needed <= dependency_names(job)
    command: Any = job.get("spec", "template", "spec", "containers", 0, "command")
    assert command[:2] == ["sh", "-c"]
    assert command[2].startswith("until pg_isready --quiet; do sleep 1; done; exec psql --no-psqlrc")
    assert command[2].endswith("--file=/etc/slipway/sql/roles.sql")
    data: Any = changed.one(CONFIG_MAP, "postgres-roles-sql").get("data")
    assert data == {"roles.sql": roles_script(("vector", "citext"))}


def test_the_roles_job_is_a_new_one_exactly_when_it_would_do_something_else(changed: Record) -> None:
    def name(found: Record) -> object:
        return found.one(JOB, "postgres-roles").get("metadata", "name")

    before = name(shipped("local"))
    assert name(recorded("local", {"services.api.env.LOG_LEVEL": "debug"})) == before
    assert name(recorded("local", {"database.extensions": ["citext"]})) != before
    assert name(recorded("local", {"database.user": "other"})) != before
    assert changed.one(JOB, "postgres-roles").urn == shipped("local").one(JOB, "postgres-roles").urn


@pytest.mark.parametrize("name", ["app", "_app", "app_2", "a" * 63])
def test_a_database_has_a_name_that_needs_no_quotes(name: str) -> None:
    assert accept(DatabaseSection, {"kind": "in-cluster", "name": name}).name == name


@pytest.mark.parametrize("name", ["", "App", "2app", "a-b", 'a"b', "a" * 64])
def test_another_name_is_refused(name: str) -> None:
    for key in ("name", "user"):
        assert "should" in refusal(DatabaseSection, {"kind": "in-cluster", key: name})


def test_the_application_needs_no_database() -> None:
    assert accept(DatabaseSection, {"kind": "none"}).kind == "none"


@pytest.mark.parametrize("version", ["15", "17", 16])
def test_postgres_is_16_in_quotes(version: object) -> None:
    assert "Input should be '16'" in refusal(DatabaseSection, {"kind": "in-cluster", "version": version})


@pytest.mark.parametrize("extension", ["plpython3u", "dblink", 'x"; DROP ROLE app; --'])
def test_only_extensions_that_every_form_of_database_has_are_accepted(extension: str) -> None:
    assert "Input should be" in refusal(DatabaseSection, {"kind": "rds", "extensions": (extension,)})
