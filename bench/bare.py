"""The lower bound: the resources of a record, registered by the SDK's own classes and nothing else.

    python -m bench.bare PLAN

The plan holds the inputs as they went over the wire, so there is no component, no setting, no Output to wait for and
no Args class to build: less than any program could do. This goes through the SDK's threads and its own mocks, as a test
that uses `set_mocks`; `bench.quick` registers in place, with a monitor that only says "yes".
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_pulumi_func

from slipway.offline.loop import DirectLoop


class Echo(mocks.Mocks):
    """Answers every resource with its inputs."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """No program here calls a provider's function."""
        raise LookupError(args.token)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """The inputs, as they came."""
        return f"{args.name}-id", cast("dict[str, Any]", cast("Any", args).inputs)


class Yes(mocks.MockMonitor):
    """Answers every registration at once, without looking at it."""

    def RegisterResource(  # noqa: N802 - a method of the gRPC service
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """A URN and an id."""
        urn = self.make_urn(request.parent, request.type, request.name)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=request.name)


def register(steps: list[dict[str, Any]]) -> None:
    """Construct every resource of a plan."""
    made: dict[str, pulumi.Resource] = {}
    for step in steps:
        provider = cast("pulumi.ProviderResource | None", made.get(step["provider"]))
        options = pulumi.ResourceOptions(parent=made.get(step["parent"]), provider=provider)
        if step["class"] is None:
            made[step["urn"]] = pulumi.ComponentResource(step["type"], step["name"], opts=options)
        else:
            module, attribute = step["class"]
            make = cast("Callable[..., pulumi.Resource]", getattr(importlib.import_module(module), attribute))
            made[step["urn"]] = make(step["name"], opts=options, **step["inputs"])


def main(plan: Path, *, direct: bool) -> None:
    """Run a plan.

    Args:
        plan: as `bench.plan` wrote it.
        direct: register in place and let the monitor say "yes", instead of the SDK's threads and mocks.
    """
    steps = cast("list[dict[str, Any]]", json.loads(plan.read_text(encoding="utf-8")))

    async def run() -> None:
        monitor = Yes(Echo()) if direct else None
        pulumi.runtime.set_mocks(Echo(), project="slipway", stack="bare", preview=True, monitor=monitor)
        await run_pulumi_func(lambda: register(steps))

    with asyncio.Runner(loop_factory=DirectLoop if direct else None) as runner:
        runner.run(run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), direct=False)
