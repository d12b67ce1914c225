"""`slipway secrets set` and `slipway secrets list`: encrypted values, never shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from slipway.cli.app import SETTINGS_EXIT, CommandError, app
from slipway.cli.settings_commands import ConfigFile, Directory, Stack, stack_path

secrets = typer.Typer(help="Encrypted values of a stack file.", no_args_is_help=True)
app.add_typer(secrets, name="secrets")


@secrets.command("set")
def set_value(
    name: Annotated[str, typer.Argument(help="Name of the secret in `slipway:secrets`.")],
    *,
    stack: Stack = None,
    directory: Directory = Path(),
    config_file: ConfigFile = None,
) -> None:
    """Encrypt a value with the stack's key and put it into its file.

    The value is asked for without echo, or read from standard input; it never stands in the command line.
    """
    from slipway.cli.secret_values import SecretError, declared, key_of, set_secret
    from stacks.config.problems import SettingsError

    path, chosen = _file(directory, stack, config_file)
    try:
        key = key_of(name, declared(path))
        value = _value(name)
        set_secret(path, stack=chosen, project=directory, key=key, value=value)
    except SecretError as error:
        raise CommandError(str(error), SETTINGS_EXIT) from None
    except SettingsError as error:
        raise CommandError(error.text(), SETTINGS_EXIT) from None
    typer.echo(f"{key} is set in {path}.")


@secrets.command("list")
def list_values(
    *,
    stack: Stack = None,
    directory: Directory = Path(),
    config_file: ConfigFile = None,
) -> None:
    """List the secrets of a stack: generated, set or missing; never a value."""
    from slipway.cli.secret_values import declared
    from stacks.config.problems import SettingsError

    path, _ = _file(directory, stack, config_file)
    try:
        found = declared(path)
    except SettingsError as error:
        raise CommandError(error.text(), SETTINGS_EXIT) from None
    width = max((len(secret.name) for secret in found), default=0)
    for secret in found:
        hint = f"   slipway secrets set {secret.name}" if secret.state == "missing" else ""
        typer.echo(f"{secret.name:<{width}}  {secret.state}{hint}")
    if not found:
        typer.echo(f"{path} names no secrets in `slipway:secrets`.")


def _file(directory: Path, stack: str | None, config_file: Path | None) -> tuple[Path, str]:
    """Return the stack's file and its name; the only stack of a folder need not be named."""
    if config_file is not None:
        return config_file, stack or config_file.name.removeprefix("Pulumi.").removesuffix(".yaml")
    if stack is not None:
        return stack_path(directory, stack), stack
    files = sorted(directory.glob("Pulumi.*.yaml"))
    if len(files) == 1:
        return files[0], files[0].name.removeprefix("Pulumi.").removesuffix(".yaml")
    names = ", ".join(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)
    known = f"The stacks are: {names}." if names else "`slipway init` writes the first one."
    raise CommandError(f"Name the stack with --stack. {known}", SETTINGS_EXIT)


def _value(name: str) -> str:
    """Return the value: asked for twice on a terminal, otherwise all of standard input without its last newline."""
    if not _can_ask():
        value = sys.stdin.read()
        value = value.removesuffix("\n").removesuffix("\r")
    else:
        value = str(typer.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True))
    if not value.strip():
        raise CommandError(f"The value of {name} is empty: nothing was changed.", SETTINGS_EXIT)
    return value


def _can_ask() -> bool:
    """Whether a person sits at the other end."""
    return sys.stdin.isatty()
