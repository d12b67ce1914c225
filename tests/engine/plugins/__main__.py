"""`python -m tests.engine.plugins PACKAGE VERSION ENGINE_ADDRESS`: one provider plugin.

A run of the engine starts every plugin anew, often twice, so nothing is imported that the
package does not need: `pulumi` itself would cost more than all the rest.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

CLOUD = "SLIPWAY_SIMULATED_CLOUD"
"""Environment variable: the folder in which the simulated cloud outlives the engine."""

LIVE = "SLIPWAY_SIMULATED_LIVE"
"""Environment variable: set to 1, kubernetes and docker act on the real thing."""


def _only_protocol() -> None:
    """Make `pulumi.runtime.proto` importable without running the SDK's own `__init__`."""
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the pulumi package is not installed")
    root = Path(next(iter(spec.submodule_search_locations)))
    for name, folder in (
        ("pulumi", root),
        ("pulumi.runtime", root / "runtime"),
        ("pulumi.runtime.proto", root / "runtime" / "proto"),
    ):
        module = types.ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module


def main() -> None:
    """Serve the package named in argv."""
    name, version = sys.argv[1:3]
    _only_protocol()

    from tests.engine.plugins import server
    from tests.engine.plugins.cloud import Cloud
    from tests.engine.plugins.package import Package

    live = os.environ.get(LIVE) == "1"
    cloud = Cloud(Path(os.environ[CLOUD]))

    def make(log: Callable[[str, str], None]) -> Package:
        if name == "random":
            from tests.engine.plugins.random_values import RandomPackage as Chosen
        elif name == "tls":
            from tests.engine.plugins.tls import TlsPackage as Chosen
        elif name == "docker" and live:
            from tests.engine.plugins.docker_live import LiveDockerPackage as Chosen
        elif name == "docker":
            from tests.engine.plugins.docker import DockerPackage as Chosen
        elif name == "kubernetes" and live:
            from tests.engine.plugins.kubernetes_live import LiveKubernetesPackage as Chosen
        elif name == "kubernetes":
            from tests.engine.plugins.kubernetes import KubernetesPackage as Chosen
        else:
            raise SystemExit(f"no simulated provider for {name}")
        return Chosen(cloud, log)

    server.serve(make, version)


if __name__ == "__main__":
    main()
