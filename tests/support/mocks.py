"""Runs a Pulumi program under the SDK's own mocks as in a real `up` (`preview=False`), with computed outputs.

The outputs are those of slipway/offline/synthesis.py, so that unit tests and the offline preview agree. Unlike the
offline record this keeps the values of secrets (all of them made up), so that a test can read a URL.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
from pulumi.runtime import config as pulumi_config
from pulumi.runtime import settings as pulumi_settings
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.stack import run_in_stack

from slipway.offline.synthesis import synthesise

_SECRET_KEY = "4dabf18193072939515e22adb298388d"
"""What marks a secret on the wire; its value stands beside it."""


def _plain(value: Any) -> Any:  # noqa: ANN401 - untyped JSON of the SDK
    if isinstance(value, dict):
        if _is_secret(value):
            return _plain(value["value"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _is_secret(value: object) -> bool:
    return isinstance(value, dict) and _SECRET_KEY in value


@dataclass
class Run(Mocks):
    """What a program registered: each resource's inputs by type and name, and which of them are secret."""

    resources: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    secret_inputs: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Fail the test: the program asks no provider for anything."""
        raise AssertionError(f"the program calls {args.token}")

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Keep the inputs and answer with the computed outputs."""
        key = (args.typ, args.name)
        assert key not in self.resources, f"two resources {key}"
        self.resources[key] = _plain(args.inputs)
        self.secret_inputs[key] = {name for name, value in args.inputs.items() if _is_secret(value)}
        urn = f"urn:pulumi:test::slipway::{args.typ}::{args.name}"
        synthesis = synthesise(urn, args.typ, args.name, self.resources[key])
        return synthesis.id or args.name, {**args.inputs, **synthesis.outputs}


def run_live(
    program: Callable[[], None],
    *,
    stack: str = "test",
    config: Mapping[str, str] | None = None,
    secret_keys: Sequence[str] = (),
    mocks: Run | None = None,
) -> Run:
    """Run a program to its end with `preview=False` and return what it registered.

    Args:
        program: the program; what it raises comes out unchanged.
        stack: the name of the stack.
        config: full keys to text, as the engine has them.
        secret_keys: the keys of `config` whose value is secret.
        mocks: what keeps the registrations, for a test that looks at them after a refusal.
    """
    found = mocks if mocks is not None else Run()

    def inside() -> None:
        # The mock monitor answers in a thread with an event loop of its own; one thread, so that there is one to close.
        loop, monitor_loop = asyncio.new_event_loop(), asyncio.new_event_loop()
        executor = ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(monitor_loop,))
        loop.set_default_executor(executor)
        asyncio.set_event_loop(loop)
        try:
            set_mocks(found, project="slipway", stack=stack, preview=False)
            # `set_mocks` makes a stack that is finished at once; the program gets one that waits for it.
            pulumi_settings.ROOT.set(None)
            pulumi_config.set_all_config({**(config or {})}, list(secret_keys))
            loop.run_until_complete(run_in_stack(cast("Callable[[], Any]", program)))
        finally:
            executor.shutdown()
            loop.close()
            monitor_loop.close()
            asyncio.set_event_loop(None)

    contextvars.copy_context().run(inside)
    return found


def values(program: Callable[[], Mapping[str, pulumi.Input[Any]]]) -> dict[str, Any]:
    """Run a program that returns outputs, and return their values and, below `secret:<name>`, whether they are secret.

    Args:
        program: makes resources or none, and returns what is asked for by name.
    """
    found: dict[str, Any] = {}

    def run() -> None:
        async def keep(name: str, output: pulumi.Output[Any]) -> None:
            found[name] = await output.future()
            found[f"secret:{name}"] = await output.is_secret()

        for name, value in program().items():
            task = asyncio.ensure_future(keep(name, pulumi.Output.from_input(value)))
            # The run waits for these tasks as for the program's own outputs.
            cast("Any", pulumi_settings.SETTINGS).outputs.add(task)

    run_live(run)
    return found
