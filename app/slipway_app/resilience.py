"""What stands between the service and a provider that fails: retries, and a circuit breaker.

A short failure is retried after 1, 2 and 4 seconds. A long one opens the breaker: calls then fail at once
instead of waiting for a provider that does not answer, and a single one finds out whether it is back.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from slipway_app.presets import ResilienceFigures

type Clock = Callable[[], float]
"""Seconds that only grow, e.g. `time.monotonic`."""
type Sleep = Callable[[float], Awaitable[None]]

FIRST_WAIT_SECONDS = 1
"""The waits double from here: 1, 2 and 4 seconds for three retries (source 004)."""


class TransientError(Exception):
    """A failure that may be gone at the next try."""


class CircuitOpenError(Exception):
    """The call was not made, since the calls before it failed."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"the circuit is open for another {retry_after_seconds:.1f} s")
        self.retry_after_seconds = retry_after_seconds


class CircuitState(StrEnum):
    """What the breaker does with a call: let it pass, refuse it, let a single one try."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Refuses calls after too many consecutive failures, and lets a single one try after a while.

    Args:
        failure_threshold: consecutive failures that open it.
        recovery_seconds: how long it then refuses calls.
        on_change: told whether it is open, whenever that changes.
        clock: the time in seconds; a test hands in its own.
    """

    def __init__(
        self,
        failure_threshold: int,
        recovery_seconds: float,
        *,
        on_change: Callable[[bool], None] = lambda _is_open: None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._failure_threshold = failure_threshold
        self._recovery_seconds = recovery_seconds
        self._on_change = on_change
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._trial = False

    @property
    def state(self) -> CircuitState:
        """What a call would meet now."""
        if self._opened_at is None:
            return CircuitState.CLOSED
        waited = self._clock() - self._opened_at >= self._recovery_seconds
        return CircuitState.HALF_OPEN if waited else CircuitState.OPEN

    @property
    def retry_after_seconds(self) -> float:
        """How long calls are still refused; 0 when one would be let through.

        While another call tries, nobody knows how long that takes: the answer is then one second.
        """
        if self._opened_at is None:
            return 0.0
        if self._trial:
            return 1.0
        return max(0.0, self._opened_at + self._recovery_seconds - self._clock())

    async def call[T](self, operation: Callable[[], Awaitable[T]]) -> T:
        """Make the call, or refuse it.

        Raises:
            CircuitOpenError: the call was not made.
            Exception: whatever the operation raises; each such failure counts.
        """
        state = self.state
        trial = state is CircuitState.HALF_OPEN
        if state is CircuitState.OPEN or (trial and self._trial):
            raise CircuitOpenError(self.retry_after_seconds)
        self._trial = self._trial or trial
        try:
            result = await operation()
        except Exception:
            self._failed(trial)
            raise
        finally:
            # Also when it was cancelled: otherwise no other call could ever try.
            self._trial = self._trial and not trial
        self._succeeded()
        return result

    def _failed(self, trial: bool) -> None:
        self._failures += 1
        # What fails late, having begun before the breaker opened, does not keep it open for longer.
        if trial or (self._opened_at is None and self._failures >= self._failure_threshold):
            self._opened_at = self._clock()
            self._on_change(True)

    def _succeeded(self) -> None:
        # A success closes it even when the call began before it opened: the provider answers.
        self._failures = 0
        if self._opened_at is not None:
            self._opened_at = None
            self._on_change(False)


class Resilience:
    """Retries around a circuit breaker: each try counts for it, and once it is open it ends the retries.

    Args:
        figures: how much failure is borne.
        on_retry: told before each retry.
        on_change: told whether the breaker is open, whenever that changes.
        clock: the time in seconds; a test hands in its own.
        sleep: waits this many seconds; a test hands in its own.
    """

    def __init__(
        self,
        figures: ResilienceFigures,
        *,
        on_retry: Callable[[], None] = lambda: None,
        on_change: Callable[[bool], None] = lambda _is_open: None,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.breaker = CircuitBreaker(
            figures.failure_threshold, figures.recovery_seconds, on_change=on_change, clock=clock
        )
        self._figures = figures
        self._on_retry = on_retry
        self._sleep = sleep

    async def call[T](self, operation: Callable[[], Awaitable[T]]) -> T:
        """Make the call, again when it fails for the moment.

        Raises:
            TransientError: every try failed.
            CircuitOpenError: the breaker is open, or opened during the tries.
            Exception: any other failure of the operation, which is not tried again.
        """

        def before_sleep(_state: RetryCallState) -> None:
            self._on_retry()

        retrying = AsyncRetrying(
            stop=stop_after_attempt(1 + self._figures.retries),
            wait=wait_exponential(multiplier=FIRST_WAIT_SECONDS, exp_base=2),
            retry=retry_if_exception_type(TransientError),
            before_sleep=before_sleep,
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(self.breaker.call, operation)
