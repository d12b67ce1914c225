"""Kubernetes objects of a record: which, in which order they apply, what their pods are given."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from slipway.offline.model import Json, Path, Record, Registration

_APPLY_ORDER = (
    ("Namespace",),
    ("CustomResourceDefinition", "StorageClass", "PriorityClass"),
    ("ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"),
    ("ResourceQuota", "LimitRange", "NetworkPolicy"),
    ("ConfigMap", "Secret", "PersistentVolumeClaim", "Service"),
    ("StatefulSet",),
    ("Job",),
    ("Deployment", "DaemonSet", "CronJob", "ReplicaSet", "Pod"),
    ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress"),
)
"""What must exist before what, for someone who applies the files one after the other."""

_RANKS = {kind: rank for rank, kinds in enumerate(_APPLY_ORDER) for kind in kinds}

POD_TEMPLATES: dict[str, Path] = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind of workload holds its pod template."""


@dataclass(frozen=True)
class Workload:
    """A row of the table of workloads; cpu in millicores, memory in MiB, None where nothing is said."""

    kind: str
    name: str
    pods_min: int
    pods_max: int
    cpu_request: int | None
    memory_request: int | None
    cpu_limit: int | None
    memory_limit: int | None
    images: tuple[str, ...]
    schedule: str = ""


def kubernetes_objects(record: Record) -> tuple[Registration, ...]:
    """Every registration that is an object of a cluster, in the order to apply them."""
    found = [one for one in record.registrations if one.custom and one.type.startswith("kubernetes:")]
    return tuple(sorted(found, key=_apply_key))


def kind_of(one: Registration) -> str:
    """The object's kind; the last part of the type token where the inputs lack it."""
    kind = one.get("kind")
    return kind if isinstance(kind, str) else one.type.rpartition(":")[2]


def name_of(one: Registration) -> str:
    """`metadata.name`; the logical name where the inputs lack it."""
    name = one.get("metadata", "name")
    return name if isinstance(name, str) else one.name


def namespace_of(one: Registration) -> str:
    """`metadata.namespace`, or "" for an object of the whole cluster."""
    namespace = one.get("metadata", "namespace")
    return namespace if isinstance(namespace, str) else ""


def rank_of(kind: str) -> int:
    """When an object of this kind is applied: 0 is first."""
    return _RANKS.get(kind, len(_APPLY_ORDER))


def workloads(record: Record) -> tuple[Workload, ...]:
    """What runs pods, with its scaling taken from the autoscaler that targets it."""
    scaled = dict(_scaling(record))
    return tuple(
        _workload(one, scaled) for one in kubernetes_objects(record) if kind_of(one) in POD_TEMPLATES
    )


def containers(one: Registration) -> list[dict[str, Json]]:
    """The containers of a workload's pods, init containers aside."""
    template = POD_TEMPLATES.get(kind_of(one))
    found = one.get(*template, "spec", "containers") if template else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def millicores(quantity: Json) -> int | None:
    """CPU as Kubernetes writes it ("250m", "0.5", 2) in millicores."""
    number, unit = _quantity(quantity)
    return None if number is None else round(number * {"": 1000, "m": 1}.get(unit, 0))


def mebibytes(quantity: Json) -> int | None:
    """Memory as Kubernetes writes it ("512Mi", "1Gi", 1e9) in MiB."""
    number, unit = _quantity(quantity)
    return None if number is None else round(number * _BYTES.get(unit, 0) / 2**20)


def _workload(one: Registration, scaled: dict[tuple[str, str, str], tuple[int, int]]) -> Workload:
    kind, name = kind_of(one), name_of(one)
    fixed = _integer(one.get("spec", "replicas"), 1)
    if kind == "Job":
        fixed = _integer(one.get("spec", "parallelism"), 1)
    least, most = scaled.get((namespace_of(one), kind, name), (fixed, fixed))
    all_containers = containers(one)
    resources = [cast("dict[str, Json]", item.get("resources") or {}) for item in all_containers]
    schedule = one.get("spec", "schedule")
    return Workload(
        kind=kind,
        # A name that only `up` decides would be another one there; the logical name stays.
        name=one.name if ("metadata", "name") in one.unknown_paths else name,
        pods_min=least,
        pods_max=most,
        cpu_request=_total(resources, "requests", "cpu"),
        memory_request=_total(resources, "requests", "memory"),
        cpu_limit=_total(resources, "limits", "cpu"),
        memory_limit=_total(resources, "limits", "memory"),
        images=tuple(_image(item.get("image")) for item in all_containers),
        schedule=schedule if isinstance(schedule, str) else "",
    )


def _scaling(record: Record) -> Iterator[tuple[tuple[str, str, str], tuple[int, int]]]:
    for one in record.registrations:
        if kind_of(one) == "HorizontalPodAutoscaler":
            target = (
                namespace_of(one),
                *(str(one.get("spec", "scaleTargetRef", key)) for key in ("kind", "name")),
            )
            least, most = (_integer(one.get("spec", key), 1) for key in ("minReplicas", "maxReplicas"))
            yield cast("tuple[str, str, str]", target), (least, most)


def _total(resources: list[dict[str, Json]], side: str, resource: str) -> int | None:
    """The sum over a pod's containers; None as soon as one of them leaves it open."""
    convert = millicores if resource == "cpu" else mebibytes
    amounts: list[int] = []
    for one in resources:
        values = one.get(side)
        amount = convert(values.get(resource)) if isinstance(values, dict) else None
        if amount is None:
            return None
        amounts.append(amount)
    return sum(amounts) if amounts else None


def _image(value: Json) -> str:
    return value if isinstance(value, str) else "known after `up`"


def _integer(value: Json, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _quantity(quantity: Json) -> tuple[float | None, str]:
    if isinstance(quantity, int | float) and not isinstance(quantity, bool):
        return float(quantity), ""
    match = _QUANTITY.fullmatch(quantity) if isinstance(quantity, str) else None
    return (float(match[1]), match[2]) if match else (None, "")


def _apply_key(one: Registration) -> tuple[int, str, str, str]:
    kind = kind_of(one)
    return rank_of(kind), kind, namespace_of(one), name_of(one)


_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(m|[kMGTP]|[KMGTP]i|)")
_BYTES = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
}
