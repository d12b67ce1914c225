"""Rules over several sections: each refusal with its place, its consequence and its remedy, beside what is accepted."""

from typing import Any

import pytest

from stacks.rules import missing_secrets, warnings
from tests.support.stacks import ENVIRONMENTS, PROBES, REMOVED, RESOURCES, refusals, settings_of

DIGEST = f"sha256:{'cd' * 32}"
RELEASE = {"kind": "release", "repository": "ghcr.io/acme/other"}
EXTERNAL = {"kind": "external", "host": "db.example.com", "password": "jwtSecret"}
FRONTEND: dict[str, Any] = {"role": "frontend", "port": 8501, "probes": PROBES, "resources": RESOURCES}

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a secret that is not declared": (
        "local",
        {"services.api.env.JWT_SECRET": {"secret": "jwt"}},
        "slipway:services.api.env.JWT_SECRET.secret: there is no secret `jwt` | The service would start without it."
        " | Declare it: `slipway:secrets: { jwt: { generate: 48 } }`, or name one of `jwtSecret`.",
    ),
    "a secret where none is declared": (
        "local",
        {"secrets": REMOVED},
        "or name one of those that you add: there is none yet.",
    ),
    "a database that the stack does not have": (
        "local",
        {"database": REMOVED},
        "slipway:services.api.env.DATABASE_URL.database: the stack has no database | The service would start"
        " without it. | Give `slipway:database`, or remove the variable.",
    ),
    "a Redis where there is none": (
        "local",
        {"redis": REMOVED},
        "slipway:services.api.env.REDIS_URL.redis: the stack has no Redis | The service would start without it."
        " | Give `slipway:redis`.",
    ),
    "an instance where there is no Redis": (
        "local",
        {"redis": REMOVED, "services.api.env.REDIS_URL": {"redis": "url", "instance": "queue"}},
        "slipway:services.api.env.REDIS_URL.instance: the stack has no Redis",
    ),
    "an instance of Redis that does not exist": (
        "local",
        {"services.api.env.REDIS_URL": {"redis": "url", "instance": "queue"}},
        "slipway:services.api.env.REDIS_URL.instance: there is no Redis `queue` | The service would start"
        " without it. | Name one of `cache`.",
    ),
    "no instance where there are two": (
        "prod",
        {"services.api.env.REDIS_URL": {"redis": "url"}},
        "slipway:services.api.env.REDIS_URL.redis: the stack has more than one Redis, and this names none"
        " | A queue in a cache loses its jobs when the memory is full. | Add `instance`, one of `cache`, `queue`.",
    ),
    "a service that does not exist": (
        "local",
        {"services.api.env.OTHER_URL": {"service": "other"}},
        "slipway:services.api.env.OTHER_URL.service: there is no service `other` with a port | Nothing would answer"
        " at that address. | Name one of `api`, `frontend`.",
    ),
    "a service without a port": (
        "local",
        {"services.api.env.OTHER_URL": {"service": "worker"}},
        "there is no service `worker` with a port",
    ),
    "a migration of no service": (
        "local",
        {"migrations.service": "web"},
        "slipway:migrations.service: there is no service `web` | Its image and environment would be unknown."
        " | Name one of `api`, `frontend`, `worker`.",
    ),
    "a CronJob of no service": (
        "local",
        {"cronJobs.purge.service": "web"},
        "slipway:cronJobs.purge.service: there is no service `web`",
    ),
    "the password of an external database": (
        "local",
        {"database": {**EXTERNAL, "password": "dbPassword"}},
        "slipway:database.password: there is no secret `dbPassword`",
    ),
    "the authority of an external database": (
        "local",
        {"database": {**EXTERNAL, "ca": "dbCa"}},
        "slipway:database.ca: there is no secret `dbCa`",
    ),
    "the password of an external Redis": (
        "local",
        {"redis.cache": {**EXTERNAL, "password": "redisPassword"}},
        "slipway:redis.cache.password: there is no secret `redisPassword`",
    ),
    "a service that is named as a part of ours": (
        "local",
        {"services.postgres": FRONTEND},
        "slipway:services.postgres: the name `postgres` belongs to another part of the stack | Both would claim the"
        " same objects. | Choose another name.",
    ),
    "a service that is named as a Redis": (
        "local",
        {"services.redis-cache": FRONTEND},
        "the name `redis-cache` belongs to another part",
    ),
    "a CronJob that is named as a service": (
        "local",
        {"cronJobs.worker": {"service": "api", "schedule": "0 3 * * *", "command": ["true"]}},
        "slipway:cronJobs.worker: the name `worker` belongs to another part",
    ),
    "a CronJob that is named as the migration": (
        "local",
        {"cronJobs.migrate": {"service": "api", "schedule": "0 3 * * *", "command": ["true"]}},
        "slipway:cronJobs.migrate: the name `migrate` belongs to another part",
    ),
    "a service of its own image that is named as the shared one": (
        "local",
        {"services.app": {**FRONTEND, "image": {"kind": "build"}}},
        "slipway:services.app: the name `app` belongs to another part",
    ),
    "a required variable that is not given": (
        "local",
        {"services.api.env.JWT_SECRET": REMOVED},
        "slipway:services.api.requires[2]: `JWT_SECRET` is required but not given | The service would refuse to"
        " start, and the rollout would end without a ready pod."
        " | Give `JWT_SECRET` under `env`, or take it off `requires`.",
    ),
    "a required address that is empty": (
        "local",
        {"services.api.env.DATABASE_URL": ""},
        "`DATABASE_URL` is required but not given",
    ),
    "a database without a pool": (
        "local",
        {"services.worker.pool": REMOVED},
        "slipway:services.worker: a service with a database but without `pool` | Its connections could not be"
        " counted against what the server takes. | Give `pool: { size: 5, overflow: 5 }` as the application sets it.",
    ),
    "more connections than the server takes": (
        "local",
        {"services.api.scaling": {"min": 1, "max": 18}},
        "slipway:services.api.scaling.max: 18 pods x 1 processes x 5 connections = 90, but the in-cluster database"
        " takes 100, 10 of them reserved. With 5 of the other services that is 95. | From pod 18 on, connections"
        " would be refused under load. | Lower `scaling.max`, `processes` or `pool`, or take a larger database.",
    ),
    "more connections than the instance takes": (
        "dev",
        {
            "services.api.scaling": {"min": 1, "max": 40},
            "services.api.processes": 4,
            "services.api.pool": {"size": 5, "overflow": 5},
        },
        "40 pods x 4 processes x 10 connections = 1,600, but db.t4g.micro takes 81, 10 of them reserved. With 5 of"
        " the other services that is 1,605. | From pod 2 on",
    ),
    "more connections of one service alone": (
        "local",
        {
            "services.api.scaling": {"min": 1, "max": 19},
            "services.worker.env": {},
            "services.worker.requires": [],
        },
        "5 connections = 95, but the in-cluster database takes 100, 10 of them reserved. | From pod 19 on",
    ),
    "an image built for prod": (
        "prod",
        {"image": {"kind": "build"}},
        "slipway:image.kind: an image built from a working copy in prod | Nobody could tell what runs, and it would"
        " not be what was tested. | Write `kind: release`, and let CI set `slipway:release`",
    ),
    "no release": (
        "dev",
        {"release": REMOVED},
        "slipway:image: no release is named | There would be nothing to run."
        " | Set `slipway:release` to the digest that CI printed.",
    ),
    "no release of another image": (
        "dev",
        {"services.worker.image": RELEASE},
        "slipway:services.worker.image.release: no release is named | There would be nothing to run."
        " | Set `release` to the digest that CI printed.",
    ),
    "latest in staging": (
        "staging",
        {"release": "latest"},
        "slipway:release: the tag `latest` in staging | It may be another image tomorrow",
    ),
    "latest of another image in prod": (
        "prod",
        {"services.worker.image": {**RELEASE, "release": "latest"}},
        "slipway:services.worker.image.release: the tag `latest` in prod",
    ),
    "a tag in prod": (
        "prod",
        {"image.release": "v1"},
        "slipway:image.release: a tag in prod | A tag can be moved: what runs would not be what staging has tested."
        " | Name the digest that CI printed (`sha256:…`).",
    ),
    "every origin": (
        "staging",
        {"services.api.env.CORS_ORIGINS": "*"},
        "slipway:services.api.env.CORS_ORIGINS: every origin is allowed in staging | Any web page could call the API"
        " in the name of a user who is logged in. | List the origins of the frontends",
    ),
    "every origin among others": (
        "prod",
        {"services.api.env.ALLOWED_ORIGINS": "https://a.example.com,*"},
        "every origin is allowed in prod",
    ),
    "a secret in plain text": (
        "local",
        {"services.api.env.STRIPE_API_KEY": "sk_live_x"},
        "slipway:services.api.env.STRIPE_API_KEY: what looks like a secret, in plain text | It would stand in the"
        " repository, in the state and in a ConfigMap, readable by everybody."
        " | Declare it under `slipway:secrets` and write `STRIPE_API_KEY: { secret: … }`",
    ),
    "a password in an address": (
        "local",
        {"services.api.env.BROKER": "amqp://user:hunter2@mq.example.com/"},
        "slipway:services.api.env.BROKER: what looks like a secret, in plain text",
    ),
    "a database inside the cluster in prod": (
        "prod",
        {"database": {"kind": "in-cluster", "maxConnections": 1000}},
        "slipway:database.kind: a store inside the cluster in prod | It is one pod with one volume: a lost node takes"
        " it down, a lost volume takes the data. | Name a managed kind (`rds`, `elasticache`), or `external`.",
    ),
    "a queue inside the cluster in staging": (
        "staging",
        {"redis.queue": {"kind": "in-cluster"}},
        "slipway:redis.queue.kind: a store inside the cluster in staging",
    ),
    "managed parts without an account": (
        "dev",
        {"aws": REMOVED},
        "slipway:cluster.kind: a managed part without `slipway:aws` | Region and account would come from somebody's"
        " shell. | Give `slipway:aws: { region: …, accountId: … }`.",
    ),
}

ACCEPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "the instance may be left out where there is one": (
        "dev",
        {"services.api.env.REDIS_URL": {"redis": "url"}},
    ),
    "a service with a port may be called": ("local", {"services.worker.env.API_URL": {"service": "api"}}),
    "a service may be named as the application's image where it shares it": (
        "local",
        {"services.app": FRONTEND},
    ),
    "a service may have its own build": ("local", {"services.web": {**FRONTEND, "image": {"kind": "build"}}}),
    "a CronJob may have any other name": (
        "local",
        {"cronJobs.cleanup": {"service": "api", "schedule": "0 3 * * *", "command": ["true"]}},
    ),
    "the last connections but the reserved ones may be used": (
        "local",
        {"services.api.scaling": {"min": 1, "max": 17}},
    ),
    "a pool is not asked for without a database": (
        "local",
        {"services.worker.pool": REMOVED, "services.worker.env": {}, "services.worker.requires": []},
    ),
    "an instance class that is not in the table is not judged": (
        "dev",
        {"database.instanceClass": "db.x2g.large", "services.api.scaling": {"min": 1, "max": 40}},
    ),
    "latest in dev": ("dev", {"release": "latest"}),
    "a tag in staging": ("staging", {"release": "v1"}),
    "an image built in dev": ("dev", {"image": {"kind": "build"}, "release": REMOVED}),
    "another image with its own release": ("prod", {"services.worker.image": {**RELEASE, "release": DIGEST}}),
    "every origin in dev": ("dev", {"services.api.env.CORS_ORIGINS": "*"}),
    "named origins in prod": ("prod", {"services.api.env.CORS_ORIGINS": "https://app.example.com"}),
    "a star that is no origin": ("prod", {"services.api.env.GLOB": "*"}),
    "an empty secret": ("local", {"services.api.env.STRIPE_API_KEY": ""}),
    "a number that is named like a secret": ("local", {"services.api.env.MAX_TOKEN": "500"}),
    "an address without a password": ("local", {"services.api.env.OTEL": "http://user@collector:4317/a:b@c"}),
    "in-cluster stores in dev": (
        "dev",
        {"database": {"kind": "in-cluster"}, "redis.cache": {"kind": "in-cluster"}},
    ),
    "an external database in prod": ("prod", {"database": {**EXTERNAL, "maxConnections": 1000}}),
    "no account where nothing is managed": ("local", {"aws": REMOVED}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_break_is_refused(case: str) -> None:
    environment, changes, sentence = REFUSED[case]
    refused = refusals(environment, changes)
    assert any(sentence in one for one in refused), "\n".join(refused) or "accepted"


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_would_work_is_accepted(case: str) -> None:
    assert refusals(*ACCEPTED[case]) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_shipped_stacks_are_accepted(environment: str) -> None:
    assert refusals(environment, {}) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("variable", ["JWT_SECRET", "DATABASE_URL", "REDIS_URL"])
def test_no_environment_starts_without_what_the_api_requires(environment: str, variable: str) -> None:
    refused = refusals(environment, {f"services.api.env.{variable}": REMOVED})
    assert [one for one in refused if f"`{variable}` is required but not given" in one]


@pytest.mark.parametrize(
    "variable",
    [
        "DB_PASSWORD",
        "JWT_SECRET",
        "GITHUB_TOKEN",
        "API_KEY",
        "SECRET_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "private_key",
    ],
)
def test_what_is_named_like_a_secret_is_no_plain_text(variable: str) -> None:
    refused = refusals("dev", {f"services.worker.env.{variable}": "hunter2"})
    assert len(refused) == 1
    assert f"env.{variable}: what looks like a secret" in refused[0]
    assert "hunter2" not in refused[0]


def test_every_mistake_is_reported_at_once() -> None:
    refused = refusals("prod", {"release": "latest", "aws": REMOVED, "services.api.env.JWT_SECRET": REMOVED})
    assert len(refused) == 6


def warned(environment: str, changes: dict[str, Any]) -> list[str]:
    return list(warnings(settings_of(environment, changes)))


def test_the_local_stack_has_nothing_to_warn_of() -> None:
    assert warned("local", {}) == []


@pytest.mark.parametrize(
    ("environment", "changes", "sentence"),
    [
        ("local", {"secrets.other": {"generate": 20}}, "secrets.other is declared, but no service uses it."),
        (
            "local",
            {"services.api.probes.readiness": {"path": "/health/live"}},
            "services.api: liveness and readiness ask the same path. If it looks at the database, a database that is"
            " down restarts every pod.",
        ),
        (
            "prod",
            {"services.worker.scaling": {"min": 1, "max": 2}},
            "services.worker: one pod at the least in prod. A drained node or a crash is an outage.",
        ),
        (
            "dev",
            {},
            "services.api: routes are read and checked, but no ingress is created from them yet.",
        ),
        ("prod", {}, "backup is read and checked, but nothing is created from it yet."),
        ("prod", {}, "budget is read and checked, but nothing is created from it yet."),
    ],
)
def test_what_is_probably_not_meant_is_said(environment: str, changes: dict[str, Any], sentence: str) -> None:
    assert sentence in warned(environment, changes)


def test_what_is_meant_is_not_warned_of() -> None:
    used = {"secrets.dbPassword": {"generate": 20}, "database": {**EXTERNAL, "password": "dbPassword"}}
    assert warned("local", used) == []
    assert warned("dev", {"services.worker.scaling": {"min": 1, "max": 2}}) == warned("dev", {})


def test_configured_secrets_without_a_value_are_named_and_generated_ones_are_not() -> None:
    settings = settings_of(
        "local", {"secrets.apiKey": {"config": "key"}, "secrets.other": {"config": "given"}}
    )
    assert missing_secrets(settings, lambda key: key == "given") == ["key"]
