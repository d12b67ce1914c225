"""Rules that look at more than one section of the stack file, each a function from settings to what it refuses.

A section's own rules stand beside the section. These can only be judged when every section is sound by itself; each
says what the mistake would have caused and what to write instead.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from components.cluster.section import EksCluster
from components.image.section import ImageSection, ReleaseImage, is_digest
from components.postgres.section import ExternalDatabase, InClusterDatabase, NoDatabase, RdsDatabase
from components.redis.section import ElastiCacheRedis, ExternalRedis, InClusterRedis
from components.secrets.section import ConfiguredSecret
from components.workload.env import (
    DatabaseReference,
    RedisReference,
    Reference,
    SecretReference,
    ServiceReference,
)
from components.workload.section import Service
from facts.postgres import max_connections
from stacks.names import reserved_parts
from stacks.settings import Settings

KeyPath = tuple[str | int, ...]

RESERVED_CONNECTIONS = 10
"""Connections that services leave free: 3 for superusers (PostgreSQL's default), the migration, the exporter, a
person."""

_SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIALS|(API|PRIVATE|SECRET|ACCESS|ENCRYPTION|SIGNING)_?KEY)$",
    re.IGNORECASE,
)
_PASSWORD_IN_URL = re.compile(r"://[^/?#\s@]*:[^/?#\s@]+@")
_ORIGINS_NAME = re.compile(r"(CORS|ORIGINS)", re.IGNORECASE)


@dataclass(frozen=True)
class Violation:
    """What a rule refuses.

    Attributes:
        path: the keys to it, as in the stack file, beginning with the section.
        what: what is wrong.
        why: what it would have caused.
        remedy: what to write instead.
    """

    path: KeyPath
    what: str
    why: str
    remedy: str


def violations(settings: Settings) -> list[Violation]:
    """Return everything that the rules refuse."""
    return [violation for rule in RULES for violation in rule(settings)]


def references_name_what_exists(settings: Settings) -> Iterator[Violation]:
    """A reference to a secret, database, Redis or service that the stack does not have would break at `up`."""
    for name, service in settings.services.items():
        for variable, value in service.env.items():
            if not isinstance(value, str):
                yield from _unresolved(settings, ("services", name, "env", variable), value)
    for path, secret in _store_secrets(settings):
        if secret not in settings.secrets:
            yield _missing_secret(settings, path, secret)
    owners = [("migrations", settings.migrations.service)] if settings.migrations is not None else []
    paths: list[tuple[KeyPath, str]] = [((section, "service"), service) for section, service in owners]
    paths += [(("cronJobs", name, "service"), job.service) for name, job in settings.cron_jobs.items()]
    for path, wanted in paths:
        if wanted not in settings.services:
            yield Violation(
                path,
                f"there is no service `{wanted}`",
                "Its image and environment would be unknown.",
                f"Name one of {_listed(settings.services)}.",
            )


def _unresolved(settings: Settings, path: KeyPath, reference: Reference) -> Iterator[Violation]:
    match reference:
        case SecretReference(secret=name):
            if name not in settings.secrets:
                yield _missing_secret(settings, (*path, "secret"), name)
        case DatabaseReference():
            if isinstance(settings.database, NoDatabase):
                yield Violation(
                    (*path, "database"),
                    "the stack has no database",
                    "The service would start without it.",
                    "Give `slipway:database`, or remove the variable.",
                )
        case RedisReference(instance=instance):
            if not settings.redis or (instance is not None and instance not in settings.redis):
                what = (
                    f"there is no Redis `{instance}`"
                    if instance and settings.redis
                    else "the stack has no Redis"
                )
                remedy = (
                    f"Name one of {_listed(settings.redis)}." if settings.redis else "Give `slipway:redis`."
                )
                yield Violation(
                    (*path, "instance" if instance else "redis"),
                    what,
                    "The service would start without it.",
                    remedy,
                )
            elif instance is None and len(settings.redis) > 1:
                yield Violation(
                    (*path, "redis"),
                    "the stack has more than one Redis, and this names none",
                    "A queue in a cache loses its jobs when the memory is full.",
                    f"Add `instance`, one of {_listed(settings.redis)}.",
                )
        case ServiceReference(service=name):
            called = settings.services.get(name)
            if called is None or called.port is None:
                yield Violation(
                    (*path, "service"),
                    f"there is no service `{name}` with a port",
                    "Nothing would answer at that address.",
                    f"Name one of {_listed(key for key, one in settings.services.items() if one.port is not None)}.",
                )


def _store_secrets(settings: Settings) -> Iterator[tuple[KeyPath, str]]:
    stores: list[tuple[KeyPath, object]] = [(("database",), settings.database)]
    stores += [(("redis", name), instance) for name, instance in settings.redis.items()]
    for path, store in stores:
        if isinstance(store, ExternalDatabase | ExternalRedis):
            yield (*path, "password"), store.password
            if store.ca is not None:
                yield (*path, "ca"), store.ca


def _missing_secret(settings: Settings, path: KeyPath, name: str) -> Violation:
    return Violation(
        path,
        f"there is no secret `{name}`",
        "The service would start without it.",
        f"Declare it: `slipway:secrets: {{ {name}: {{ generate: 48 }} }}`, or name one of {_listed(settings.secrets)}.",
    )


def names_do_not_meet(settings: Settings) -> Iterator[Violation]:
    """Two parts of one name would claim the same objects and the same flows."""
    reserved = set(reserved_parts(settings))
    for section, names in (("services", settings.services), ("cronJobs", settings.cron_jobs)):
        for name in names:
            if name in reserved or (section == "cronJobs" and name in settings.services):
                yield Violation(
                    (section, name),
                    f"the name `{name}` belongs to another part of the stack",
                    "Both would claim the same objects.",
                    "Choose another name.",
                )


def required_variables_are_given(settings: Settings) -> Iterator[Violation]:
    """A service that refuses to start without a variable would never become ready."""
    for name, service in settings.services.items():
        for index, variable in enumerate(service.requires):
            if not (service.env.get(variable) or service.typed_variables.get(variable)):
                yield Violation(
                    ("services", name, "requires", index),
                    f"`{variable}` is required but not given",
                    "The service would refuse to start, and the rollout would end without a ready pod.",
                    f"Give `{variable}` under `env`, or take it off `requires`.",
                )


def connections_fit_the_database(settings: Settings) -> Iterator[Violation]:
    """All pods of all services together must leave the server some connections free."""
    database = settings.database
    available: int | None
    match database:
        case NoDatabase():
            return
        case RdsDatabase(instance_class=instance_class):
            available, server = max_connections(instance_class), instance_class
        case InClusterDatabase(max_connections=maximum) | ExternalDatabase(max_connections=maximum):
            available, server = maximum, f"the {database.kind} database"
    users = {name: service for name, service in settings.services.items() if _uses_database(service)}
    for name, service in users.items():
        if service.pool is None:
            yield Violation(
                ("services", name),
                "a service with a database but without `pool`",
                "Its connections could not be counted against what the server takes.",
                "Give `pool: { size: 5, overflow: 5 }` as the application sets it.",
            )
    if available is None:
        return
    budget = available - RESERVED_CONNECTIONS
    wanted = {name: service.scaling.max * service.connections_per_pod for name, service in users.items()}
    total = sum(wanted.values())
    if total > budget:
        name = max(wanted, key=lambda key: wanted[key])
        service = users[name]
        others = total - wanted[name]
        pods = max(0, (budget - others) // service.connections_per_pod) + 1
        beside = f" With {others:,} of the other services that is {total:,}." if others else ""
        yield Violation(
            ("services", name, "scaling", "max"),
            f"{service.scaling.max} pods x {service.processes} processes"
            f" x {service.connections_per_pod // service.processes} connections = {wanted[name]:,},"
            f" but {server} takes {available:,},"
            f" {RESERVED_CONNECTIONS} of them reserved.{beside}",
            f"From pod {pods} on, connections would be refused under load.",
            "Lower `scaling.max`, `processes` or `pool`, or take a larger database.",
        )


def _uses_database(service: Service) -> bool:
    return any(isinstance(value, DatabaseReference) for value in service.env.values())


def releases_are_named(settings: Settings) -> Iterator[Violation]:
    """What runs is named by what it is: a release where one is needed, its digest in prod, never `latest` there."""
    images: list[tuple[KeyPath, ImageSection]] = [(("image",), settings.image)]
    images += [
        (("services", name, "image"), service.image)
        for name, service in settings.services.items()
        if service.image is not None
    ]
    for path, image in images:
        if not isinstance(image, ReleaseImage):
            if settings.environment in ("staging", "prod"):
                yield Violation(
                    (*path, "kind"),
                    f"an image built from a working copy in {settings.environment}",
                    "Nobody could tell what runs, and it would not be what was tested.",
                    "Write `kind: release`, and let CI set `slipway:release` to the digest that it built.",
                )
            continue
        release = image.release or (settings.release if path == ("image",) else None)
        at: KeyPath = ("release",) if image.release is None and path == ("image",) else (*path, "release")
        if release is None:
            # A path that is not in the file is shown at its section.
            yield Violation(
                at if len(at) > 1 else path,
                "no release is named",
                "There would be nothing to run.",
                f"Set `{'slipway:release' if path == ('image',) else 'release'}` to the digest that CI printed.",
            )
        elif release == "latest" and settings.environment not in ("local", "dev"):
            yield Violation(
                at,
                f"the tag `latest` in {settings.environment}",
                "It may be another image tomorrow: nobody could tell what runs, and no rollback would bring it back.",
                "Name the digest that CI printed (`sha256:…`).",
            )
        elif not is_digest(release) and settings.environment == "prod":
            yield Violation(
                at,
                "a tag in prod",
                "A tag can be moved: what runs would not be what staging has tested.",
                "Name the digest that CI printed (`sha256:…`).",
            )


def origins_are_listed(settings: Settings) -> Iterator[Violation]:
    """`*` as an allowed origin lets every web page act with a user's credentials."""
    if settings.environment in ("local", "dev"):
        return
    for name, service in settings.services.items():
        for variable, value in service.env.items():
            if isinstance(value, str) and "*" in value and _ORIGINS_NAME.search(variable):
                yield Violation(
                    ("services", name, "env", variable),
                    f"every origin is allowed in {settings.environment}",
                    "Any web page could call the API in the name of a user who is logged in.",
                    "List the origins of the frontends, such as https://app.example.com.",
                )


def secrets_are_not_plain(settings: Settings) -> Iterator[Violation]:
    """A password in an environment variable's text would stand in the repository, the state and a ConfigMap."""
    for name, service in settings.services.items():
        for variable, value in service.env.items():
            if isinstance(value, str) and _looks_secret(variable, value):
                yield Violation(
                    ("services", name, "env", variable),
                    "what looks like a secret, in plain text",
                    "It would stand in the repository, in the state and in a ConfigMap, readable by everybody.",
                    f"Declare it under `slipway:secrets` and write `{variable}: {{ secret: … }}`"
                    " (or `{ database: url }`, `{ redis: url }`).",
                )


def _looks_secret(variable: str, value: str) -> bool:
    named = bool(value) and not value.isdigit() and _SECRET_NAME.search(variable) is not None
    return named or _PASSWORD_IN_URL.search(value) is not None


def stores_match_the_environment(settings: Settings) -> Iterator[Violation]:
    """Data that matters does not stand on one pod's volume, and managed parts need an account."""
    stores: list[tuple[KeyPath, object]] = [(("database", "kind"), settings.database)]
    stores += [(("redis", name, "kind"), instance) for name, instance in settings.redis.items()]
    if settings.environment in ("staging", "prod"):
        for path, store in stores:
            if isinstance(store, InClusterDatabase | InClusterRedis):
                yield Violation(
                    path,
                    f"a store inside the cluster in {settings.environment}",
                    "It is one pod with one volume: a lost node takes it down, a lost volume takes the data.",
                    "Name a managed kind (`rds`, `elasticache`), or `external`.",
                )
    if settings.aws is None:
        parts = [*stores, (("cluster", "kind"), settings.cluster)]
        for path, part in parts:
            if isinstance(part, RdsDatabase | ElastiCacheRedis | EksCluster):
                yield Violation(
                    path,
                    "a managed part without `slipway:aws`",
                    "Region and account would come from somebody's shell.",
                    "Give `slipway:aws: { region: …, accountId: … }`.",
                )


Rule = Callable[[Settings], Iterator[Violation]]
RULES: tuple[Rule, ...] = (
    references_name_what_exists,
    names_do_not_meet,
    required_variables_are_given,
    connections_fit_the_database,
    releases_are_named,
    origins_are_listed,
    secrets_are_not_plain,
    stores_match_the_environment,
)


def warnings(settings: Settings) -> Iterator[str]:
    """Yield what is legal but probably not meant."""
    used = {
        value.secret
        for one in settings.services.values()
        for value in one.env.values()
        if isinstance(value, SecretReference)
    }
    used.update(name for _, name in _store_secrets(settings))
    for name in settings.secrets:
        if name not in used:
            yield f"secrets.{name} is declared, but no service uses it."
    for name, service in settings.services.items():
        probes = service.probes
        if (
            probes is not None
            and probes.liveness.path is not None
            and probes.liveness.path == probes.readiness.path
        ):
            yield (
                f"services.{name}: liveness and readiness ask the same path. If it looks at the database, a database"
                " that is down restarts every pod."
            )
        if settings.environment == "prod" and service.scaling.min < 2:
            yield f"services.{name}: one pod at the least in prod. A drained node or a crash is an outage."
        if service.routes:
            yield f"services.{name}: routes are read and checked, but no ingress is created from them yet."
    if settings.backup is not None:
        yield "backup is read and checked, but nothing is created from it yet."
    if settings.budget is not None:
        yield "budget is read and checked, but nothing is created from it yet."


def missing_secrets(settings: Settings, configured: Callable[[str], bool]) -> list[str]:
    """Return the keys below `secrets:` that the stack names but its configuration does not hold.

    Args:
        settings: the stack.
        configured: tells whether the configuration holds a key.
    """
    keys = (source.config for source in settings.secrets.values() if isinstance(source, ConfiguredSecret))
    return [key for key in keys if not configured(key)]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "those that you add: there is none yet"
