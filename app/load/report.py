"""The report of a run: as text for a person, as JSON for a test."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from load.options import Options
from load.record import Recorder

PERCENTILES = (50, 95, 99)


def errors(recorder: Recorder) -> list[str]:
    """Return what was wrong in a run, a sentence each; empty when nothing was."""
    websockets, messages = recorder.websockets, recorder.messages
    counts = {
        "requests failed": recorder.failed_requests,
        "WebSocket connections failed": websockets.errors,
        "accepted messages are lost": messages.lost,
        "messages were stored twice": messages.doubled,
        "messages have no answer": messages.unanswered,
        "messages were answered twice": messages.answered_twice,
        "messages did not reach a WebSocket": websockets.missed,
        "messages reached a WebSocket twice": websockets.duplicates,
    }
    found = [f"{count:,} {what}" for what, count in counts.items() if count]
    if recorder.requests == recorder.failed_requests:
        found.append("no request succeeded")
    return found


def as_json(options: Options, recorder: Recorder) -> dict[str, Any]:
    """Return the whole report."""
    return {
        "options": asdict(options),
        "seconds": round(recorder.seconds, 3),
        "requests": recorder.requests,
        "rate": round(recorder.requests / recorder.seconds, 2) if recorder.seconds else 0.0,
        "operations": {name: _latencies(recorder, name) for name in sorted(recorder.latencies)},
        "connections": dict(recorder.connections),
        "failed_requests": recorder.failed_requests,
        "failed_attempts": recorder.failed_attempts,
        "failures": [asdict(failure) for failure in recorder.failures],
        "websockets": {**asdict(recorder.websockets), "closes": dict(recorder.websockets.closes)},
        "messages": asdict(recorder.messages),
        "errors": errors(recorder),
    }


def as_text(recorder: Recorder) -> str:
    """Return the report as lines."""
    websockets, messages, used = recorder.websockets, recorder.messages, recorder.connections
    rate = recorder.requests / recorder.seconds if recorder.seconds else 0.0
    closes = ", ".join(f"{code}: {count}" for code, count in sorted(websockets.closes.items())) or "none"
    lines = [
        f"{recorder.requests:,} requests in {recorder.seconds:.0f} s, {rate:.1f}/s: {used['kept']:,} on kept"
        f" connections, {used['new']:,} on new ones; {recorder.failed_requests:,} failed",
        *(_line(recorder, name) for name in sorted(recorder.latencies)),
        f"  messages    {messages.accepted:,} accepted, {messages.answered:,} jobs done, {messages.lost}"
        f" lost, {messages.unanswered} unanswered, {messages.doubled} stored twice,"
        f" {messages.answered_twice} answered twice",
        f"  WebSockets  {websockets.opened:,} opened, {websockets.errors} errors, {websockets.reconnects:,}"
        f" reconnects, {websockets.received:,} messages received, {websockets.missed} missed,"
        f" {websockets.duplicates} repeated, {websockets.out_of_order} out of order; closes: {closes}",
        *_failures(recorder),
    ]
    found = errors(recorder)
    return "\n".join([*lines, f"ERRORS: {'; '.join(found)}" if found else "no error"])


def _latencies(recorder: Recorder, operation: str) -> dict[str, float]:
    """How many requests, and their percentiles in milliseconds."""
    values = sorted(recorder.latencies[operation])
    found = {f"p{each}_ms": 1000 * percentile(values, each) for each in PERCENTILES}
    measured = {**found, "max_ms": 1000 * values[-1]}
    return {"requests": len(values), **{name: round(value, 1) for name, value in measured.items()}}


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile by the nearest rank.

    Args:
        values: ascending, not empty.
        percent: 1 to 100.
    """
    rank = -(-len(values) * percent // 100)
    return values[rank - 1]


def _line(recorder: Recorder, operation: str) -> str:
    measured = _latencies(recorder, operation)
    figures = ", ".join(
        f"{name.removesuffix('_ms')} {measured[name]:.1f}" for name in measured if "_ms" in name
    )
    return f"  {operation:<10}  {measured['requests']:>7,} requests, milliseconds: {figures}"


def _failures(recorder: Recorder) -> list[str]:
    """A line for each kind of failure, with the first and the last moment of it."""
    kinds = Counter((one.operation, one.kind, one.connection, one.final) for one in recorder.failures)
    lines: list[str] = []
    for (operation, kind, connection, final), count in kinds.most_common():
        which = (operation, kind, connection, final)
        moments = [
            one for one in recorder.failures if (one.operation, one.kind, one.connection, one.final) == which
        ]
        first, last = moments[0], moments[-1]
        fate = "failed" if final else "sent again"
        lines.append(
            f"  {fate:<10}  {count:,} x {operation}: {kind} ({connection} connection), second "
            f"{first.second:.1f} to {last.second:.1f}, first at {first.at}, "
            f"connection age {first.connection_age_seconds} s: {first.detail}"
        )
    return lines
