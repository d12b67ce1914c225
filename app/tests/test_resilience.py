"""Retries and the circuit breaker, by a clock that the test moves."""

import asyncio

import pytest

from slipway_app.presets import ResilienceFigures, ResiliencePreset
from slipway_app.resilience import CircuitOpenError, CircuitState, Resilience, TransientError

FIGURES = ResiliencePreset.SIMPLE.figures


class Time:
    """A clock that moves only when somebody sleeps, or the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Operation:
    """Fails as often as it is told to, then succeeds; counts its calls."""

    def __init__(self, failures: int, error: type[Exception] = TransientError) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error("it failed")
        return "answer"


def resilience(time: Time, figures: ResilienceFigures = FIGURES) -> tuple[Resilience, list[bool]]:
    changes: list[bool] = []
    return Resilience(figures, on_change=changes.append, clock=time.clock, sleep=time.sleep), changes


def single_tries(time: Time) -> tuple[Resilience, list[bool]]:
    return resilience(time, FIGURES._replace(retries=0))


async def fail(guard: Resilience, times: int) -> None:
    for _ in range(times):
        with pytest.raises(TransientError):
            await guard.call(Operation(failures=99))


def test_a_call_is_retried_three_times_after_1_2_and_4_seconds() -> None:
    time = Time()
    guard, _changes = resilience(time)
    operation = Operation(failures=3)
    assert asyncio.run(guard.call(operation)) == "answer"
    assert (operation.calls, time.slept) == (4, [1, 2, 4])


def test_the_failure_of_the_last_retry_reaches_the_caller() -> None:
    time = Time()
    guard, _changes = resilience(time)
    operation = Operation(failures=4)
    with pytest.raises(TransientError, match="it failed"):
        asyncio.run(guard.call(operation))
    assert operation.calls == 4


def test_a_failure_that_is_not_transient_is_not_retried() -> None:
    time = Time()
    guard, _changes = resilience(time)
    operation = Operation(failures=1, error=ValueError)
    with pytest.raises(ValueError, match="it failed"):
        asyncio.run(guard.call(operation))
    assert (operation.calls, time.slept) == (1, [])


def test_five_failures_open_the_breaker_and_four_do_not() -> None:
    async def scenario() -> None:
        guard, changes = single_tries(Time())
        await fail(guard, 4)
        assert (guard.breaker.state, changes) == (CircuitState.CLOSED, [])
        await fail(guard, 1)
        assert (guard.breaker.state, changes) == (CircuitState.OPEN, [True])
        operation = Operation(failures=0)
        with pytest.raises(CircuitOpenError, match=r"another 60\.0 s"):
            await guard.call(operation)
        assert operation.calls == 0

    asyncio.run(scenario())


def test_a_success_between_them_starts_the_count_of_failures_anew() -> None:
    async def scenario() -> None:
        guard, changes = single_tries(Time())
        await fail(guard, 4)
        await guard.call(Operation(failures=0))
        await fail(guard, 4)
        assert changes == []

    asyncio.run(scenario())


def test_retries_end_when_the_breaker_opens() -> None:
    async def scenario() -> None:
        time = Time()
        guard, changes = resilience(time)
        await fail(guard, 1)  # its four tries are four failures
        operation = Operation(failures=99)
        with pytest.raises(CircuitOpenError):
            await guard.call(operation)
        assert (operation.calls, changes) == (1, [True])
        assert time.slept == [1, 2, 4, 1]

    asyncio.run(scenario())


def test_after_60_seconds_a_single_call_is_let_through_and_closes_it() -> None:
    async def scenario() -> None:
        time = Time()
        guard, changes = single_tries(time)
        await fail(guard, 5)
        time.now += 59.9
        with pytest.raises(CircuitOpenError):
            await guard.call(Operation(failures=0))
        time.now += 0.1
        assert (guard.breaker.state, guard.breaker.retry_after_seconds) == (CircuitState.HALF_OPEN, 0)
        finish = asyncio.Event()

        async def slow() -> str:
            await finish.wait()
            return "slow answer"

        trial = asyncio.create_task(guard.call(slow))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpenError):  # a second one is refused while the first tries
            await guard.call(Operation(failures=0))
        finish.set()
        assert await trial == "slow answer"
        assert changes == [True, False]
        assert await guard.call(Operation(failures=0)) == "answer"

    asyncio.run(scenario())


def test_a_failed_trial_keeps_it_open_for_another_60_seconds() -> None:
    async def scenario() -> None:
        time = Time()
        guard, _changes = single_tries(time)
        await fail(guard, 5)
        time.now += 60
        await fail(guard, 1)
        assert guard.breaker.retry_after_seconds == 60
        time.now += 59
        with pytest.raises(CircuitOpenError):
            await guard.call(Operation(failures=0))
        time.now += 1
        assert await guard.call(Operation(failures=0)) == "answer"

    asyncio.run(scenario())


def test_a_cancelled_trial_leaves_the_way_free_for_the_next() -> None:
    async def scenario() -> None:
        time = Time()
        guard, _changes = single_tries(time)
        await fail(guard, 5)
        time.now += 60
        trial = asyncio.create_task(guard.call(lambda: asyncio.sleep(3600)))
        await asyncio.sleep(0)
        trial.cancel()
        await asyncio.gather(trial, return_exceptions=True)
        assert await guard.call(Operation(failures=0)) == "answer"

    asyncio.run(scenario())


def test_a_late_failure_of_an_earlier_call_does_not_keep_it_open_for_longer() -> None:
    async def scenario() -> None:
        time = Time()
        guard, _changes = single_tries(time)
        finish = asyncio.Event()

        async def late() -> str:
            await finish.wait()
            raise TransientError("late")

        early = asyncio.create_task(guard.call(late))
        await asyncio.sleep(0)
        await fail(guard, 5)
        time.now += 30
        finish.set()
        await asyncio.gather(early, return_exceptions=True)
        assert guard.breaker.retry_after_seconds == 30

    asyncio.run(scenario())
