"""Runs a Pulumi program without an engine and keeps every registration.

The program runs as under the engine's language host (`run_in_stack`), against a monitor of our own that
answers with the inputs and the synthesised outputs. Each run has its own context and event loop, so that
several runs in one process share neither root resource nor secret keys; no PULUMI_CONFIG variable is asked.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from pulumi.runtime import config as pulumi_config
from pulumi.runtime import settings as pulumi_settings
from pulumi.runtime.mocks import MockSettings
from pulumi.runtime.stack import run_in_stack

from slipway.offline.loop import DirectLoop
from slipway.offline.model import Json, Record
from slipway.offline.monitor import Engine, Recorder
from slipway.offline.pause import garbage_collection_paused

if TYPE_CHECKING:
    from collections.abc import Awaitable


def record(
    program: Callable[[], None],
    *,
    project: str,
    stack: str,
    config: Mapping[str, str],
    secret_keys: Iterable[str] = (),
    preview: bool = True,
) -> Record:
    """Run `program` as a stack and return what it registered.

    Args:
        program: the whole Pulumi program; it reads `pulumi.Config` and calls `pulumi.export`.
        project: name of the Pulumi project.
        stack: name of the stack.
        config: full keys (`slipway:services`) to text; maps and lists as JSON text, as the engine has them.
        secret_keys: keys of `config` whose values are secret.
        preview: whether computed outputs that the synthesised values lack are unknown (True) or None.

    Raises:
        Whatever the program raises, unchanged; `RecordError` when the program can't be run offline.
    """
    secrets = frozenset(secret_keys)
    recorder = Recorder(
        project, stack, secret_values=[config[key] for key in sorted(secrets) if key in config]
    )
    engine = Engine()

    async def run() -> None:
        _configure(recorder, engine, project, stack, preview)
        pulumi_config.CONFIG.set(_ClosedConfig(config))
        # The set of secret keys has no public setter without the one of the values.
        cast("Any", pulumi_config)._SECRET_KEYS.set(set(secrets))
        # The SDK's signature asks for an awaitable; a plain program returns None, which it takes as well.
        await run_in_stack(cast("Callable[[], Awaitable[None] | None]", program))

    loop = DirectLoop()
    with garbage_collection_paused(), asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            runner.run(run(), context=contextvars.copy_context())
        except BaseException:
            # The first failure is on its way to the caller; futures that failed because of it stay silent.
            loop.set_exception_handler(lambda _loop, _context: None)
            raise
    return recorder.finish(engine.lines)


def _configure(recorder: Recorder, engine: Engine, project: str, stack: str, preview: bool) -> None:
    """Every setting of the SDK's runtime, so that nothing of an earlier run or of the environment is left."""
    pulumi_settings.ROOT.set(None)
    settings: dict[str, object] = {
        "project": project,
        "stack": stack,
        "organization": "organization",
        "root_directory": os.getcwd(),  # where the engine would run the program
        "monitor": recorder,
        "engine": engine,
        "dry_run": preview,
        "parallel": None,
        "legacy_apply_enabled": False,
        "monitor_features": set[int](),
        "package_refs": dict[str, str](),
        "base_providers_by_ref": dict[str, str](),
        "outputs": set["asyncio.Task[object]"](),
        "lock": threading.Lock(),
        "callbacks": None,
    }
    pulumi_settings.configure(MockSettings(**settings))


class _ClosedConfig(dict[str, Json]):
    """Configuration that answers for every key, so that the SDK never looks for PULUMI_CONFIG variables."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> None:
        return None

    def __bool__(self) -> bool:
        return True  # also an empty one is the configuration
