"""Entry point of the `slipway` command: runs it; what goes wrong is a sentence and an exit code."""

from __future__ import annotations

import os
import sys

from slipway.cli import (
    init_wizard,
    preview_command,
    render_command,
    running_commands,
    secrets_commands,
    settings_commands,
    up_commands,
)
from slipway.cli.app import PROGRAM_EXIT, CommandError, app

__all__ = [
    "app",
    "init_wizard",
    "main",
    "preview_command",
    "render_command",
    "running_commands",
    "secrets_commands",
    "settings_commands",
    "up_commands",
]


def main() -> None:
    """Run the command line of this process; exits with 0, 1 (failed) or 2 (bad settings or arguments)."""
    try:
        app()
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.code)
    except BrokenPipeError:
        # The reader (`head`) has gone; without this Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PROGRAM_EXIT)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        sys.stderr.write(f"slipway stopped: {type(error).__name__}: {error} (--debug shows where)\n")
        sys.exit(PROGRAM_EXIT)
