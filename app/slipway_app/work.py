"""GET /work burns CPU, so that autoscaling can be seen. Served only with ENABLE_WORK=true."""

import hashlib
import time
from typing import Annotated

from fastapi import APIRouter, Query

MAX_WORK_MS = 2_000
router = APIRouter()


@router.get("/work")
def work(ms: Annotated[int, Query(ge=1, le=MAX_WORK_MS)] = 100) -> dict[str, int]:
    """Keep a CPU busy for this many milliseconds (1 to 2000); return how many hashes that made."""
    until, rounds, block = time.perf_counter() + ms / 1000, 0, bytes(1024)
    while time.perf_counter() < until:
        hashlib.sha256(block).digest()
        rounds += 1
    return {"rounds": rounds}
