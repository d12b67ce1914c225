"""What browsers and careless clients are kept from: headers of every answer, and the size of a request."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024
"""A message has at most 10,000 characters: 40 kB in UTF-8."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # Nothing that this service answers is a page.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # Answers belong to one user: no cache on the way may keep them.
    "Cache-Control": "no-store",
}
_ONLY_HTTPS = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}


def headers(https: bool) -> Mapping[str, str]:
    """Return the headers of every answer (OWASP Secure Headers Project).

    Args:
        https: whether browsers may be told to use only HTTPS for a year.
    """
    return {**_HEADERS, **_ONLY_HTTPS} if https else dict(_HEADERS)


class RefuseLarge:
    """Refuses a request that announces too large a body; FastAPI stops one that announces nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        announced = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
            detail = f"a request has at most {MAX_BODY_BYTES} bytes"
            # The body is not read, so the connection cannot be used again.
            answer = JSONResponse({"detail": detail}, 413, {"Connection": "close"})
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)
