"""`slipway init`: a few questions, and the first stack file.

Nothing is written before the last answer and before the text was read back without an error; a file that exists is
never touched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from slipway.cli.app import SETTINGS_EXIT, CommandError, app
from slipway.cli.settings_commands import Directory

if TYPE_CHECKING:
    from stacks.config.first_file import Answers

EnvironmentName = Literal["local", "dev", "staging", "prod"]
StoreName = Literal["in-cluster", "managed", "external", "none"]
PythonName = Literal["3.12", "3.13"]

_INTERRUPTED = 130
"""What a shell calls a program that Ctrl-C ended (128 + SIGINT)."""


@app.command()
def init(
    *,
    environment: Annotated[
        EnvironmentName | None, typer.Option(help="Environment; also the stack's name.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the application, such as alfred.")] = None,
    owner: Annotated[str | None, typer.Option(help="Team that is asked about it.")] = None,
    python: Annotated[PythonName | None, typer.Option(help="Python of the image.")] = None,
    port: Annotated[int | None, typer.Option(help="HTTP port of the API.")] = None,
    live: Annotated[str | None, typer.Option(help="Path of the liveness probe.")] = None,
    ready: Annotated[str | None, typer.Option(help="Path of the readiness probe.")] = None,
    worker: Annotated[bool | None, typer.Option(help="Whether there is a worker.")] = None,
    frontend: Annotated[bool | None, typer.Option(help="Whether there is a frontend.")] = None,
    database: Annotated[StoreName | None, typer.Option(help="PostgreSQL; managed is Amazon RDS.")] = None,
    database_host: Annotated[str | None, typer.Option(help="Host of an external PostgreSQL.")] = None,
    redis: Annotated[StoreName | None, typer.Option(help="Redis; managed is Amazon ElastiCache.")] = None,
    redis_host: Annotated[str | None, typer.Option(help="Host of an external Redis.")] = None,
    context: Annotated[
        str | None,
        typer.Option(help="Context of an existing cluster in the kubeconfig; empty for Amazon EKS."),
    ] = None,
    region: Annotated[str | None, typer.Option(help="AWS region.")] = None,
    account: Annotated[str | None, typer.Option(help="AWS account, 12 digits.")] = None,
    repository: Annotated[
        str | None, typer.Option(help="Repository of released images; empty to build ./app.")
    ] = None,
    release: Annotated[str | None, typer.Option(help="Digest of the released image.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")] = False,
    directory: Directory = Path(),
) -> None:
    """Write the first stack file of an environment.

    Asks on a terminal; elsewhere, and with --yes, options and defaults answer. Never overwrites a file.
    """
    given = {
        "environment": environment,
        "name": name,
        "owner": owner,
        "python": python,
        "port": port,
        "live": live,
        "ready": ready,
        "worker": worker,
        "frontend": frontend,
        "database": database,
        "database-host": database_host,
        "redis": redis,
        "redis-host": redis_host,
        "context": context,
        "region": region,
        "account": account,
        "repository": repository,
        "release": release,
    }
    questions = Questions(
        {key: value for key, value in given.items() if value is not None}, ask=not yes and _can_ask()
    )
    try:
        answers = collect(questions, directory)
    except (KeyboardInterrupt, EOFError, typer.Abort):
        raise CommandError("Stopped: nothing was written.", _INTERRUPTED) from None
    path = directory / f"Pulumi.{answers.environment}.yaml"
    write_checked(path, answers)
    typer.echo(f"{path} is written. See what it makes: slipway preview {answers.environment}")


def _can_ask() -> bool:
    """Whether a person sits at the other end."""
    return sys.stdin.isatty()


class Questions:
    """Answers by option, by a person, or by default."""

    def __init__(self, given: dict[str, str | int | bool], *, ask: bool) -> None:
        """Begin.

        Args:
            given: what options say, by their name.
            ask: whether a person can be asked.
        """
        self._given = given
        self._ask = ask
        self.missing: list[str] = []

    def text(self, option: str, question: str, default: str | None, choices: tuple[str, ...] = ()) -> str:
        """Return an answer; without one and without a default, remember which option is missing."""
        if option in self._given:
            return str(self._given[option])
        if self._ask:
            asked = f"{question} ({', '.join(choices)})" if choices else question
            return str(typer.prompt(asked, default=default, value_proc=_one_of(choices)))
        if default is None:
            self.missing.append(f"--{option}")
            return ""
        return default

    def number(self, option: str, question: str, default: int) -> int:
        """Return a whole number."""
        if option in self._given or not self._ask:
            return int(self._given.get(option, default))
        return int(typer.prompt(question, default=default, type=int))

    def choice(self, option: str, question: str, *, default: bool) -> bool:
        """Return yes or no."""
        if option in self._given or not self._ask:
            return bool(self._given.get(option, default))
        return typer.confirm(question, default=default)


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """Return a check of an answer; a wrong one is asked for again."""

    def check(answer: str) -> str:
        text = answer.strip()
        if choices and text not in choices:
            raise typer.BadParameter(f"one of {', '.join(choices)}")
        return text

    return check


def collect(questions: Questions, directory: Path) -> Answers:
    """Ask what the first stack file needs.

    Args:
        questions: where answers come from.
        directory: the project's folder.

    Raises:
        CommandError: when the file exists already, or options are missing where nobody can be asked.
    """
    from typing import cast, get_args

    from stacks.config.first_file import Answers, Store
    from stacks.presets import Environment

    environments: tuple[str, ...] = get_args(Environment)
    environment = questions.text("environment", "Environment", "local", environments)
    if (path := directory / f"Pulumi.{environment}.yaml").exists():
        raise CommandError(
            f"{path} exists: it is not overwritten. Change it, or choose another environment with --environment.",
            SETTINGS_EXIT,
        )
    local = environment == "local"
    early = environment in ("local", "dev")
    name = questions.text("name", "Name of the application", None)
    owner = questions.text("owner", "Team that is asked about it", None)
    repository = questions.text(
        "repository", "Repository of released images (empty: build ./app here)", "" if early else None
    )
    release = questions.text("release", "Digest that CI has built (sha256:...)", None) if repository else ""
    python = (
        questions.text("python", "Python of the image", "3.12", ("3.12", "3.13"))
        if not repository
        else "3.12"
    )
    port = questions.number("port", "HTTP port of the API", 8000)
    live = questions.text("live", "Path of the liveness probe", "/health/live")
    ready = questions.text("ready", "Path of the readiness probe", "/health/ready")
    worker = questions.choice("worker", "Is there a worker?", default=False)
    frontend = questions.choice("frontend", "Is there a frontend?", default=False)
    context = questions.text(
        "context", "Context of an existing cluster (empty: Amazon EKS)", "kind-slipway" if local else ""
    )
    store = "in-cluster" if local else "managed"
    stores: tuple[str, ...] = get_args(Store)
    database = questions.text("database", "PostgreSQL", store, stores)
    database_host = (
        questions.text("database-host", "Host of PostgreSQL", None) if database == "external" else ""
    )
    redis = questions.text("redis", "Redis", store, stores)
    redis_host = questions.text("redis-host", "Host of Redis", None) if redis == "external" else ""
    managed = not context or "managed" in (database, redis)
    region = questions.text("region", "AWS region", None) if managed else ""
    account = questions.text("account", "AWS account (12 digits)", None) if managed else ""
    if questions.missing:
        raise CommandError(f"Nobody can be asked here. Give {', '.join(questions.missing)}.", SETTINGS_EXIT)
    return Answers(
        environment=cast("Environment", environment),
        app=name,
        owner=owner,
        python=python,
        port=port,
        live=live,
        ready=ready,
        worker=worker,
        frontend=frontend,
        database=cast("Store", database),
        database_host=database_host,
        redis=cast("Store", redis),
        redis_host=redis_host,
        context=context,
        region=region,
        account=account,
        repository=repository,
        release=release,
    )


def write_checked(path: Path, answers: Answers) -> None:
    """Write the file of the answers once it reads back without an error.

    Raises:
        CommandError: when an answer makes a wrong stack file, the folder cannot be written, or the file exists by now.
    """
    import tempfile

    from stacks.config.first_file import first_stack_file
    from stacks.config.problems import SettingsError
    from stacks.load import load_stack_file

    text = first_stack_file(answers)
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        trial = Path(folder) / path.name
        trial.write_text(text, encoding="utf-8")
        try:
            load_stack_file(trial)
        except SettingsError as error:
            raise CommandError(
                f"These answers make no valid stack file; nothing was written.\n{error.text()}".replace(
                    str(trial), path.name
                ),
                SETTINGS_EXIT,
            ) from None
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{path} exists: it is not overwritten.", SETTINGS_EXIT) from None
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written: {os.strerror(error.errno or 0)}.", SETTINGS_EXIT
        ) from None
