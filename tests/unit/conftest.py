"""How Hypothesis searches in unit tests: the same examples in every run, however busy the machine is."""

from hypothesis import HealthCheck, settings

# A time limit for one example would fail on a busy machine; a random seed on somebody's first `make test`.
settings.register_profile(
    "slipway", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("slipway")
