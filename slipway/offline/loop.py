"""An event loop that runs what the SDK would hand to threads at once, in place.

The SDK sends each registration from a thread pool. Without an engine there is nothing to wait for: in place
is faster and keeps the order of registrations the same in every run. With no thread left that could wake the
loop, an idle loop is a program that waits for itself; that ends with an error instead of a hang.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor

IDLE_SECONDS = 20.0
"""How long a program may wait for something outside (a callback server) before it counts as stuck."""


class RecordError(Exception):
    """The program can't be run offline; the text says why and what to do."""


class _ImpatientSelector(selectors.DefaultSelector):
    """Refuses to wait for ever."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(IDLE_SECONDS if timeout is None else timeout)
        if timeout is None and not ready:
            raise RecordError(
                "The program waits for a value that never comes. "
                "Look for an Output that depends on itself, directly or through `depends_on`."
            )
        return ready


class DirectLoop(asyncio.SelectorEventLoop):
    """Runs executor jobs in place and ends when nothing can happen any more."""

    def __init__(self) -> None:
        super().__init__(_ImpatientSelector())

    def run_in_executor[*Ts, T](  # the stub calls it a coroutine; it returns a future, as here
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run `func` now, whatever executor it was meant for."""
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future
