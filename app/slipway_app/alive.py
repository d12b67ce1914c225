"""A sign of life for processes that serve no port: a file that the worker touches and the probe reads.

`python -m slipway_app.alive` ends with 0 when the sign is fresh, else with 1. It imports nothing large, since
it runs often.
"""

import sys
import tempfile
import time
from pathlib import Path

SIGN = Path(tempfile.gettempdir()) / "slipway-worker-alive"
LIMIT_SECONDS = 30


def touch() -> None:
    """Say that the process is at work."""
    SIGN.touch()


def age_seconds() -> float:
    """Return how old the sign is; infinite when there is none."""
    try:
        return time.time() - SIGN.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


if __name__ == "__main__":
    sys.exit(age_seconds() > LIMIT_SECONDS)
