"""`slipway schema` and `slipway explain`: what a stack file may say, and what a key of one means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.app import SETTINGS_EXIT, CommandError, app

if TYPE_CHECKING:
    from stacks.config.stackfile import StackFile
    from stacks.settings import Settings

Directory = Annotated[Path, typer.Option("--directory", "-C", help="The folder with Pulumi.yaml.")]
Stack = Annotated[str | None, typer.Option("--stack", "-s", help="Name of the stack.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config-file", help="The stack's file, where it lies elsewhere.")
]


@app.command()
def schema() -> None:
    """Print the JSON Schema of a stack file, with which editors complete keys and mark mistakes."""
    from stacks.config.schema import stack_file_schema

    typer.echo(json.dumps(stack_file_schema(), indent=2, ensure_ascii=False))


@app.command()
def explain(
    key: Annotated[str, typer.Argument(help="A dotted key, such as services.api.scaling.max.")],
    *,
    stack: Stack = None,
    directory: Directory = Path(),
    config_file: ConfigFile = None,
) -> None:
    """Say what a key means, what it takes, its default and presets; for a stack also its value and where it is from.

    Exits with 2 when there is no such key or stack file.
    """
    from stacks.config.explain import UnknownKeyError
    from stacks.config.explain import explain as explained

    file, settings = (None, None)
    if stack is not None or config_file is not None:
        file, settings = _read(config_file or stack_path(directory, stack or ""))
    try:
        typer.echo(explained(key, file, settings).text())
    except UnknownKeyError as error:
        raise CommandError(str(error), SETTINGS_EXIT) from None


def stack_path(directory: Path, stack: str) -> Path:
    """Return the path of a stack's file."""
    return directory / f"Pulumi.{stack}.yaml"


def _read(path: Path) -> tuple[StackFile, Settings | None]:
    """Return a stack file, and its settings unless it has errors: those are for `preview` to show."""
    from stacks.config.problems import SettingsError
    from stacks.config.stackfile import scan_stack_file
    from stacks.load import load_stack_file

    try:
        return load_stack_file(path)
    except SettingsError:
        pass
    try:
        return scan_stack_file(path).file, None
    except SettingsError as error:
        raise CommandError(error.text(), SETTINGS_EXIT) from None
