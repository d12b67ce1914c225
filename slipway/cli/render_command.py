"""`slipway render`: the Kubernetes objects of a stack as YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slipway.cli.app import CommandError, app
from slipway.cli.preview_command import ConfigFile, Debug, Directory, NoCache, report_failures


@app.command()
def render(
    stack: Annotated[str, typer.Argument(help="Name of the stack.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or one rendered before.")],
    *,
    directory: Directory = Path(),
    config_file: ConfigFile = None,
    debug: Debug = False,
    no_cache: NoCache = False,
) -> None:
    """Write one YAML file for each Kubernetes object, with placeholders for secrets."""
    from slipway.cli.stacks import find_jobs, obtain
    from slipway.offline.render import RenderError, write_manifests

    outcomes = obtain(find_jobs(directory, [stack], config_file), use_cache=not no_cache)
    report_failures(outcomes, debug=debug)
    for record in (one.record for one in outcomes if one.record is not None):
        try:
            written = write_manifests(record, folder)
        except RenderError as error:
            raise CommandError(str(error)) from error
        typer.echo(f"{len(written)} objects in {folder}")
