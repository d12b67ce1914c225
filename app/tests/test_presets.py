"""The figures behind the words of the presets are those of the systems that chose them."""

import pytest

from slipway_app.presets import CachePreset, ResiliencePreset


@pytest.mark.parametrize(
    ("word", "ttl_seconds", "connections"),
    [
        ("disabled", 300, 1), ("minimal", 900, 2), ("simple", 3600, 5), ("development", 600, 3),
        ("production", 7200, 20), ("ai-development", 1800, 5), ("ai-production", 14400, 25),
    ],
)  # fmt: skip
def test_a_cache_preset_means_its_figures(word: str, ttl_seconds: int, connections: int) -> None:
    assert CachePreset(word).figures == (ttl_seconds, connections)
    assert CachePreset(word).enabled == (word != "disabled")


@pytest.mark.parametrize(
    ("word", "retries", "failure_threshold", "recovery_seconds"),
    [("simple", 3, 5, 60), ("development", 2, 3, 30), ("production", 5, 10, 120)],
)
def test_a_resilience_preset_means_its_figures(
    word: str, retries: int, failure_threshold: int, recovery_seconds: int
) -> None:
    assert ResiliencePreset(word).figures == (retries, failure_threshold, recovery_seconds)


def test_every_preset_has_figures() -> None:
    assert all(preset.figures for preset in [*CachePreset, *ResiliencePreset])
    assert (len(CachePreset), len(ResiliencePreset)) == (7, 3)
