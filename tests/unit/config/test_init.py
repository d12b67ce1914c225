"""`slipway init` writes a first stack file that loads, or nothing at all."""

import itertools
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slipway.cli import init_wizard
from slipway.cli.app import CommandError
from slipway.cli.main import app
from slipway.offline.record import record
from stacks.config.stackfile import read_stack_file
from stacks.load import load_stack_file
from stacks.program import run

ROOT = Path(__file__).resolve().parents[3]

NAMED = ["--name", "alfred", "--owner", "platform-team"]
AWS = ["--region", "eu-central-1", "--account", "123456789012"]
RELEASE = ["--repository", "ghcr.io/acme/alfred", "--release", f"sha256:{'a' * 64}"]


def init(folder: Path, *arguments: str, answers: str | None = None) -> tuple[int, str]:
    """Exit code and output; CommandError's as `main` gives them."""
    run = CliRunner().invoke(app, ["init", "-C", str(folder), *arguments], input=answers)
    if isinstance(run.exception, CommandError):
        return run.exception.code, str(run.exception)
    return run.exit_code, run.output


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init_wizard, "_can_ask", lambda: True)


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
@pytest.mark.parametrize("parts", list(itertools.product([True, False], repeat=2)))
def test_the_defaults_of_every_environment_make_a_valid_file(
    tmp_path: Path, environment: str, parts: tuple[bool, bool]
) -> None:
    options = [*NAMED, *(AWS if environment != "local" else ())]
    options += RELEASE if environment in ("staging", "prod") else []
    flags = ["--worker" if parts[0] else "--no-worker", "--frontend" if parts[1] else "--no-frontend"]
    code, said = init(tmp_path, "--environment", environment, *options, *flags, "--yes")
    assert (code, f"slipway preview {environment}" in said) == (0, True)
    settings = load_stack_file(tmp_path / f"Pulumi.{environment}.yaml")[1]
    assert settings.environment == environment
    assert ("worker" in settings.services, "frontend" in settings.services) == parts


@pytest.mark.parametrize(
    ("database", "redis"), list(itertools.product(["none", "external", "managed"], repeat=2))
)
def test_every_choice_of_stores_makes_a_valid_file(tmp_path: Path, database: str, redis: str) -> None:
    hosts = ["--database-host", "db.example.com", "--redis-host", "redis.example.com"]
    stores = ["--database", database, "--redis", redis]
    code, said = init(tmp_path, "--environment", "dev", *NAMED, *AWS, *hosts, *stores, "--worker", "-y")
    assert code == 0, said
    settings = load_stack_file(tmp_path / "Pulumi.dev.yaml")[1]
    assert settings.database.kind == {"managed": "rds"}.get(database, database)
    assert len(settings.redis) == (0 if redis == "none" else 1)
    assert (settings.migrations is None) == (database == "none")


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.local.yaml"
    path.write_text("mine")
    code, said = init(tmp_path, "--environment", "local", *NAMED, "--yes")
    assert (code, path.read_text()) == (2, "mine")
    assert "is not overwritten" in said


def test_where_nobody_can_be_asked_the_missing_options_are_named(tmp_path: Path) -> None:
    code, said = init(tmp_path, "--environment", "prod")
    assert code == 2
    assert "--name, --owner, --repository, --region, --account" in said
    assert list(tmp_path.iterdir()) == []


def test_answers_that_make_a_wrong_file_write_nothing_and_say_what_is_wrong(tmp_path: Path) -> None:
    code, said = init(
        tmp_path, "--environment", "local", "--name", 'A "b" \\', "--owner", "x", "--port", "80", "--yes"
    )
    assert code == 2
    assert "slipway:app.name" in said
    assert "slipway:services.api.port = 80" in said
    assert "Pulumi.local.yaml:6:18" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("terminal")
def test_a_person_is_asked(tmp_path: Path) -> None:
    answers = [
        "production",
        "staging",
        "alfred",
        "platform",
        "ghcr.io/acme/alfred",
        "v1.2.3",
        "8080",
        "/live",
        "/ready",
    ]
    answers += ["y", "n", "kind-x", "external", "db.example.com", "none"]
    code, said = init(tmp_path, answers="\n".join(answers) + "\n")
    assert code == 0, said
    settings = load_stack_file(tmp_path / "Pulumi.staging.yaml")[1]
    assert (settings.services["api"].port, settings.release, settings.database.kind) == (
        8080,
        "v1.2.3",
        "external",
    )
    assert set(settings.services) == {"api", "worker"}


@pytest.mark.usefixtures("terminal")
def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    code, said = init(tmp_path, answers="local\nalfred\n")
    assert (code, said) == (130, "Stopped: nothing was written.")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    code, said = init(tmp_path / "nowhere", "--environment", "local", *NAMED, "--yes")
    assert code == 2
    assert "cannot be written" in said


def test_a_file_that_appeared_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    init(tmp_path, "--environment", "local", *NAMED, "--yes")
    from stacks.config.first_file import Answers

    with pytest.raises(CommandError, match="is not overwritten"):
        init_wizard.write_checked(
            tmp_path / "Pulumi.local.yaml", Answers("local", "alfred", "x", context="c")
        )


def test_the_first_file_previews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert init(tmp_path, "--environment", "local", *NAMED, "--worker", "--frontend", "--yes")[0] == 0
    file = read_stack_file(tmp_path / "Pulumi.local.yaml")
    # The program builds ./app of the project.
    monkeypatch.chdir(ROOT)
    made = record(run, project="slipway", stack="local", config=file.config, secret_keys=file.secret_keys)
    deployments = made.of_type("kubernetes:apps/v1:Deployment")
    assert {deployment.name for deployment in deployments} == {"api", "worker", "frontend"}


def test_the_file_explains_itself(tmp_path: Path) -> None:
    init(tmp_path, "--environment", "local", *NAMED, "--yes")
    text = (tmp_path / "Pulumi.local.yaml").read_text()
    assert text.count("#") >= 5
    assert read_stack_file(tmp_path / "Pulumi.local.yaml").secret_keys == frozenset()
