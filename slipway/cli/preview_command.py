"""`slipway preview`: what every stack would create, without an account, a cluster or the Pulumi CLI."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.app import PROGRAM_EXIT, SETTINGS_EXIT, CommandError, app

if TYPE_CHECKING:
    from slipway.cli.stacks import Outcome
    from slipway.offline.model import Record

Stacks = Annotated[list[str] | None, typer.Argument(help="Names of stacks; all of the folder by default.")]
Directory = Annotated[Path, typer.Option("--directory", "-C", help="The folder with Pulumi.yaml.")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config-file", help="The stack's file, where it lies elsewhere.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show where a failing program stopped.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Run the program even if nothing has changed.")]


@app.command()
def preview(
    stacks: Stacks = None,
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write it as JSON; `-` is the terminal.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write manifests, record and text into a folder for each stack."),
    ] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="List every value that only `up` decides.")
    ] = False,
    resources: Annotated[
        bool, typer.Option("--resources", help="List every resource below its parent.")
    ] = False,
    directory: Directory = Path(),
    config_file: ConfigFile = None,
    debug: Debug = False,
    no_cache: NoCache = False,
) -> None:
    """Show what stacks would create: resources, workloads, warnings, outputs, and what only `up` decides.

    Exits with 2 when a stack file is wrong, with 1 when the program fails.
    """
    from slipway.cli.stacks import find_jobs, obtain

    outcomes = obtain(find_jobs(directory, stacks or (), config_file), use_cache=not no_cache)
    _show([one.record for one in outcomes if one.record is not None], json_file, out, unknown, resources)
    report_failures(outcomes, debug=debug)


def report_failures(outcomes: Sequence[Outcome], *, debug: bool) -> None:
    """Raise CommandError with the text of every stack that has no record; return when all have one."""
    problems = [one.settings_error.rstrip() for one in outcomes if one.settings_error]
    failures = [one.failure + (f"\n{one.details}" if debug else "") for one in outcomes if one.failure]
    if problems or failures:
        raise CommandError("\n\n".join((*problems, *failures)), SETTINGS_EXIT if problems else PROGRAM_EXIT)


def _show(
    records: Sequence[Record], json_file: Path | None, out: Path | None, unknown: bool, resources: bool
) -> None:
    from slipway.offline.summary import summarise
    from slipway.offline.text import Style, preview_text, tree_text

    summaries = [summarise(record) for record in records]
    style = Style(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    if json_file is None or str(json_file) != "-":
        for index, (record, summary) in enumerate(zip(records, summaries, strict=True)):
            tree = "\n" + tree_text(record, style) if resources else ""
            typer.echo(
                ("\n" if index else "") + preview_text(summary, style, unknown=unknown) + tree, nl=False
            )
    if json_file is not None:
        text = (
            json.dumps({"stacks": [one.to_json() for one in summaries]}, indent=2, ensure_ascii=False) + "\n"
        )
        if str(json_file) == "-":
            typer.echo(text, nl=False)
        else:
            json_file.write_text(text, encoding="utf-8")
    if out is not None:
        _write(records, out)


def _write(records: Sequence[Record], out: Path) -> None:
    from slipway.offline.render import RenderError, write_manifests
    from slipway.offline.summary import summarise
    from slipway.offline.text import Style, preview_text

    for record in records:
        folder = out / record.stack
        try:
            write_manifests(record, folder / "manifests")
        except RenderError as error:
            raise CommandError(str(error)) from error
        document = json.dumps(record.to_json(), indent=1, ensure_ascii=False) + "\n"
        (folder / "record.json").write_text(document, encoding="utf-8")
        text = preview_text(summarise(record), Style(colour=False), unknown=True)
        (folder / "preview.txt").write_text(text, encoding="utf-8")
