"""Has the kernel kill this container's first process at once (SIGKILL), by its memory limit.

Inside its own namespace nobody can send SIGKILL to process 1. So the container's memory is used up by many small
processes, and everything that was there before is made the first to go.
"""

import contextlib
import os
import pathlib
import time

PIECE = 8 << 20
"""Bytes: less than any process that shall go before these has."""
PIECES_MAXIMUM = 500
LONGEST_SECONDS = 60

for process in pathlib.Path("/proc").glob("[0-9]*"):
    if int(process.name) != os.getpid():
        with contextlib.suppress(OSError):
            (process / "oom_score_adj").write_text("1000")
for _ in range(PIECES_MAXIMUM):
    if os.fork() == 0:
        piece = b"x" * PIECE
        time.sleep(LONGEST_SECONDS)
        os._exit(len(piece) == 0)
    time.sleep(0.005)
time.sleep(LONGEST_SECONDS)
