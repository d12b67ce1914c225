"""The simulated model: same prompt, same answer; counted in tokens and euro; failing when it is told to."""

import asyncio
import random

import pytest
from prometheus_client import REGISTRY

from slipway_app.llm import PRICES, UNLISTED_PRICE, LlmClient, SimulatedProvider, cost, count_tokens
from slipway_app.presets import ResiliencePreset
from slipway_app.resilience import CircuitOpenError, TransientError


class Scripted:
    """A provider that fails at the calls that are named by True, and answers the others."""

    def __init__(self, *failures: bool) -> None:
        self.failures = list(failures)

    async def complete(self, _prompt: str) -> str:
        if self.failures and self.failures.pop(0):
            raise TransientError("scripted")
        return "12345678"


async def no_sleep(_seconds: float) -> None:
    pass


def client(model: str, provider: Scripted) -> LlmClient:
    return LlmClient(model, provider, ResiliencePreset.SIMPLE.figures, clock=lambda: 0.0, sleep=no_sleep)


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_the_same_prompt_gets_the_same_answer_and_another_prompt_another() -> None:
    async def ask(prompt: str) -> str:
        return await SimulatedProvider(latency_seconds=0, failure_rate=0).complete(prompt)

    first, again, other = (
        asyncio.run(ask(prompt)) for prompt in ["two words", "two words", "three more words"]
    )
    assert first == again == "You wrote 2 words: “two words”"
    assert other != first


def test_an_answer_does_not_grow_with_the_prompt() -> None:
    answer = asyncio.run(SimulatedProvider(latency_seconds=0, failure_rate=0).complete("x" * 10_000))
    assert len(answer) < 300


def test_the_failure_rate_is_the_share_of_calls_that_fail() -> None:
    async def failures(rate: float) -> int:
        provider = SimulatedProvider(latency_seconds=0, failure_rate=rate, chance=random.Random(1))  # noqa: S311
        answers = await asyncio.gather(*(provider.complete("x") for _ in range(1000)), return_exceptions=True)
        return sum(isinstance(answer, TransientError) for answer in answers)

    assert asyncio.run(failures(0.0)) == 0
    assert asyncio.run(failures(1.0)) == 1000
    assert 250 < asyncio.run(failures(0.3)) < 350


def test_tokens_and_cost_are_returned_and_counted() -> None:
    model = "simulated-1"
    before = figure("llm_cost_eur_total", model=model)
    completion = asyncio.run(client(model, Scripted()).complete("x" * 400))
    assert (completion.text, completion.input_tokens, completion.output_tokens) == ("12345678", 100, 2)
    price = PRICES[model]
    expected = (100 * price.input_eur + 2 * price.output_eur) / 1_000_000
    assert completion.cost_eur == pytest.approx(expected)
    assert figure("llm_cost_eur_total", model=model) - before == pytest.approx(expected)
    assert figure("llm_tokens_total", model=model, kind="input") >= 100


def test_a_model_without_a_listed_price_counts_as_the_dearest() -> None:
    dearest = max(price.output_eur for price in PRICES.values())
    assert UNLISTED_PRICE.output_eur > dearest
    assert cost("unknown", 1_000_000, 0) == UNLISTED_PRICE.input_eur


def test_every_text_counts_for_at_least_one_token() -> None:
    assert [count_tokens(text) for text in ["", "abcd", "abcde"]] == [1, 1, 2]


def test_requests_retries_and_the_open_circuit_are_counted() -> None:
    model = "counted"

    async def scenario() -> None:
        failing = client(model, Scripted(True, True, False, *[True] * 99))
        await failing.complete("x")
        with pytest.raises(TransientError):
            await failing.complete("x")
        with pytest.raises(CircuitOpenError):
            await failing.complete("x")
        assert failing.retry_after_seconds == 60

    asyncio.run(scenario())
    # 2 failures and a success; 4 failures; a fifth one in a row, which opens the circuit, and a refusal.
    assert figure("llm_requests_total", model=model, outcome="ok") == 1
    assert figure("llm_requests_total", model=model, outcome="failed") == 7
    assert figure("llm_requests_total", model=model, outcome="refused") == 1
    assert figure("llm_retries_total", model=model) == 2 + 3 + 1
    assert figure("llm_circuit_open") == 1


def test_a_failed_request_costs_nothing() -> None:
    with pytest.raises(TransientError):
        asyncio.run(client("free", Scripted(*[True] * 4)).complete("x"))
    assert figure("llm_cost_eur_total", model="free") == 0
