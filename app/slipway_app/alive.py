"""A sign of life of the worker: a file that its main loop touches, and the probe reads.

`python -m slipway_app.alive` ends with 0 when the sign is fresh, else with 1. It imports nothing large, since
it runs often. It says nothing about PostgreSQL or Redis: a restart would not repair them.
"""

import sys
import tempfile
import time
from pathlib import Path

SIGN = Path(tempfile.gettempdir()) / "slipway-worker-alive"
LIMIT_SECONDS = 30
"""The loop comes round within a few seconds, also while PostgreSQL or Redis does not answer."""


def touch() -> None:
    """Say that the process is at work."""
    SIGN.touch()


def age_seconds() -> float:
    """Return how old the sign is; infinite when there is none."""
    try:
        return time.time() - SIGN.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def is_fresh() -> bool:
    """Return whether the process is at work."""
    return age_seconds() <= LIMIT_SECONDS


if __name__ == "__main__":
    sys.exit(0 if is_fresh() else 1)
