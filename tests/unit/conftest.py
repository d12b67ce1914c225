"""What holds for all unit tests: Hypothesis' examples are the same in every run, and imports are not collected."""

import gc

from hypothesis import HealthCheck, settings

# A time limit for one example would fail on a busy machine; a random seed on somebody's first `make test`.
settings.register_profile(
    "slipway", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("slipway")


def pytest_collection_finish() -> None:
    """Leave what was imported out of garbage collection: the SDKs' classes are many, and each collection walks them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
