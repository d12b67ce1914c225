"""Pulumi's engine for one stack: the Automation API, with an end on Ctrl-C that leaves a state to go on from."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Literal, cast

from pulumi import automation as auto
from pulumi.automation.errors import StackNotFoundError, create_command_error
from pulumi.automation.events import EngineEvent

from slipway.offline.model import Json
from slipway.operate.machine import EngineFailedError

type Program = Callable[[], None]
type OnEvent = Callable[[EngineEvent], None]

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

IMAGES_ONLY = "**slipway:image:BuiltImage**"
"""The URNs of everything that belongs to building images: a pattern for `--target`."""


class CancellableCommand(auto.PulumiCommand):
    """Pulumi in a process group of its own: Ctrl-C reaches slipway alone, which asks the engine to stop, once.

    The engine would take a second signal as "drop everything", and a terminal sends it to the whole group.
    """

    def __init__(self, program: str, version: str, unset: Sequence[str] = ()) -> None:
        """Take a program that was found before.

        Args:
            program: absolute path of pulumi.
            version: its version.
            unset: variables of this process that it must not get.
        """
        from semver import VersionInfo

        # Not the SDK's own: that one looks for `bin/pulumi` and runs it for its version, which is known here.
        self.command = program
        self.version = VersionInfo.parse(version)
        self._unset = frozenset(unset)
        self._process: subprocess.Popen[str] | None = None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: auto.OnOutput | None = None,
        on_error: auto.OnOutput | None = None,
        *,
        stdin: str | None = None,
    ) -> auto.CommandResult:
        """Run a pulumi command; raises CommandError where it fails."""
        inherited = {name: value for name, value in os.environ.items() if name not in self._unset}
        path = os.pathsep.join([os.path.dirname(self.command), inherited.get("PATH", os.defpath)])
        environment = {**inherited, **additional_env, "PULUMI_AUTOMATION_API": "true", "PATH": path}
        outputs: tuple[list[str], list[str]] = ([], [])
        with subprocess.Popen(  # noqa: S603 - a fixed program; nothing goes through a shell
            [self.command, "--non-interactive", *args],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            encoding="utf-8",
            process_group=0,
        ) as process:
            self._process = process
            readers = [
                threading.Thread(target=_read, args=(stream, told, lines), daemon=True)
                for stream, told, lines in (
                    (process.stdout, on_output, outputs[0]),
                    (process.stderr, on_error, outputs[1]),
                )
            ]
            for reader in readers:
                reader.start()
            if stdin is not None and process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(stdin)
                    process.stdin.close()
            for reader in readers:
                reader.join()
            code = process.wait()
        result = auto.CommandResult("\n".join(outputs[0]), "\n".join(outputs[1]), code)
        if code:
            raise create_command_error(result)
        return result

    def interrupt(self) -> None:
        """Ask a running command to stop; asked twice, the engine drops what is under way."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)


def _read(stream: IO[str] | None, told: auto.OnOutput | None, lines: list[str]) -> None:
    if stream is None:
        return
    for line in stream:
        lines.append(line.rstrip())
        if told is not None:
            told(lines[-1])


