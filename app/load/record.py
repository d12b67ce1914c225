"""What happened: latencies by operation, each failure with its time and kind, WebSockets, messages.

Everything runs in one thread, so nothing here is locked.
"""

import time
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

FAILURES_KEPT = 20_000
"""Beyond that a failure is only counted: a run against a dead server must not fill the memory."""


@dataclass(frozen=True)
class Failure:
    """One attempt that failed.

    Attributes:
        at: UTC, RFC 3339 with milliseconds.
        second: seconds since the run began.
        operation: what was tried, e.g. `list`.
        kind: `status 503`, `refused`, `reset`, `disconnected`, `timeout`, ...
        detail: what the server or the system said.
        connection: `new` (made for this request), `kept` or `websocket`.
        connection_number: which connection; 0 where none came about.
        connection_age_seconds: how old it was; None where none came about.
        attempt: 0 for the first try of a request.
        final: whether the request was given up.
    """

    at: str
    second: float
    operation: str
    kind: str
    detail: str
    connection: str
    connection_number: int
    connection_age_seconds: float | None
    attempt: int
    final: bool


@dataclass
class WebSocketCounts:
    """What the listeners saw."""

    opened: int = 0
    reconnects: int = 0
    received: int = 0
    errors: int = 0
    """Connections that were refused, broke or were closed for another reason than a drain or idleness."""
    duplicates: int = 0
    out_of_order: int = 0
    missed: int = 0
    closes: Counter[int] = field(default_factory=Counter[int])
    """By close code; 1006 is a connection that broke."""


@dataclass
class MessageCounts:
    """What became of the messages that were accepted (202)."""

    accepted: int = 0
    lost: int = 0
    """Accepted, and not in the conversation at the end."""
    doubled: int = 0
    """Stored twice although sent with one Idempotency-Key."""
    answered: int = 0
    """Jobs done: messages with their answer."""
    unanswered: int = 0
    answered_twice: int = 0


class Recorder:
    """Collects a run."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.latencies: defaultdict[str, array[float]] = defaultdict(lambda: array("f"))
        """Seconds of each request that succeeded, by operation; with retries: of the attempt that did."""
        self.connections: Counter[str] = Counter()
        """Requests by `new` and `kept`."""
        self.connections_made = 0
        self.failures: list[Failure] = []
        self.failed_attempts = 0
        self.failed_requests = 0
        self.websockets = WebSocketCounts()
        self.messages = MessageCounts()
        self.seconds = 0.0
        """How long it lasted, without beginning and end; 0 while it runs."""

    def begin(self) -> None:
        """Count time and requests from now on: what was set up before does not belong to the run."""
        self.began = time.monotonic()
        self.latencies.clear()
        self.connections.clear()

    def end(self) -> None:
        """Stop the clock."""
        self.seconds = time.monotonic() - self.began

    @property
    def requests(self) -> int:
        """How many requests were made, retries not counted."""
        return sum(len(values) for values in self.latencies.values()) + self.failed_requests

    def connection_number(self) -> int:
        """Return the number of a new connection, from 1 on."""
        self.connections_made += 1
        return self.connections_made

    def succeeded(self, operation: str, connection: str, seconds: float) -> None:
        """Note a request that was answered as expected."""
        self.latencies[operation].append(seconds)
        self.connections[connection] += 1

    def failed(
        self,
        operation: str,
        kind: str,
        detail: str,
        *,
        connection: str,
        connection_number: int = 0,
        connection_age_seconds: float | None = None,
        attempt: int = 0,
        final: bool = True,
    ) -> None:
        """Note an attempt that failed; the arguments are the fields of `Failure`."""
        if connection == "websocket":
            self.websockets.errors += 1
        else:
            self.failed_attempts += 1
            self.failed_requests += final
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append(
                Failure(
                    at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                    second=round(time.monotonic() - self.began, 3),
                    operation=operation,
                    kind=kind,
                    detail=detail[:200],
                    connection=connection,
                    connection_number=connection_number,
                    connection_age_seconds=connection_age_seconds,
                    attempt=attempt,
                    final=final,
                )
            )
