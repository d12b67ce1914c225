"""`make bench`: the bars of the offline preview, each printed with its figures; exit code 1 when one is missed.

1. The preview of one stack (the whole command, without the cache) takes at most 1.3 times what importing the same SDKs
   and registering the same resources takes; both are measured in turns, as processes of their own, and the bare run
   has the same conditions as the preview: no threads, no garbage collection.
2. It grows in line with the number of services: (t400 - t200) / (t200 - t100) is at most 2.2.
3. All stacks, unchanged, are shown from the cache in less than a second. Printed with its limit; a time by the clock
   says more of the machine than of the program, so it does not decide the exit code.

Ratios are of processor time: another program on the same cores makes the clock lie, not the processor's account.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.measure import BenchError, Timing, run_python
from bench.plan import write_plan
from bench.project import ROOT, copy_stacks, make_project, write_services
from slipway.cli.stacks import find_jobs, obtain

TURNS = 5
RATIO_LIMIT = 1.3
SERVICES = (100, 200, 400)
GROWTH_LIMIT = 2.2
GROWTH_TURNS = 3
MAX_GROWTH_TURNS = 6
CACHED_LIMIT_SECONDS = 1.0

_COMMAND = ("-m", "slipway", "preview")


def main(names: Sequence[str]) -> int:
    """Measure and print `ratio`, `growth`, `cached`, or all of them; returns the exit code."""
    bars = {"ratio": _ratio, "growth": _growth, "cached": _cached}
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
        try:
            results = [
                bars[name](Path(folder)) for name in names or bars
            ]  # all of them, also after a missed one
            return 0 if all(results) else 1
        except BenchError as error:
            _say(str(error))
            return 1


def _ratio(folder: Path) -> bool:
    project = make_project(folder / "ratio")
    held = True
    for stack in copy_stacks(project):
        (outcome,) = obtain(find_jobs(project, [stack], None))
        if outcome.record is None:
            raise BenchError(outcome.settings_error or outcome.failure)
        plan = project / f"{stack}.json"
        write_plan(outcome.record, plan)
        turns = [
            (
                run_python([*_COMMAND, stack, "--no-cache"], folder=project),
                run_python(["-m", "bench.quick", str(plan)], folder=ROOT),
                run_python(["-m", "bench.bare", str(plan)], folder=ROOT),
            )
            for _ in range(TURNS)
        ]
        preview, quick, bare = zip(*turns, strict=True)
        ratio = median(one.cpu / other.cpu for one, other, _ in turns)
        softer = median(one.cpu / other.cpu for one, _, other in turns)
        held &= ratio <= RATIO_LIMIT
        _say(f"{stack}: {len(outcome.record.registrations)} registrations, medians of {TURNS} turns")
        _say(f"  preview, the whole command          {Timing.median(preview)}")
        _say(f"  imports + bare registration         {Timing.median(quick)}")
        _say(f"  the same through the SDK's mocks    {Timing.median(bare)}")
        _say(f"  preview / bare                      {_held(ratio, RATIO_LIMIT)}")
        _say(f"  preview / bare with the SDK's mocks {softer:.2f}, for comparison")
    return held


def _growth(folder: Path) -> bool:
    project = make_project(folder / "growth")
    stacks = {count: write_services(project, count) for count in SERVICES}
    times: dict[int, list[float]] = {count: [] for count in SERVICES}
    growth = math.inf
    # Whatever disturbs a run makes it longer, so the shortest tells most; a difference of differences needs several.
    for turn in range(1, MAX_GROWTH_TURNS + 1):
        for count, stack in stacks.items():
            times[count].append(run_python([*_COMMAND, stack, "--no-cache"], folder=project).cpu)
        least = [min(times[count]) for count in SERVICES]
        growth = (least[2] - least[1]) / (least[1] - least[0])
        if turn >= GROWTH_TURNS and growth <= GROWTH_LIMIT:
            break
    for count in SERVICES:
        _say(f"{count} services: {min(times[count]):.2f} s processor, shortest of {len(times[count])}")
    _say(f"  (t400 - t200) / (t200 - t100)       {_held(growth, GROWTH_LIMIT)}")
    return growth <= GROWTH_LIMIT


def _cached(folder: Path) -> bool:
    project = make_project(folder / "cached")
    stacks = copy_stacks(project)
    first = run_python(_COMMAND, folder=project)
    again = Timing.median([run_python(_COMMAND, folder=project) for _ in range(TURNS)])
    _say(f"all {len(stacks)} stacks, recorded in parallel: {first.wall:.2f} s clock")
    _say(f"all {len(stacks)} stacks, unchanged: {again.wall:.2f} s clock, limit {CACHED_LIMIT_SECONDS:.0f} s")
    return True


def _held(ratio: float, limit: float) -> str:
    return f"{ratio:.2f}, at most {limit}: {'holds' if ratio <= limit else 'MISSED'}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
