"""Every figure that this application exports. Dashboards and alerts use these names: they are an interface.

In the API several processes serve one port: each writes its figures to files in PROMETHEUS_MULTIPROC_DIR, and
the one that is asked adds them up. prometheus_client reads that variable when it is imported: see server.py.
"""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0)
"""Around the promises: p95 of a request under 2 s, alarm above."""
_SLOW = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)

# --- HTTP ---
http_requests = Counter(
    "http_requests_total",
    "Requests answered. `route` is the route's template, `unknown` for paths that have none.",
    ["method", "route", "status"],
)
http_request_duration = Histogram(
    "http_request_duration_seconds",
    "From the request's head to the end of the answer.",
    ["method", "route"],
    buckets=_FAST,
)
http_requests_in_progress = Gauge(
    "http_requests_in_progress", "Requests being answered.", multiprocess_mode="livesum"
)

# --- Stores ---
database_pool_size = Gauge(
    "database_pool_size", "Connections that the pool holds.", multiprocess_mode="livesum"
)
database_pool_in_use = Gauge("database_pool_in_use", "Connections lent.", multiprocess_mode="livesum")
database_pool_waiting = Gauge(
    "database_pool_waiting", "Requests waiting for a connection.", multiprocess_mode="livesum"
)
cache_hits = Counter("cache_hits_total", "Reads that the cache answered.", ["cache"])
cache_misses = Counter("cache_misses_total", "Reads that PostgreSQL had to answer.", ["cache"])
redis_errors = Counter("redis_errors_total", "Calls that Redis did not answer.")
rate_limited = Counter(
    "rate_limited_total", "Requests refused with 429; `kind` is address or user.", ["kind"]
)

# --- WebSockets ---
websocket_connections_active = Gauge(
    "websocket_connections_active", "WebSockets open.", multiprocess_mode="livesum"
)
websocket_connections = Counter("websocket_connections_total", "WebSockets accepted.")
websocket_messages = Counter("websocket_messages_total", "Messages; `direction` is in or out.", ["direction"])
websocket_errors = Counter("websocket_errors_total", "WebSockets that ended by an error of the server.")

# --- LLM ---
llm_requests = Counter(
    "llm_requests_total", "Calls of the model; `outcome` says how they ended.", ["model", "outcome"]
)
llm_tokens = Counter("llm_tokens_total", "Tokens; `kind` is input or output.", ["model", "kind"])
llm_cost = Counter("llm_cost_eur_total", "What the calls cost, in euro.", ["model"])
llm_request_duration = Histogram(
    "llm_request_duration_seconds", "One call of the model.", ["model"], buckets=_SLOW
)
llm_retries = Counter("llm_retries_total", "Calls that were tried again.", ["model"])
llm_circuit_open = Gauge(
    "llm_circuit_open", "1 while the circuit breaker refuses calls.", multiprocess_mode="livemax"
)

# --- Jobs ---
queue_jobs_waiting = Gauge(
    "queue_jobs_waiting", "Jobs that no worker has begun.", multiprocess_mode="livemostrecent"
)
queue_oldest_job_age = Gauge(
    "queue_oldest_job_age_seconds",
    "How long the oldest of them has waited; 0 without one.",
    multiprocess_mode="livemostrecent",
)
jobs = Counter("jobs_total", "Jobs ended; `outcome` is done or failed.", ["outcome"])
job_duration = Histogram("job_duration_seconds", "From a job's begin to its end.", buckets=_SLOW)


def exposition() -> tuple[bytes, str]:
    """Return all figures of this process, or of all processes of this server, and their content type."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # pyright: ignore[reportUnknownMemberType]
    return generate_latest(registry), CONTENT_TYPE_LATEST
