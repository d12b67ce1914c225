"""`slipway up`, `slipway down` and `slipway env`: a stack for real, with its state kept on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slipway.cli.app import SETTINGS_EXIT, CommandError, app
from slipway.cli.settings_commands import Directory

if TYPE_CHECKING:
    from slipway.operate.engine import Engine
    from slipway.operate.home import Home
    from slipway.operate.up import Report

StackName = Annotated[str, typer.Argument(help="The stack's name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]

INTERRUPTED_EXIT = 130
"""What a shell calls a program that Ctrl-C ended (128 + SIGINT)."""


@app.command()
def up(
    stack: StackName = "local",
    *,
    context: Annotated[
        str, typer.Option(help="Context of the kubeconfig: the cluster that a local stack goes to.")
    ] = "",
    registry: Annotated[
        str, typer.Option(help="Registry (host/path) that the image is pushed to and the nodes pull from.")
    ] = "",
    yes: Yes = False,
    directory: Directory = Path(),
) -> None:
    """Create or change a stack. Everything it needs is looked for first; an interrupted run is continued.

    Without --context a local stack goes to the cluster of its stack file if that is on this machine, or to a kind
    cluster that is made for it.
    """
    from slipway.cli.screen import TerminalScreen
    from slipway.cli.stack_view import LOCAL, read_stack, view_of
    from slipway.operate.machine import ThisMachine
    from slipway.operate.up import Options, Up

    home = home_of(directory, stack)
    file, settings = read_stack(home.tracked_file)
    screen = TerminalScreen()
    with told_plainly():
        if settings.environment == LOCAL:
            view = view_of(file, settings)
            report = Up(ThisMachine(), home, view, Options(context, registry), screen).run(
                _program(home.project)
            )
        else:
            from slipway.operate.elsewhere import team_engine
            from slipway.operate.up import bring_up, go_on

            if context or registry:
                raise CommandError(
                    f"The cluster and the registry of {stack} stand in its stack file.", SETTINGS_EXIT
                )
            engine = team_engine(ThisMachine(), home)
            _confirm(
                f"Change {stack} ({settings.environment}) in {os.environ['PULUMI_BACKEND_URL']}?", yes=yes
            )
            go_on(engine, os.environ["PULUMI_BACKEND_URL"], screen)
            report = bring_up(ThisMachine(), engine, _program(home.project), screen, tuple(settings.services))
    typer.echo(_summary(stack, report))


@app.command()
def down(
    stack: StackName = "local",
    *,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Remove the kind cluster too, if slipway made it here.")
    ] = False,
    yes: Yes = False,
    directory: Directory = Path(),
) -> None:
    """Remove a stack and everything in it, its data too. Refused for prod."""
    from slipway.cli.screen import TerminalScreen
    from slipway.cli.stack_view import environment_of
    from slipway.operate.down import forget, remove_clusters, standing, take_down
    from slipway.operate.machine import ThisMachine

    home = home_of(directory, stack)
    environment = environment_of(home.tracked_file)
    if environment in ("prod", ""):
        raise CommandError(
            f"{stack} is {environment or 'of no environment'}: `down` never removes it. What holds data there is "
            "protected, and is taken down part by part with `pulumi`.",
            SETTINGS_EXIT,
        )
    machine, screen, choice = ThisMachine(), TerminalScreen(), home.choice()
    with told_plainly():
        engine = engine_of(home, environment)
        known = engine.exists()
        if cluster:
            made = ", ".join(home.made_clusters())
            if not made:
                raise CommandError("slipway made no kind cluster here: nothing was removed.", SETTINGS_EXIT)
            _confirm(f"Remove the kind cluster {made} with everything in it?", yes=yes)
            remove_clusters(machine, home)
            if known:
                engine.pulumi(("stack", "rm", "--yes", "--force", "--preserve-config"), None)
            forget(home)
            typer.echo(f"The kind cluster {made} is gone, and {stack} with it.")
            return
        if not known:
            typer.echo(f"{stack} is not up: there is nothing to remove.")
            return
        there = standing(engine)
        data = f", with the data of {', '.join(there.volumes)}" if there.volumes else ""
        where = f" from {choice.context}" if choice else ""
        _confirm(f"Remove {stack}{where}: {there.resources} resources{data}?", yes=yes)
        counts = take_down(engine, home, screen)
    typer.echo(f"{stack} is gone: {counts.get('deleted', 0)} resources deleted.")


@app.command()
def env(stack: StackName = "local", *, directory: Directory = Path()) -> None:
    """Print shell commands that prepare `pulumi` by hand for a stack: eval "$(slipway env local)"."""
    from slipway.cli.stack_view import LOCAL, environment_of, read_stack, view_of
    from slipway.operate.elsewhere import local_engine, require_backend, search_path
    from slipway.operate.home import UNSET, shell_exports
    from slipway.operate.machine import ThisMachine

    home = home_of(directory, stack)
    path = {"PATH": search_path(ThisMachine(), home.project)}
    with told_plainly():
        if environment_of(home.tracked_file) != LOCAL:
            require_backend(ThisMachine(), stack)
            typer.echo(
                shell_exports({**path, "PULUMI_STACK": stack}, unset=("PULUMI_OPTION_CONFIG_FILE",)), nl=False
            )
            return
        home.prepare()
        choice = home.choice()
        settled: Mapping[str, str] = {}
        if choice is not None:
            settled = view_of(*read_stack(home.tracked_file)).settled(choice)
        home.copy_stack_file(settled)
        engine = local_engine(ThisMachine(), home)
        if not engine.exists():
            # By hand, `pulumi stack init` would write into the tracked stack file.
            engine.create()
    typer.echo(shell_exports({**path, **home.variables()}, unset=UNSET), nl=False)


def home_of(directory: Path, stack: str) -> Home:
    """Return the private files of a stack.

    Raises:
        CommandError: when there is no such stack.
    """
    from slipway.cli.stacks import find_jobs
    from slipway.operate.home import Home

    (job,) = find_jobs(directory, [stack], None)
    return Home(job.project, stack)


def engine_of(home: Home, environment: str) -> Engine:
    """Return the engine of a stack that may be up."""
    from slipway.cli.stack_view import LOCAL
    from slipway.operate.elsewhere import local_engine, team_engine
    from slipway.operate.machine import ThisMachine

    if environment != LOCAL:
        return team_engine(ThisMachine(), home)
    return local_engine(ThisMachine(), home)


@contextmanager
def told_plainly() -> Generator[None]:
    """Turn what goes wrong on this machine or in a cluster into a sentence and an exit code."""
    from slipway.operate.lock import LockHeldError
    from slipway.operate.machine import EngineFailedError, InterruptedRunError, OperateError
    from slipway.operate.resume import ForeignObjectsError

    try:
        yield
    except InterruptedRunError as error:
        raise CommandError(str(error), INTERRUPTED_EXIT) from None
    except (KeyboardInterrupt, typer.Abort):
        raise CommandError("Stopped: nothing was changed after that.", INTERRUPTED_EXIT) from None
    except EngineFailedError as error:
        from slipway.operate.failures import explain
        from slipway.operate.progress import Problem

        raise CommandError(f"Pulumi failed:\n{explain([Problem('', str(error))])}") from None
    except (OperateError, LockHeldError, ForeignObjectsError) as error:
        raise CommandError(str(error)) from None


def _program(project: Path) -> Callable[[], None]:
    """Return the project's program; what is wrong with it is a sentence for the engine, not a traceback."""
    from slipway.cli.stacks import import_from

    import_from(project)

    import pulumi

    from stacks.config.problems import SettingsError
    from stacks.program import run

    def program() -> None:
        try:
            run()
        except SettingsError as error:
            raise pulumi.RunError(f"this stack cannot be used:\n{error.text()}") from None
        except pulumi.RunError:
            raise
        except Exception as error:
            raise pulumi.RunError(f"the program stopped: {type(error).__name__}: {error}") from None

    return program


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody can be asked here: say so with --yes.", SETTINGS_EXIT)
    if not typer.confirm(question):
        raise CommandError("Nothing was changed.", SETTINGS_EXIT)


