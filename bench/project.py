"""Projects to measure: the stacks of this working copy, or one with any number of services."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]


def make_project(folder: Path) -> Path:
    """A project folder with this program and no stack, so that nothing is written to the working copy."""
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    # As a fresh clone has it: a virtual environment in there would be walked through as part of the build context.
    shutil.copytree(
        ROOT / "app", folder / "app", ignore=shutil.ignore_patterns(".*_cache", ".venv", "__pycache__")
    )
    return folder


def copy_stacks(folder: Path) -> list[str]:
    """Copy every stack file of the working copy into a project; returns the names of the stacks."""
    files = sorted(ROOT.glob("Pulumi.*.yaml"))
    for file in files:
        shutil.copy(file, folder)
    return [file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files]


def write_services(folder: Path, count: int) -> str:
    """Write a stack with `count` services of equal size into a project; returns its name."""
    service = {
        "role": "api",
        "port": 8000,
        "probes": {"liveness": {"path": "/health/live"}, "readiness": {"path": "/health/ready"}},
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "500m", "memory": "128Mi"},
        },
        "scaling": {"min": 2, "max": 4, "cpu": 70},
        "env": {"LOG_LEVEL": "info", "JWT_SECRET": {"secret": "jwtSecret"}},
    }
    config = {
        "slipway:environment": "dev",
        "slipway:app": {"name": "bench", "owner": "bench"},
        "slipway:cluster": {"kind": "existing", "context": "bench", "kubeconfig": "/nowhere/config"},
        "slipway:image": {"kind": "build", "context": "./app"},
        "slipway:services": {f"service-{number:03d}": service for number in range(count)},
        "slipway:secrets": {"jwtSecret": {"generate": 48}},
    }
    # JSON is YAML.
    text = json.dumps({"config": config}, indent=1)
    (folder / f"Pulumi.services-{count}.yaml").write_text(text, encoding="utf-8")
    return f"services-{count}"
