"""Several stacks at once, each in a process of its own: a run of the program keeps one core busy."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence


def map_in_processes[Job, Result](
    function: Callable[[Job], Result], jobs: Sequence[Job], *, processes: int | None = None
) -> list[Result]:
    """Apply `function` to every job and return the results in order.

    Args:
        function: importable by name; returns failures as results, so that the other jobs are seen too.
        jobs: each can be pickled. A single one is done in this process.
        processes: at most this many at a time; the cores of this machine by default.
    """
    limit = min(len(jobs), processes or available_cores())
    if limit <= 1:
        return [function(job) for job in jobs]
    # Costs 50 ms to import, and a preview from the cache never needs it.
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # "spawn": a forked copy of a process that has used gRPC may hang.
    with ProcessPoolExecutor(max_workers=limit, mp_context=get_context("spawn")) as pool:
        return list(pool.map(function, jobs))


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