def _own_name() -> str:
    """Return how a person can call this command: by the path that was used, where it is not on PATH."""
    called = sys.argv[0]
    return "slipway" if Path(called).name != "slipway" or shutil.which("slipway") else called


def _summary(stack: str, report: Report) -> str:
    """Return what to do with a stack that is up."""
    done = (
        ", ".join(f"{number} {word}" for word, number in report.counts.items()) or "nothing had to be changed"
    )
    lines = [f"\n{stack} is up: {done}, {report.seconds:.0f} s."]
    urls, ports = report.outputs.get("urls"), report.outputs.get("ports")
    for name, found in urls.items() if isinstance(urls, dict) else ():
        lines += [f"  {name:<10} {url}" for url in found] if isinstance(found, list) else []
    reachable = [name for name, port in ports.items() if port] if isinstance(ports, dict) else []
    named, slipway = "" if stack == "local" else f" --stack {stack}", _own_name()
    first = next((name for name in ("frontend", "web") if name in reachable), next(iter(reachable), ""))
    commands = [
        *([(f"{slipway} open {first}{named}", "opens it in a browser")] if first else []),
        *([(f"{slipway} logs {reachable[0]}{named}", "what it logs, as it happens")] if reachable else []),
        *([(f"{slipway} psql{named}", "its database")] if report.outputs.get("database") else []),
    ]
    width = max((len(command) for command, _ in commands), default=0)
    lines += (
        ["", "Next:", *(f"  {command:<{width}}  {meaning}" for command, meaning in commands)]
        if commands
        else []
    )
    return "\n".join(lines)
