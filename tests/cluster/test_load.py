"""The application under the load of a release: 100 readers, 50 writers, 200 WebSockets.

Half a minute in the tier; `make load-test` (LOAD_SECONDS=600) is the bar, where memory must not grow, too.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import pytest

from components.shared.quantities import parse_memory
from tests.support.cluster_load import Load, load
from tests.support.cluster_memory import MemoryWatch
from tests.support.cluster_stack import LiveStack

SECONDS = float(os.environ.get("LOAD_SECONDS", "30"))
LONG_SECONDS = 300
"""From here on there are enough samples after the warm-up to judge growth."""
SAMPLE_SECONDS = 15
"""The usual interval of a metrics server."""
PEOPLE = {"users": 100, "writers": 50, "websockets": 200}
WATCHED = ("api", "worker", "frontend", "redis-cache")
"""Not PostgreSQL: what it uses includes the kernel's cache of a database that is being filled."""
LIMIT_SHARE = 0.85
GROWTH_PERCENT = 3.0
"""Of the mean, over the time after the warm-up: more than the noise of samples, less than a leak that matters."""
GROWTH_MIB = 2.0
"""Below it a small process grows by many percent when its allocator takes a few pages more."""


@dataclass(frozen=True)
class _Loaded:
    seen: Load
    memory: MemoryWatch


@pytest.fixture(scope="module")
def loaded(
    held: LiveStack, doors: dict[str, str], figures: list[str], tmp_path_factory: pytest.TempPathFactory
) -> _Loaded:
    memory = MemoryWatch(held.cluster)
    with load(tmp_path_factory.mktemp("load"), doors["api"], **PEOPLE) as seen:
        over = time.monotonic() + SECONDS
        while time.monotonic() < over:
            memory.look()
            time.sleep(max(0.0, min(SAMPLE_SECONDS, over - time.monotonic())))
        memory.look()
    figures += [f"load of {SECONDS:.0f} s:", *seen.text.splitlines()]
    return _Loaded(seen, memory)


def _pods(stack: LiveStack, memory: MemoryWatch) -> list[tuple[str, float]]:
    """The watched pods that were there all the time, with their memory limit in MiB."""
    everywhere = max(len(samples) for samples in memory.samples.values())
    return [
        (
            pod["metadata"]["name"],
            float(parse_memory(pod["spec"]["containers"][0]["resources"]["limits"]["memory"])),
        )
        for part in WATCHED
        for pod in stack.pods(part)
        if len(memory.samples.get(pod["metadata"]["name"], ())) > 0.8 * everywhere
    ]


def test_nothing_fails_under_the_load_of_a_release(loaded: _Loaded) -> None:
    report = loaded.seen.report

    assert report["failures"] == []
    assert report["errors"] == []
    assert report["messages"]["answered"] == report["messages"]["accepted"] > 0
    assert report["websockets"]["opened"] == PEOPLE["websockets"]


def test_the_pods_stay_within_their_memory(held: LiveStack, loaded: _Loaded, figures: list[str]) -> None:
    peaks = {pod: (loaded.memory.peak_mib(pod), limit) for pod, limit in _pods(held, loaded.memory)}
    figures += [f"memory of {pod}: {peak:.1f} of {limit:.0f} MiB" for pod, (peak, limit) in peaks.items()]

    assert {pod.rpartition("-")[0].split("-")[0] for pod in peaks} >= {"api", "worker", "frontend"}
    assert {pod: peak for pod, (peak, limit) in peaks.items() if peak > LIMIT_SHARE * limit} == {}


if SECONDS >= LONG_SECONDS:

    def test_memory_does_not_grow_after_the_warm_up(
        held: LiveStack, loaded: _Loaded, figures: list[str]
    ) -> None:
        lines = [loaded.memory.growth(pod) for pod, _ in _pods(held, loaded.memory)]
        figures += [str(line) for line in lines]

        growing = [line for line in lines if line.percent > GROWTH_PERCENT and line.mib > GROWTH_MIB]
        assert [str(line) for line in growing] == []
