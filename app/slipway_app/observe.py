"""What happens to every request: an id that follows it through the logs, figures, one log line, safe headers.

Plain ASGI, around everything else, so that answers of other middleware and of failures are covered too.
"""

import asyncio
import logging
import re
import time
import uuid
from typing import Any

import structlog
from opentelemetry import trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slipway_app import metrics, security
from slipway_app.logs import bind_contextvars, clear_contextvars

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
"""Ids that are taken from a request: nothing that could forge a log line or fill one."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Asked every few seconds by machines: a line each would drown the others."""
CLIENT_WENT = 499
"""The status, in the figures only, of a request that ended without an answer."""
failures = logging.getLogger("slipway_app")
logger = structlog.stdlib.get_logger("slipway_app.requests")


class Observe:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp, draining: asyncio.Event, https: bool) -> None:
        """Wrap an application.

        Args:
            app: what answers.
            draining: set while clients are to leave.
            https: whether browsers may be told to use only HTTPS from now on.
        """
        self._app, self._draining = app, draining
        self._headers = security.headers(https)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        clear_contextvars()
        bind_contextvars(request_id=request_id, **_trace())
        scope.setdefault("state", {})["request_id"] = request_id
        if scope["type"] == "http":
            await self._answer(scope, receive, send, request_id)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        begin, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if self._draining.is_set():
                    headers["Connection"] = "close"
            await send(message)

        metrics.http_requests_in_progress.inc()
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            # By the standard library: Sentry takes the exception from there.
            failures.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
            if status:
                raise  # half an answer is out: the server has to cut the connection
            answer = JSONResponse({"detail": "this request failed; the error is in the logs"}, 500)
            await answer(scope, receive, send_with_headers)
        finally:
            metrics.http_requests_in_progress.dec()
            self._count(scope, status or CLIENT_WENT, time.perf_counter() - begin)

    @staticmethod
    def _count(scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = _route(scope)
        metrics.http_requests.labels(method, route, str(status)).inc()
        metrics.http_request_duration.labels(method, route).observe(seconds)
        if scope["path"] not in QUIET:
            logger.info(
                "request",
                method=method,
                path=scope["path"],
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )


def _trace() -> dict[str, str]:
    """The trace that this request belongs to, where traces are made: from a log line to its spans."""
    span = trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(span.trace_id)} if span.is_valid else {}


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _route(scope: Scope) -> str:
    route: Any = scope.get("route")
    return getattr(route, "path", "unknown")
