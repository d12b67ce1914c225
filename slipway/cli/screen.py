"""The terminal of a person who waits: finished things as lines, what is under way in a last line that moves.

Where nobody watches (a pipe, CI), the last line is printed now and then instead, as long as nothing else is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console

from slipway.operate.progress import Progress

_REFRESH_SECONDS = 0.5
_SILENCE_SECONDS = 20
"""How long a log may say nothing before it says what is waited for."""


class TerminalScreen:
    """Prints to a console."""

    def __init__(self, console: Console | None = None) -> None:
        """Args: console: where to print; standard output where left out."""
        self._console = console or Console(highlight=False, markup=False, soft_wrap=True)
        self._last = time.monotonic()

    def tell(self, line: str) -> None:
        """Print a line."""
        self._last = time.monotonic()
        self._console.print(line)

    @contextmanager
    def watch(self, progress: Progress) -> Generator[None]:
        """Show what is under way as long as the block runs."""
        ended = threading.Event()
        with self._console.status("") as status:

            def refresh() -> None:
                while not ended.wait(_REFRESH_SECONDS):
                    waiting = progress.under_way()
                    if self._console.is_terminal:
                        status.update(waiting)
                    elif waiting and time.monotonic() - self._last > _SILENCE_SECONDS:
                        self.tell(f"  waiting   {waiting}")

            thread = threading.Thread(target=refresh, daemon=True)
            thread.start()
            try:
                yield
            finally:
                ended.set()
                thread.join()
