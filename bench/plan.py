"""What a record registered, as the plan of a bare run: class by class, with the inputs as they went over the wire."""

from __future__ import annotations

import json
import re
from pathlib import Path

from slipway.offline.model import PROVIDER_PREFIX, Record, Registration


def write_plan(record: Record, target: Path) -> None:
    """Write the plan of a record for `bench.bare`."""
    steps = [
        {
            "class": class_of(one) if one.custom else None,
            "type": one.type,
            "name": one.name,
            "urn": one.urn,
            "parent": one.parent,
            "provider": one.provider,
            "inputs": {_snake_case(key): value for key, value in one.inputs.items()} if one.custom else {},
        }
        for one in record.registrations
    ]
    target.write_text(json.dumps(steps), encoding="utf-8")


def class_of(one: Registration) -> tuple[str, str]:
    """Module and name of the SDK class of a resource."""
    if one.is_provider:
        return f"pulumi_{one.type.removeprefix(PROVIDER_PREFIX)}", "Provider"
    package, module, name = one.type.split(":")
    if package != "kubernetes":
        return f"pulumi_{package}", name
    group, version = module.split("/")
    return f"pulumi_kubernetes.{group.partition('.')[0]}.{version}", name


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
