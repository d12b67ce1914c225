"""How much memory the pods of a stack use over time, by the cluster's own metrics, and whether it grows."""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field

from tests.support.cluster import Cluster

MIB = 1 << 20
UNITS = {"Ki": 1 << 10, "Mi": MIB, "Gi": 1 << 30}
WARM_UP_SHARE = 0.4
"""The first part of a pod's samples, which says nothing about growth: pools fill, caches fill, modules load."""


@dataclass(frozen=True)
class Growth:
    """A line through the memory of a pod after its warm-up.

    Attributes:
        pod: its name.
        first_mib: the first sample of all.
        last_mib: the last one.
        mean_mib: after the warm-up.
        mib_per_minute: the slope.
        minutes: how long the line is.
    """

    pod: str
    first_mib: float
    last_mib: float
    mean_mib: float
    mib_per_minute: float
    minutes: float

    @property
    def mib(self) -> float:
        """By how much the line rises over its length."""
        return self.mib_per_minute * self.minutes

    @property
    def percent(self) -> float:
        """The same, of the mean."""
        return 100 * self.mib / self.mean_mib

    def __str__(self) -> str:
        """One line for a person."""
        return (
            f"{self.pod}: {self.first_mib:.1f} -> {self.last_mib:.1f} MiB; over the last {self.minutes:.1f} min"
            f" {self.mib_per_minute:+.2f} MiB/min ({self.percent:+.1f} %)"
        )


@dataclass
class MemoryWatch:
    """Samples of all pods of a namespace.

    Attributes:
        cluster: the namespace.
        samples: (seconds, bytes) by pod.
    """

    cluster: Cluster
    samples: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    def look(self) -> None:
        """Take a sample of every pod that the cluster has measured."""
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{self.cluster.namespace}/pods"
        for entry in json.loads(self.cluster.run("get", "--raw", path))["items"]:
            used = sum(_bytes(container["usage"]["memory"]) for container in entry["containers"])
            self.samples[entry["metadata"]["name"]].append((time.monotonic(), used))

    def peak_mib(self, pod: str) -> float:
        """Return the most that a pod used."""
        return max(used for _, used in self.samples[pod]) / MIB

    def growth(self, pod: str) -> Growth:
        """Fit a line through a pod's samples after its warm-up; needs five samples."""
        samples = [(seconds / 60, used / MIB) for seconds, used in self.samples[pod]]
        warm = samples[int(len(samples) * WARM_UP_SHARE) :]
        minutes, used = [minute for minute, _ in warm], [mib for _, mib in warm]
        return Growth(
            pod=pod,
            first_mib=samples[0][1],
            last_mib=samples[-1][1],
            mean_mib=statistics.mean(used),
            mib_per_minute=statistics.linear_regression(minutes, used).slope,
            minutes=minutes[-1] - minutes[0],
        )


def _bytes(quantity: str) -> int:
    """Read a quantity of the metrics API: exact, and 0 for a pod that has just begun."""
    unit = UNITS.get(quantity[-2:])
    return int(quantity[:-2]) * unit if unit else int(quantity)
