"""The frontend's application: the page, the way to the API, two health checks, and its orderly end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slipway_app.frontend import live, proxy
from slipway_app.settings import FrontendSettings

STATIC = Path(__file__).parent / "static"
HEALTH_TIMEOUT_SECONDS = 2.0
"""Shorter than the timeout of a readiness probe (3 s), so that the answer says what is wrong."""
SECURITY_HEADERS = {
    # Nothing inline, nothing from elsewhere: a message that smuggles in a script finds nobody who runs it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
"""Browsers heed the last one over HTTPS only (RFC 6797 8.1)."""
logger = logging.getLogger(__name__)


class Headers:
    """Adds the security headers that an answer lacks, and sends clients away while the process ends.

    Args:
        app: what answers.
        draining: set once the process has been told to end.
    """

    def __init__(self, app: ASGIApp, draining: asyncio.Event) -> None:
        self._app = app
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
                if self._draining.is_set():
                    # The connection would die with the process: the next request takes a new one elsewhere.
                    headers["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


async def page(_request: Request) -> Response:
    """The page."""
    return FileResponse(STATIC / "index.html")


async def alive(_request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> Response:
    """200 while requests are taken, 503 while the process ends.

    Without the API it stays ready and says `degraded`: were every frontend taken out of service for a fault
    of the API, nobody would be left to say so.
    """
    if request.app.state.draining.is_set():
        return JSONResponse({"status": "draining"}, 503)
    client: httpx.AsyncClient = request.app.state.client
    try:
        answers = (await client.get("/health/ready", timeout=HEALTH_TIMEOUT_SECONDS)).is_success
    except httpx.HTTPError as error:
        logger.warning("the API does not answer: %s", type(error).__name__)
        answers = False
    return JSONResponse({"status": "ready" if answers else "degraded", "api": answers})


def create_app(settings: FrontendSettings) -> Starlette:
    """Build the frontend. `app.state.draining` is the event that begins its end."""
    draining = asyncio.Event()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with proxy.create_client(settings.api_base_url) as client:
            app.state.client = client
            yield

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/health/live", alive),
            Route("/health/ready", ready),
            WebSocketRoute("/api/conversations/{id:int}/live", live.forward),
            Route("/api/{path:path}", proxy.forward, methods=proxy.METHODS),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        lifespan=lifespan,
    )
    app.add_middleware(Headers, draining=draining)
    app.state.settings, app.state.draining = settings, draining
    return app
