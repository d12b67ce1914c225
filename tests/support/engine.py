"""Runs a Pulumi program under the real engine, with the simulated (or live) provider plugins.

    stack = EngineStack(tmp_path, program, config={"slipway:environment": "local"})
    result = stack.up()
    result.changes          # {"urn": Change(op="create", paths={...})}
    stack.up().changes      # {}: a second `up` changes nothing
    stack.cloud.objects()   # what exists in the simulated world
    stack.destroy()

A stack on a real cluster: `EngineStack(..., stack_file=Path("Pulumi.local.yaml"), live=True,
environment={"SLIPWAY_IMAGE_LOAD": "kind load docker-image"})`. The kubernetes provider then uses
the kubeconfig and context which the program gives it, never the environment's; docker uses the
daemon of the provider's `host`, or the default one. Everything else stays the same.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto
from pulumi.automation import events
from pulumi.automation._stack import StackInitMode  # not exported, but what a subclass of Stack takes

from tests.engine.plugins.cloud import Cloud
from tests.engine.plugins.install import install
from tests.support.tools import require_tool

type Program = Callable[[], None]

ROOT = Path(__file__).resolve().parents[2]

_NOT_COPIED = shutil.ignore_patterns(".venv", ".*_cache", "__pycache__")
_UNCHANGED = ("same", "refresh", "read")


@dataclass(frozen=True)
class Change:
    """What the engine did (or would do) to one resource."""

    op: str
    urn: str
    type: str
    name: str
    paths: Mapping[str, str]


@dataclass
class Result:
    """One run of the engine.

    Attributes:
        changes: by URN, everything whose state was changed; a replacement counts once, as `replace`.
        text: all that was printed, and every event as JSON: what a secret must not stand in.
        error: what the engine said when it failed, or empty.
    """

    changes: dict[str, Change] = field(default_factory=dict[str, Change])
    text: str = ""
    error: str = ""
    seconds: float = 0
    failed: list[str] = field(default_factory=list[str])

    def names(self, op: str | None = None) -> set[str]:
        """`Type name` of what was changed, e.g. `Deployment api`; `op` narrows it."""
        return {
            f"{change.type.rsplit(':', 1)[-1]} {change.name}"
            for change in self.changes.values()
            if op is None or change.op == op
        }


class EngineError(AssertionError):
    """A run that was expected to succeed failed."""


def pulumi_binary() -> str:
    """The pulumi program; skips (fails in CI) where there is none."""
    return require_tool("pulumi", variable="SLIPWAY_PULUMI", why="run the program under the real engine")


class _QuickStack(auto.Stack):
    """A stack that does not ask for outputs and history after each run: three processes that nobody here needs."""

    def outputs(self) -> auto.OutputMap:
        return {}

    def info(self, show_secrets: bool = True) -> auto.UpdateSummary:  # noqa: ARG002
        now = datetime.datetime.now(datetime.UTC)
        return auto.UpdateSummary("update", now, "", {}, {}, "succeeded")


class EngineStack:
    """One stack of one program, with a state backend, plugins and a simulated cloud of its own."""

    def __init__(
        self,
        folder: Path,
        program: Program,
        *,
        project: str = "slipway",
        stack: str = "test",
        config: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        stack_file: Path | None = None,
        environment: Mapping[str, str] | None = None,
        live: bool = False,
    ) -> None:
        """Prepare the stack; nothing runs yet.

        Args:
            folder: an empty or new folder for everything; one that was used before goes on with its state.
            program: what the engine runs, in this process.
            config: full key to value, as text; maps and lists as JSON text.
            secrets: the same for values which are stored encrypted.
            stack_file: a `Pulumi.<stack>.yaml` to start from, read by the engine's own parser.
            environment: added to the variables of engine and plugins.
            live: whether kubernetes and docker act on the real thing.
        """
        _tolerate_litter()
        self.folder = folder
        self.project = project
        self.name = stack
        self.backend = folder / "state"
        self.work = folder / "work"
        self.cloud = Cloud(folder / "cloud")
        self.environment = self._environment(environment or {}, live)
        self.program = program
        """What the next `up` or `preview` runs; another one may take its place."""
        if not self.work.exists():
            self._prepare(stack_file, config or {})
        self._command = auto.PulumiCommand(root=str(folder))
        workspace = auto.LocalWorkspace(
            work_dir=str(self.work),
            pulumi_home=str(folder / "home"),
            program=program,
            env_vars=self.environment,
            secrets_provider="passphrase",
            pulumi_command=self._command,
        )
        self._stack = _QuickStack(stack, workspace, StackInitMode.CREATE_OR_SELECT)
        if secrets:
            self.configure(secrets, secret=True)

    def _environment(self, extra: Mapping[str, str], live: bool) -> dict[str, str]:
        return {
            "PULUMI_BACKEND_URL": self.backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "passphrase of the tests",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "SLIPWAY_SIMULATED_CLOUD": str(self.folder / "cloud"),
            "SLIPWAY_SIMULATED_LIVE": "1" if live else "0",
            **extra,
        }

    def _prepare(self, stack_file: Path | None, config: Mapping[str, str]) -> None:
        """The folder the engine works in: the repository's as far as the program's paths go."""
        self.work.mkdir(parents=True)
        self.backend.mkdir()
        install(self.folder / "home")
        # Where the Automation API looks for a binary that is not the one on PATH.
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "pulumi").symlink_to(pulumi_binary())
        project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        project["name"] = self.project
        (self.work / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        for entry in ("app", "toolbox"):
            if (ROOT / entry).exists():
                shutil.copytree(ROOT / entry, self.work / entry, ignore=_NOT_COPIED)
        settings = self.work / f"Pulumi.{self.name}.yaml"
        if stack_file is not None:
            shutil.copy(stack_file, settings)
        else:
            settings.write_text(yaml.safe_dump({"config": dict(config)}))

    def configure(self, values: Mapping[str, str], *, secret: bool = False, path: bool = False) -> None:
        """Set configuration, as `pulumi config set` does.

        Args:
            values: key to text; with `path`, keys such as `slipway:services.api.env.LOG_LEVEL`.
            secret: whether they are stored encrypted.
            path: whether keys are paths into structured values.
        """
        wrapped = {key: auto.ConfigValue(value, secret) for key, value in values.items()}
        self._stack.set_all_config(wrapped, path=path)

    def up(self, *, check: bool = True, **options: object) -> Result:
        """`pulumi up`. Args: check: raise `EngineError` where it fails; options: as `Stack.up` has them."""
        return self._run(self._stack.up, check, program=self.program, show_secrets=False, **options)

    def preview(self, *, check: bool = True, **options: object) -> Result:
        """`pulumi preview`."""
        return self._run(self._stack.preview, check, program=self.program, **options)

    def refresh(self, *, check: bool = True, **options: object) -> Result:
        """`pulumi refresh`."""
        return self._run(self._stack.refresh, check, show_secrets=False, **options)

    def destroy(self, *, check: bool = True, **options: object) -> Result:
        """`pulumi destroy`."""
        return self._run(self._stack.destroy, check, show_secrets=False, **options)

    def export(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The state's `deployment`; `show_secrets` decrypts what is secret."""
        # The Automation API's own export lays every secret open.
        shown = ("--show-secrets",) if show_secrets else ()
        return json.loads(self.command("stack", "export", "--stack", self.name, *shown))["deployment"]

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs with secrets laid open."""
        return json.loads(self.command("stack", "output", "--json", "--show-secrets", "--stack", self.name))

    def resources(self) -> dict[str, dict[str, Any]]:
        """The state's resources by URN, secrets encrypted."""
        return {found["urn"]: found for found in self.export().get("resources", [])}

    def command(self, *arguments: str) -> str:
        """Run another pulumi command on this stack's backend; returns its standard output."""
        return self.pulumi(arguments, None)

    def pulumi(self, arguments: Sequence[str], standard_input: str | None) -> str:
        """Run `pulumi` as the product's functions want it run (`slipway.operate.resume.Pulumi`)."""
        done = subprocess.run(
            [self._command.command, *arguments],
            cwd=self.work,
            env={**os.environ, **self.environment, "PULUMI_HOME": str(self.folder / "home")},
            input=standard_input,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EngineError(f"pulumi {' '.join(arguments)}: {done.stderr}{done.stdout}")
        return done.stdout

    def _run(self, run: Callable[..., object], check: bool, **options: object) -> Result:
        result = Result()
        lines: list[str] = []

        def on_event(event: events.EngineEvent) -> None:
            lines.append(json.dumps(event, default=_members))
            _collect(event, result)

        # The SDK's language host logs a traceback when the engine ends a failed run before it.
        grpc_log = logging.getLogger("grpc._server")
        grpc_log.setLevel(logging.CRITICAL)
        started = time.monotonic()
        try:
            with contextlib.chdir(self.work):  # where the program would run without an Automation API
                run(
                    on_output=lines.append, on_error=lines.append, on_event=on_event, color="never", **options
                )
        except auto.CommandError as failed:
            result.error = str(failed)
        finally:
            grpc_log.setLevel(logging.NOTSET)
        result.seconds = time.monotonic() - started
        result.text = "\n".join(lines)
        if check and result.error:
            raise EngineError(result.error)
        return result


@functools.cache
def _tolerate_litter() -> None:
    """Keep silent about what the SDK leaves of a failed program: an event loop that is open, a coroutine that waits.

    Python complains when it collects them, and pytest would blame whatever test runs at that moment.
    """
    report = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        waits = getattr(unraisable.object, "__name__", "") == "run_in_stack"
        # The sockets are the two ends by which an event loop wakes itself.
        is_open = re.match("unclosed (event loop|<socket.socket .* family=1,)", str(unraisable.exc_value))
        if not waits and not is_open:
            report(unraisable)

    sys.unraisablehook = hook


def _members(value: object) -> object:
    return getattr(value, "__dict__", str(value))


def _collect(event: events.EngineEvent, result: Result) -> None:
    if event.resource_pre_event is not None:
        meta = event.resource_pre_event.metadata
        op = meta.op.value
        if op in _UNCHANGED or op in ("create-replacement", "delete-replaced", "discard-replaced"):
            return
        urn_name = meta.urn.split("::", 3)[3]
        paths = {path: diff.diff_kind.value for path, diff in (meta.detailed_diff or {}).items()}
        result.changes[meta.urn] = Change(op, meta.urn, meta.type, urn_name, paths)
    elif event.res_op_failed_event is not None:
        result.failed.append(event.res_op_failed_event.metadata.urn)
