"""The way from the browser to the API: `/api/users` here is `/users` there.

Only the paths that the page needs are let through: the API's figures and health are not for the public.
Answers are streamed; requests are small and held, so that one can be sent again when a connection died.
"""

import logging
import re
from collections.abc import Iterable

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

PUBLIC_PATH = re.compile(r"(users|tokens|conversations|jobs)(/[A-Za-z0-9-]+)*")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
MAX_BODY_BYTES = 256 * 1024
"""Many times the longest message."""
TIMEOUT = httpx.Timeout(connect=2.0, read=30.0, write=10.0, pool=5.0)
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=4.0)
"""An idle connection is dropped after less time than the API drains (5 s): one that carried no answer in that
time, and so was not told that the process ends, is not used again when it does."""
CONNECT_RETRIES = 2
"""Nothing was sent yet, so that every request may be tried again; after 0 and 0.5 s."""
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
        b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
"""RFC 9110 7.6.1: these are about one connection, not about the message."""
REPLACED = frozenset({b"host", b"content-length", b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"})
"""A client's own claims about where it comes from are not passed on."""
logger = logging.getLogger(__name__)

type Headers = list[tuple[bytes, bytes]]


class _BodyTooLargeError(Exception):
    pass


class _Streamed(StreamingResponse):
    """The API's answer, passed on as it arrives, and closed whatever happens."""

    def __init__(self, upstream: httpx.Response) -> None:
        super().__init__(upstream.aiter_raw(), upstream.status_code)
        self._upstream = upstream
        self.raw_headers = end_to_end(upstream.headers.raw)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._upstream.aclose()


def create_client(api_base_url: str) -> httpx.AsyncClient:
    """Make the client that speaks to the API at this address, and to nothing else."""
    return httpx.AsyncClient(
        base_url=api_base_url,
        timeout=TIMEOUT,
        # trust_env=False: a proxy of the environment is for the way out, not for the way to the API.
        trust_env=False,
        transport=httpx.AsyncHTTPTransport(limits=LIMITS, retries=CONNECT_RETRIES, trust_env=False),
    )


async def forward(request: Request) -> Response:
    """Pass a request on to the API and its answer back; 502 or 504 when the API does not answer."""
    path: str = request.path_params["path"]
    if not PUBLIC_PATH.fullmatch(path):
        return JSONResponse({"detail": "not found"}, 404)
    try:
        body = await _body(request)
    except _BodyTooLargeError:
        return JSONResponse({"detail": f"a request has at most {MAX_BODY_BYTES} bytes"}, 413)
    client: httpx.AsyncClient = request.app.state.client
    headers = [*end_to_end(request.headers.raw, REPLACED), *forwarded(request.scope)]
    outgoing = client.build_request(
        request.method,
        f"/{path}?{request.url.query}" if request.url.query else f"/{path}",
        headers=headers,
        content=body or None,
    )
    try:
        return _Streamed(await _send(client, outgoing))
    except httpx.TimeoutException as error:
        return _no_answer(504, error)
    except httpx.TransportError as error:
        return _no_answer(502, error)


async def _send(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    try:
        return await client.send(request, stream=True)
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        # The API closed an idle connection while the request was on its way: again, where that does no harm.
        if request.method not in REPEATABLE and "idempotency-key" not in request.headers:
            raise
        return await client.send(request, stream=True)


def _no_answer(status: int, error: httpx.TransportError) -> Response:
    logger.error("the API does not answer: %s", type(error).__name__)
    return JSONResponse({"detail": "the API does not answer; try again"}, status, {"Retry-After": "1"})


async def _body(request: Request) -> bytes:
    chunks, size = list[bytes](), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _BodyTooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


def end_to_end(headers: Iterable[tuple[bytes, bytes]], without: frozenset[bytes] = frozenset()) -> Headers:
    """Return the headers that go all the way, in lower case; not those of one connection, nor those named."""
    lowered = [(name.lower(), value) for name, value in headers]
    named = {
        token.strip().lower()
        for name, value in lowered
        if name == b"connection"
        for token in value.split(b",")
    }
    return [(name, value) for name, value in lowered if name not in HOP_BY_HOP | without | named]


def forwarded(scope: Scope) -> Headers:
    """Return the headers that say who asked: the API counts requests by address."""
    client = scope.get("client")
    scheme = b"https" if scope["scheme"] in {"https", "wss"} else b"http"
    headers = [(b"x-forwarded-proto", scheme)]
    if client:
        headers.append((b"x-forwarded-for", str(client[0]).encode()))
    return headers
