"""The way out without losing a request.

At SIGTERM others still send requests here: load balancers learn late, clients keep connections alive. So the
process goes on serving for a while, says no on its readiness check, and asks every client to leave by
`Connection: close`. Only then does it stop accepting, and finish what runs.
"""

import asyncio
import signal
import time
from types import FrameType

from uvicorn.config import Config
from uvicorn.server import Server

FINISH_SECONDS = 30
"""How long requests that run at the end of the drain may take."""


class DrainingServer(Server):
    """uvicorn's server, which goes on serving for a while after SIGTERM, and ends with exit code 0."""

    def __init__(self, config: Config, draining: asyncio.Event, seconds: float) -> None:
        """Make a server.

        Args:
            config: uvicorn's.
            draining: set when the drain begins; the application looks at it.
            seconds: how long the drain lasts.
        """
        super().__init__(config)
        self._draining, self._seconds = draining, seconds
        self._told = False
        self._until: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Begin the drain; an interrupt from the keyboard skips it, a second one what runs too."""
        if sig == signal.SIGINT:
            self.force_exit = self.should_exit
            self.should_exit = True
        self._told = True

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop accepting. Called ten times a second."""
        if self._told and self._until is None:
            self._until = time.monotonic() + self._seconds
            self._draining.set()
        over = self._until is not None and time.monotonic() >= self._until
        return await super().on_tick(counter) or over
