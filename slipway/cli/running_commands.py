"""`slipway logs`, `shell`, `psql` and `open`: a look into a running stack, wherever its cluster is."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.app import CommandError, app
from slipway.cli.settings_commands import Directory
from slipway.cli.up_commands import home_of, told_plainly

if TYPE_CHECKING:
    from slipway.operate.reach import Running

Service = Annotated[str, typer.Argument(help="Name of the service, such as api.")]
StackOption = Annotated[str, typer.Option("--stack", "-s", help="The stack's name.")]

_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
_OPEN_SECONDS = 20
_ENDED = (0, -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT)
"""Exit codes of a port-forward that somebody has ended."""


@app.command()
def logs(
    service: Service,
    *,
    follow: Annotated[bool, typer.Option(help="Go on until Ctrl-C.")] = True,
    lines: Annotated[int, typer.Option(help="How many lines of each pod to begin with.")] = 100,
    stack: StackOption = "local",
    directory: Directory = Path(),
) -> None:
    """Print what all pods of a service log."""
    with told_plainly():
        command = _running(directory, stack).logs(service, follow=follow, lines=lines)
    _hand_over(command)


@app.command(context_settings=_PASSED_ON)
def shell(
    context: typer.Context,
    service: Service,
    *,
    stack: StackOption = "local",
    directory: Directory = Path(),
) -> None:
    """Open a shell in a pod of a service; with more words, run them there instead."""
    with told_plainly():
        running = _running(directory, stack)
        command = running.shell(service, context.args, terminal=sys.stdin.isatty())
    _hand_over(command)


@app.command(context_settings=_PASSED_ON)
def psql(context: typer.Context, *, stack: StackOption = "local", directory: Directory = Path()) -> None:
    """Open psql on the stack's database as its administrator; further options go to psql (-c 'SELECT 1')."""
    with told_plainly():
        command = _running(directory, stack).psql(context.args, terminal=sys.stdin.isatty())
    _hand_over(command)


@app.command("open")
def open_service(
    service: Annotated[str, typer.Argument(help="Name of the service.")] = "frontend",
    *,
    port: Annotated[int, typer.Option(help="Port on this machine; the service's own by default.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open a browser, too.")] = True,
    stack: StackOption = "local",
    directory: Directory = Path(),
) -> None:
    """Make a service reachable on this machine until Ctrl-C, and open it in a browser."""
    from slipway.operate.machine import ThisMachine
    from slipway.operate.reach import free_port

    with told_plainly():
        running = _running(directory, stack)
        local_port = free_port(port or running.port(service))
        if port and local_port != port:
            raise CommandError(f"Port {port} of this machine is taken. Choose another with --port.")
        command = running.forward(service, local_port)
    address = f"http://127.0.0.1:{local_port}"
    typer.echo(f"{service}: {address} (until Ctrl-C)")
    if browser and sys.stdout.isatty():
        _open_browser_soon(address, local_port)
    code = ThisMachine().foreground(command)
    raise typer.Exit(0 if code in _ENDED else code)


def _open_browser_soon(address: str, port: int) -> None:
    """Open a browser as soon as the port answers; the port-forward starts meanwhile."""
    import socket
    import threading
    import webbrowser

    def wait() -> None:
        end = time.monotonic() + _OPEN_SECONDS
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.2)
            else:
                webbrowser.open(address)
                return

    threading.Thread(target=wait, daemon=True).start()


def _running(directory: Path, stack: str) -> Running:
    from slipway.operate.machine import ThisMachine
    from slipway.operate.reach import NotUpError, read_running
    from slipway.operate.tools import Needs, find_tools

    home, machine = home_of(directory, stack), ThisMachine()
    tools, choice = find_tools(machine, home.root, Needs()), home.choice()
    try:
        return read_running(
            machine,
            pulumi=tools.pulumi,
            kubectl=tools.kubectl,
            project=home.project,
            stack=stack,
            variables=home.variables() if choice is not None else {},
        )
    except NotUpError:
        if choice is None:
            raise
    from slipway.cli.stack_view import described

    # An `up` that failed has left no outputs, and it is now that a person wants to see logs.
    return described(home.stack_file, tools.kubectl)


def _hand_over(command: list[str]) -> None:
    """Become another program: the terminal, Ctrl-C and the exit code are its own."""
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - a fixed program; nothing goes through a shell