@dataclass
class Engine:
    """One stack of one project.

    Attributes:
        project: the folder with Pulumi.yaml; relative paths of the program start there.
        stack: the stack's name.
        command: what runs pulumi.
        variables: added to the environment of pulumi and its plugins.
        stopped: how often a person has asked to stop.
    """

    project: Path
    stack: str
    command: CancellableCommand
    variables: Mapping[str, str]
    stopped: int = field(default=0, init=False)

    def exists(self) -> bool:
        """Return whether the backend knows the stack.

        Raises:
            EngineFailedError: when the backend cannot be asked.
        """
        try:
            with _errors_told():
                self._workspace().select_stack(self.stack)
        except StackNotFoundError:
            return False
        return True

    def create(self) -> None:
        """Create the stack in the backend; its salt goes to the state, and no stack file is written."""
        with tempfile.TemporaryDirectory(prefix="slipway-") as folder, _errors_told():
            # `stack init` writes the salt beside Pulumi.yaml, so it gets one that nobody keeps.
            (Path(folder) / "Pulumi.yaml").write_bytes((self.project / "Pulumi.yaml").read_bytes())
            self._workspace(Path(folder)).create_stack(self.stack)

    def up(self, program: Program, on_event: OnEvent, *, targets: Sequence[str] = ()) -> None:
        """Create and change what the program describes.

        Args:
            program: the inline program.
            on_event: is given every event of the engine.
            targets: patterns of URNs, where not all of it is wanted.

        Raises:
            EngineFailedError: when it failed; what was made is in the state.
        """
        with self._running() as stack:
            stack.up(
                program=program,
                on_event=on_event,
                target=list(targets) or None,
                color="never",
                show_secrets=False,
                suppress_outputs=True,
            )

    def destroy(self, on_event: OnEvent) -> None:
        """Delete everything in the stack, and the stack itself from the backend.

        Raises:
            EngineFailedError: when something could not be deleted.
        """
        with self._running() as stack:
            stack.destroy(on_event=on_event, color="never", show_secrets=False, suppress_outputs=True)
        # Without --preserve-config it would delete the stack file.
        self.pulumi(("stack", "rm", "--yes", "--preserve-config"), None)

    def pulumi(self, arguments: Sequence[str], standard_input: str | None) -> str:
        """Run another pulumi command on the stack; returns its standard output (`slipway.operate.resume.Pulumi`)."""
        with _errors_told():
            done = self.command.run(
                list(arguments),
                str(self.project),
                {**self.variables, "PULUMI_STACK": self.stack},
                stdin=standard_input,
            )
        return done.stdout

    def resources(self) -> list[dict[str, Json]]:
        """Return the resources in the stack's state, secrets encrypted."""
        exported = cast(
            "dict[str, dict[str, list[dict[str, Json]]]]", json.loads(self.pulumi(("stack", "export"), None))
        )
        return exported["deployment"].get("resources") or []

    def _workspace(self, folder: Path | None = None) -> auto.LocalWorkspace:
        return auto.LocalWorkspace(
            work_dir=str(folder or self.project),
            env_vars=dict(self.variables),
            secrets_provider="passphrase",
            pulumi_command=self.command,
        )

    @contextlib.contextmanager
    def _running(self) -> Generator[auto.Stack]:
        """Hand out the stack for a long run: in the project's folder, stopped by Ctrl-C, its errors as a text."""
        # The SDK's language host logs a traceback when the engine ends a failed run before it.
        grpc_log = logging.getLogger("grpc._server")
        level = grpc_log.level
        grpc_log.setLevel(logging.CRITICAL)
        try:
            with contextlib.chdir(self.project), self._stoppable(), _errors_told():
                yield auto.Stack.select(self.stack, self._workspace())
        finally:
            grpc_log.setLevel(level)

    @contextlib.contextmanager
    def _stoppable(self) -> Generator[None]:
        def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
            self.stopped += 1
            self.command.interrupt()

        before = {number: signal.signal(number, stop) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, cast("Literal[signal.Handlers.SIG_DFL]", handler))


@contextlib.contextmanager
def _errors_told() -> Generator[None]:
    """Turn a failed pulumi command into its errors; the SDK's own text is everything that was printed."""
    try:
        yield
    except StackNotFoundError:
        raise
    except auto.CommandError as failed:
        raise EngineFailedError(errors_of(str(failed))) from None


def errors_of(text: str) -> str:
    """Return what pulumi printed as errors, or its last line where it named none."""
    labels = ("stdout:", "stderr:")
    stripped = [line.strip() for line in text.splitlines()]
    lines = [
        bare
        for line in stripped
        if (
            bare := next(
                (line.removeprefix(label).strip() for label in labels if line.startswith(label)), line
            )
        )
    ]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return "\n".join(dict.fromkeys(errors)) or (lines[-1] if lines else "pulumi failed without a word")
