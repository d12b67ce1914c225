"""The first stack file of a team, from a few answers: complete, with comments, and free of errors.

It fits the reference application in `app/` as it is; whoever brings an application of their own changes commands,
paths and variables where the comments say so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stacks.config.stackfile import PROJECT
from stacks.presets import Environment

Store = Literal["in-cluster", "managed", "external", "none"]


@dataclass(frozen=True)
class Answers:
    """What is asked for the first stack file.

    Attributes:
        environment: which presets apply; also the stack's name.
        app: name of the application.
        owner: team that is asked about it.
        python: version of CPython in the image.
        port: HTTP port of the API.
        live: path of the liveness probe, which looks at nothing but the process.
        ready: path of the readiness probe.
        worker: whether there is a worker.
        frontend: whether there is a frontend.
        database: where PostgreSQL comes from.
        database_host: its host, where it is external.
        redis: where Redis comes from.
        redis_host: its host, where it is external.
        context: the kubeconfig's context of an existing cluster; empty for Amazon EKS.
        region: AWS region; empty where nothing managed is used.
        account: AWS account, 12 digits; empty where nothing managed is used.
        repository: registry and repository of released images; empty to build `./app` here.
        release: digest or tag of the released image.
    """

    environment: Environment
    app: str
    owner: str
    python: str = "3.12"
    port: int = 8000
    live: str = "/health/live"
    ready: str = "/health/ready"
    worker: bool = False
    frontend: bool = False
    database: Store = "in-cluster"
    database_host: str = ""
    redis: Store = "in-cluster"
    redis_host: str = ""
    context: str = ""
    region: str = ""
    account: str = ""
    repository: str = ""
    release: str = ""

    @property
    def managed(self) -> bool:
        """Whether something of AWS is used, which needs a region and an account."""
        return not self.context or "managed" in (self.database, self.redis)


def first_stack_file(answers: Answers) -> str:
    """Return the text of a stack file."""
    return "\n".join(_lines(answers)) + "\n"


def quoted(text: str) -> str:
    """Return a text as YAML in double quotes, so that no word of it means a number or a truth value."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _lines(answers: Answers) -> Iterator[str]:
    environment = answers.environment
    yield "# yaml-language-server: $schema=docs/stack-file.schema.json"
    yield f"# `slipway preview {environment}` shows what this stack makes, without an account or a cluster;"
    yield "# `slipway explain services.api.scaling.max` says what a key means; `slipway schema` is for editors."
    yield "config:"
    yield f"  {PROJECT}:environment: {environment}"
    yield f"  {PROJECT}:app: {{ name: {quoted(answers.app)}, owner: {quoted(answers.owner)} }}"
    if answers.managed:
        yield f"  {PROJECT}:aws: {{ region: {quoted(answers.region)}, accountId: {quoted(answers.account)} }}"
    yield ""
    yield from _where(answers)
    yield ""
    yield f"  {PROJECT}:services:"
    yield from _api(answers)
    if answers.worker:
        yield from _worker(answers)
    if answers.frontend:
        yield from _frontend()
    yield from _stores(answers)
    yield from _secrets(answers)


def _where(answers: Answers) -> Iterator[str]:
    if answers.context:
        yield "  # A context of the kubeconfig, by its name: the current one may be any cluster."
        yield f"  {PROJECT}:cluster: {{ kind: existing, context: {quoted(answers.context)} }}"
    else:
        yield f"  {PROJECT}:cluster: {{ kind: eks }}"
    if answers.repository:
        yield f"  {PROJECT}:image: {{ kind: release, repository: {quoted(answers.repository)} }}"
        yield "  # What CI has built once; every environment gets the same digest."
        yield f"  {PROJECT}:release: {quoted(answers.release)}"
    else:
        yield f'  {PROJECT}:image: {{ kind: build, context: ./app, python: "{answers.python}" }}'


