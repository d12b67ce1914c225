"""The language model that answers: simulated. Nothing outside is called, no key is needed, nothing is billed.

It behaves like a provider where that matters to a deployment: it takes time, fails at a chosen rate, and
counts tokens and costs. A real client takes the place of `SimulatedProvider`; the rest of this file stays.
"""

import asyncio
import math
import random
import time
from typing import NamedTuple, Protocol

from slipway_app import metrics
from slipway_app.presets import ResilienceFigures
from slipway_app.resilience import CircuitOpenError, Clock, Resilience, Sleep, TransientError
from slipway_app.settings import WorkerSettings

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English text; a provider says the exact number in its answer."""
ATTEMPT_TIMEOUT_SECONDS = 30.0
"""A call that takes longer counts as failed, and may be tried again."""
QUOTED_CHARACTERS = 200


class Price(NamedTuple):
    """What a million tokens cost, in euro."""

    input_eur: float
    output_eur: float


PRICES = {
    "simulated-1": Price(input_eur=1.00, output_eur=4.00),
    "simulated-1-small": Price(input_eur=0.20, output_eur=0.80),
}
"""Invented: they are there so that cost panels and budget alerts have something to show."""
UNLISTED_PRICE = Price(input_eur=5.00, output_eur=20.00)
"""For a model that is not listed: dearer than all that are, so that a budget alert errs on the safe side."""


class Completion(NamedTuple):
    """What the model answered, and what that took."""

    text: str
    input_tokens: int
    output_tokens: int
    cost_eur: float


class Provider(Protocol):
    """Whoever answers a prompt."""

    async def complete(self, prompt: str) -> str:
        """Answer a prompt.

        Raises:
            TransientError: it failed, and may succeed at the next try.
        """
        ...


class SimulatedProvider:
    """Answers the same prompt by the same text, after some time, and fails now and then.

    Args:
        latency_seconds: how long an answer takes, 0 or more.
        failure_rate: how many calls fail, 0.0 to 1.0.
        chance: draws a number in [0, 1) for each call; a test hands in its own.
    """

    def __init__(
        self,
        latency_seconds: float,
        failure_rate: float,
        chance: random.Random | None = None,
    ) -> None:
        self._latency_seconds = latency_seconds
        self._failure_rate = failure_rate
        self._chance = chance or random.Random()  # noqa: S311  # nothing secret depends on it

    async def complete(self, prompt: str) -> str:
        """Answer a prompt; raises TransientError at the chosen rate."""
        await asyncio.sleep(self._latency_seconds)
        if self._chance.random() < self._failure_rate:
            raise TransientError("the simulated model failed, as LLM_FAILURE_RATE asks")
        quoted = " ".join(prompt.split())
        if len(quoted) > QUOTED_CHARACTERS:
            quoted = quoted[:QUOTED_CHARACTERS] + "…"
        words = len(prompt.split())
        return f"You wrote {words} {'word' if words == 1 else 'words'}: “{quoted}”"


class LlmClient:
    """Asks the model, with retries and a circuit breaker, and counts what that takes.

    Args:
        model: the model's name, as the figures are labelled.
        provider: who answers.
        figures: how much failure is borne.
        clock: the time in seconds; a test hands in its own.
        sleep: waits this many seconds before a retry; a test hands in its own.
    """

    def __init__(
        self,
        model: str,
        provider: Provider,
        figures: ResilienceFigures,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._model = model
        self._provider = provider
        self._resilience = Resilience(
            figures,
            on_retry=metrics.llm_retries.labels(model).inc,
            on_change=metrics.llm_circuit_open.set,
            clock=clock,
            sleep=sleep,
        )

    @property
    def retry_after_seconds(self) -> float:
        """How long the circuit breaker still refuses calls; 0 when the model may be asked."""
        return self._resilience.breaker.retry_after_seconds

    async def complete(self, prompt: str) -> Completion:
        """Answer a prompt.

        Raises:
            TransientError: the model failed at every try.
            CircuitOpenError: the model failed too often lately; it was not asked, or not again.
        """
        try:
            text = await self._resilience.call(lambda: self._attempt(prompt))
        except CircuitOpenError:
            metrics.llm_requests.labels(self._model, "refused").inc()
            raise
        input_tokens, output_tokens = count_tokens(prompt), count_tokens(text)
        cost_eur = cost(self._model, input_tokens, output_tokens)
        metrics.llm_tokens.labels(self._model, "input").inc(input_tokens)
        metrics.llm_tokens.labels(self._model, "output").inc(output_tokens)
        metrics.llm_cost.labels(self._model).inc(cost_eur)
        return Completion(text, input_tokens, output_tokens, cost_eur)

    async def _attempt(self, prompt: str) -> str:
        outcome = "failed"
        with metrics.llm_request_duration.labels(self._model).time():
            try:
                async with asyncio.timeout(ATTEMPT_TIMEOUT_SECONDS):
                    text = await self._provider.complete(prompt)
                outcome = "ok"
            except TimeoutError:
                raise TransientError(f"no answer within {ATTEMPT_TIMEOUT_SECONDS:.0f} s") from None
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            finally:
                metrics.llm_requests.labels(self._model, outcome).inc()
        return text


def create_client(settings: WorkerSettings) -> LlmClient:
    """Make the client that the settings describe: the simulated model."""
    provider = SimulatedProvider(settings.llm_latency_seconds, settings.llm_failure_rate)
    return LlmClient(settings.llm_model, provider, settings.resilience_preset.figures)


def count_tokens(text: str) -> int:
    """Return how many tokens a text is taken for, at least one."""
    return max(1, math.ceil(len(text) / CHARACTERS_PER_TOKEN))


def cost(model: str, input_tokens: int, output_tokens: int) -> float:
    """Return what a call costs in euro."""
    price = PRICES.get(model, UNLISTED_PRICE)
    return (input_tokens * price.input_eur + output_tokens * price.output_eur) / 1_000_000
