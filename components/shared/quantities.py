"""Amounts of CPU, memory and storage as Kubernetes writes them.

Kubernetes accepts many spellings, and some are traps: `memory: 512` means 512 bytes, `cpu: 512` 512 cores. Sections
hold one normalised text; `parse_cpu` and `parse_memory` give whole millicores and mebibytes for sums and comparisons.
Source of the notation: Kubernetes documentation, "Resource Management for Pods and Containers" and "Quantity".
"""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from components.shared.refusal import refuse

MAX_CPU_MILLICORES = 192_000
"""The cores of the largest general-purpose node that EKS starts (m8g.48xlarge: 192); more can never be scheduled."""

MAX_MEMORY_MEBIBYTES = 1_572_864
"""1,536 GiB, the memory of the largest memory-optimised Graviton node (r8g.48xlarge)."""

MAX_STORAGE_MEBIBYTES = 16 * 1024 * 1024
"""16 TiB, the largest gp3 volume that EBS gave until 2025; enough for every in-cluster store."""

MEBIBYTE = 1024 * 1024
_CPU = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>m?)")
_BYTES = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>Ki|Mi|Gi|Ti|k|M|G|T)")
_UNITS = {
    "Ki": 1024,
    "Mi": 1024**2,
    "Gi": 1024**3,
    "Ti": 1024**4,
    "k": 1000,
    "M": 1000**2,
    "G": 1000**3,
    "T": 1000**4,
}


def parse_cpu(value: object) -> int:
    """Return millicores of a Kubernetes CPU quantity: `250m`, `"0.5"`, `1`, `1.5`.

    Raises:
        PydanticCustomError: when it is no quantity, not a whole number of millicores, or outside 1m to 192 cores.
    """
    match = None if isinstance(value, bool) else _CPU.fullmatch(str(value))
    if match is None:
        raise refuse(
            "no amount of CPU",
            why="Kubernetes would refuse the pod.",
            remedy="Write millicores such as `250m`, or cores such as `1` or `0.5`.",
        )
    millicores = Decimal(match["number"]) * (1 if match["unit"] else 1000)
    if millicores != millicores.to_integral_value() or not 1 <= millicores <= MAX_CPU_MILLICORES:
        raise refuse(
            f"not a whole number of millicores between 1m and {MAX_CPU_MILLICORES // 1000} cores",
            why="No node can give it: Kubernetes would refuse the pod or never schedule it.",
            remedy="A number without unit means cores: write `500m` for half a core.",
        )
    return int(millicores)


def _parse_bytes(value: object, *, what: str, example: str, maximum: int) -> int:
    match = None if isinstance(value, bool) else _BYTES.fullmatch(str(value))
    if match is None:
        bare = re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(value)) is not None and not isinstance(value, bool)
        raise refuse(
            f"an amount of {what} without a unit" if bare else f"no amount of {what}",
            why="A number without a unit means bytes: the pod could never run."
            if bare
            else "Kubernetes would refuse the object.",
            remedy=f"Write a number with its unit, such as `{example}`.",
        )
    amount = Decimal(match["number"]) * _UNITS[match["unit"]] / MEBIBYTE
    mebibytes = int(amount.to_integral_value(rounding="ROUND_CEILING"))
    if not 1 <= amount <= maximum:
        raise refuse(
            f"outside 1Mi to {maximum // 1024}Gi of {what}",
            why="No node or volume can give it.",
            remedy=f"Write an amount such as `{example}`.",
        )
    return mebibytes


def parse_memory(value: object) -> int:
    """Return mebibytes, rounded up, of a Kubernetes memory quantity such as `512Mi`, `0.5Gi` or `1G`.

    Raises:
        PydanticCustomError: when it is no quantity, has no unit, or is outside 1Mi to 1,536Gi.
    """
    return _parse_bytes(value, what="memory", example="512Mi", maximum=MAX_MEMORY_MEBIBYTES)


def parse_storage(value: object) -> int:
    """Return mebibytes, rounded up, of a volume's size such as `10Gi`.

    Raises:
        PydanticCustomError: when it is no quantity, has no unit, or is outside 1Mi to 16Ti.
    """
    return _parse_bytes(value, what="storage", example="10Gi", maximum=MAX_STORAGE_MEBIBYTES)


def cpu_text(millicores: int) -> str:
    """Return the Kubernetes notation of an amount of CPU: `250m`, `2`."""
    return str(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def mebibytes_text(mebibytes: int) -> str:
    """Return the Kubernetes notation of an amount of memory or storage: `512Mi`, `2Gi`."""
    return f"{mebibytes // 1024}Gi" if mebibytes % 1024 == 0 else f"{mebibytes}Mi"


def _cpu(value: object) -> str:
    return cpu_text(parse_cpu(value))


def _memory(value: object) -> str:
    return mebibytes_text(parse_memory(value))


def _storage(value: object) -> str:
    return mebibytes_text(parse_storage(value))


Cpu = Annotated[
    str,
    BeforeValidator(_cpu),
    WithJsonSchema(
        {"type": ["string", "number"], "pattern": r"^[0-9]+(\.[0-9]+)?m?$", "examples": ["250m", "1"]}
    ),
]
"""An amount of CPU in Kubernetes' notation, normalised (`0.5` becomes `500m`)."""

Memory = Annotated[
    str,
    BeforeValidator(_memory),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([KMGT]i|[kMGT])$", "examples": ["512Mi", "1Gi"]}
    ),
]
"""An amount of memory in Kubernetes' notation, normalised to `Mi` or `Gi`."""

Storage = Annotated[
    str,
    BeforeValidator(_storage),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([KMGT]i|[kMGT])$", "examples": ["10Gi"]}
    ),
]
"""The size of a volume in Kubernetes' notation, normalised to `Mi` or `Gi`."""