def _api(answers: Answers) -> Iterator[str]:
    yield "    api:"
    yield "      role: api"
    yield f"      port: {answers.port}"
    yield "      # Liveness must not look at PostgreSQL or Redis: it would restart every pod when one of them is away."
    yield "      probes:"
    yield f"        liveness: {{ path: {quoted(answers.live)} }}"
    yield f"        readiness: {{ path: {quoted(answers.ready)} }}"
    yield "      resources:"
    yield "        requests: { cpu: 250m, memory: 256Mi }"
    yield '        limits: { cpu: "1", memory: 512Mi }'
    if answers.database != "none":
        yield "      # Connections of one process; pods x processes x (size + overflow) must fit the database."
        yield "      pool: { size: 5, overflow: 5 }"
    yield "      env:"
    yield "        LOG_LEVEL: info"
    yield "        JWT_SECRET: { secret: jwtSecret }"
    yield from _store_variables(answers)


def _worker(answers: Answers) -> Iterator[str]:
    yield "    worker:"
    yield "      role: worker"
    yield "      command: [python, -m, slipway_app.worker]"
    yield "      probes:"
    yield "        liveness: { command: [python, -m, slipway_app.alive] }"
    yield "        readiness: { command: [python, -m, slipway_app.alive] }"
    yield "      resources:"
    yield "        requests: { cpu: 100m, memory: 256Mi }"
    yield '        limits: { cpu: "1", memory: 512Mi }'
    if answers.database != "none":
        yield "      pool: { size: 2, overflow: 3 }"
    yield "      env:"
    yield "        LOG_LEVEL: info"
    yield from _store_variables(answers)


def _frontend() -> Iterator[str]:
    yield "    frontend:"
    yield "      role: frontend"
    yield "      port: 8501"
    yield "      # Its program in the image; a frontend with an image of its own names it in `image:`."
    yield "      command: [streamlit, run, frontend.py]"
    yield "      probes:"
    yield "        liveness: { path: /_stcore/health }"
    yield "        readiness: { path: /_stcore/health }"
    yield "      resources:"
    yield "        requests: { cpu: 100m, memory: 256Mi }"
    yield '        limits: { cpu: "1", memory: 512Mi }'
    yield "      env:"
    yield "        API_BASE_URL: { service: api }"


def _store_variables(answers: Answers) -> Iterator[str]:
    if answers.database != "none":
        yield "        DATABASE_URL: { database: url }"
    if answers.redis != "none":
        yield "        REDIS_URL: { redis: url }"


def _stores(answers: Answers) -> Iterator[str]:
    yield ""
    if answers.database != "none":
        yield "  # Finished before any pod of the new image starts."
        yield f"  {PROJECT}:migrations: {{ service: api, command: [alembic, upgrade, head] }}"
    if answers.database == "external":
        yield f"  {PROJECT}:database:"
        yield "    kind: external"
        yield f"    host: {quoted(answers.database_host)}"
        yield "    password: databasePassword"
    else:
        kind = {"in-cluster": 'in-cluster, version: "16"', "managed": 'rds, version: "16"', "none": "none"}[
            answers.database
        ]
        yield f"  {PROJECT}:database: {{ kind: {kind} }}"
    if answers.redis == "external":
        yield f"  {PROJECT}:redis:"
        yield "    main:"
        yield "      kind: external"
        yield "      purpose: both"
        yield f"      host: {quoted(answers.redis_host)}"
        yield "      password: redisPassword"
    elif answers.redis != "none":
        kind = {"in-cluster": "in-cluster", "managed": "elasticache"}[answers.redis]
        yield "  # `both` is a cache and a queue in one: only keys with a time to live are evicted."
        yield f"  {PROJECT}:redis: {{ main: {{ kind: {kind}, purpose: both }} }}"


def _secrets(answers: Answers) -> Iterator[str]:
    external = [("databasePassword", answers.database), ("redisPassword", answers.redis)]
    named = [name for name, store in external if store == "external"]
    yield ""
    yield "  # Generated once and kept by the stack, or given with"
    yield f"  # `slipway secrets set NAME --stack {answers.environment}`."
    yield f"  {PROJECT}:secrets:"
    yield "    jwtSecret: { generate: 48 }"
    for name in named:
        yield f"    {name}: {{ config: {name} }}"
