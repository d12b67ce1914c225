"""The command line as one object, on which the modules of commands register themselves.

Nothing heavy is imported here or by those modules: each command imports what it needs when it runs.
"""

from __future__ import annotations

import typer

SETTINGS_EXIT = 2
"""Exit code when a stack file is wrong: nothing was run."""

PROGRAM_EXIT = 1
"""Exit code when the program failed, or a command could not do its work."""

app = typer.Typer(
    name="slipway",
    help="The way of a FastAPI application to production: settings, offline preview, manifests.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class CommandError(Exception):
    """Ends a command with a text for people and an exit code."""

    def __init__(self, text: str, code: int = PROGRAM_EXIT) -> None:
        """Args: text: what is wrong and what to do; code: the exit code."""
        super().__init__(text)
        self.code = code


@app.callback()
def _options() -> None:
    """Options of all commands; the docstring of a callback would replace the help text above."""
