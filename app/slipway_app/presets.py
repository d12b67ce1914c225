"""What one word in the environment stands for: how long values are cached, how stubbornly calls are retried.

A stack chooses the word (`CACHE_PRESET`, `RESILIENCE_PRESET`); the figures live here, and only here.
"""

from enum import Enum
from typing import NamedTuple


class CacheFigures(NamedTuple):
    """What a cache preset means."""

    ttl_seconds: int
    """How long a cached value is served."""
    connections: int
    """Connections to the cache that a process may hold at once."""


class ResilienceFigures(NamedTuple):
    """What a resilience preset means."""

    retries: int
    """Tries after the first one; the pauses before them are 1, 2, 4, ... seconds."""
    failure_threshold: int
    """Failures in a row that open the circuit breaker."""
    recovery_seconds: int
    """How long an open circuit breaker refuses before it lets one call try."""


class CachePreset(Enum):
    """The words of CACHE_PRESET."""

    DISABLED = "disabled"
    MINIMAL = "minimal"
    SIMPLE = "simple"
    DEVELOPMENT = "development"
    PRODUCTION = "production"
    AI_DEVELOPMENT = "ai-development"
    AI_PRODUCTION = "ai-production"

    @property
    def figures(self) -> CacheFigures:
        """The figures behind the word."""
        return _CACHE[self]

    @property
    def enabled(self) -> bool:
        """Whether values are cached at all; `disabled` still has figures, for what Redis serves otherwise."""
        return self is not CachePreset.DISABLED


class ResiliencePreset(Enum):
    """The words of RESILIENCE_PRESET."""

    SIMPLE = "simple"
    DEVELOPMENT = "development"
    PRODUCTION = "production"

    @property
    def figures(self) -> ResilienceFigures:
        """The figures behind the word."""
        return _RESILIENCE[self]


_CACHE = {
    CachePreset.DISABLED: CacheFigures(300, 1),
    CachePreset.MINIMAL: CacheFigures(900, 2),
    CachePreset.SIMPLE: CacheFigures(3_600, 5),
    CachePreset.DEVELOPMENT: CacheFigures(600, 3),
    CachePreset.PRODUCTION: CacheFigures(7_200, 20),
    CachePreset.AI_DEVELOPMENT: CacheFigures(1_800, 5),
    CachePreset.AI_PRODUCTION: CacheFigures(14_400, 25),
}
_RESILIENCE = {
    ResiliencePreset.SIMPLE: ResilienceFigures(3, 5, 60),
    ResiliencePreset.DEVELOPMENT: ResilienceFigures(2, 3, 30),
    ResiliencePreset.PRODUCTION: ResilienceFigures(5, 10, 120),
}
