"""The way of the WebSocket from the browser to the API and back, with its subprotocols and its close codes.

The API decides who may listen and when it ends; here frames are passed on, one side as fast as the other.
"""

import asyncio
import logging
from typing import cast

from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from slipway_app.frontend import proxy
from slipway_app.sockets import GONE, CloseCode, Closing, first_to_end

OPEN_SECONDS = 5.0
CLOSE_SECONDS = 2.0
PASSED_ON = frozenset({b"authorization", b"x-request-id", b"user-agent"})
"""All that the API needs to know of the handshake; the library writes the rest."""
NOT_SENDABLE = frozenset({1005, 1006, 1015})
"""RFC 6455 7.4.1: these codes say that none was received; no frame may carry them."""
logger = logging.getLogger(__name__)


async def forward(websocket: WebSocket) -> None:
    """Join the browser's WebSocket with one to the API, until either closes or the process ends."""
    try:
        async with _upstream(websocket) as upstream:
            await websocket.accept(subprotocol=upstream.subprotocol)
            closing = await first_to_end(
                _to_api(websocket, upstream), _to_browser(websocket, upstream), _drained(websocket)
            )
            await upstream.close(closing.code or CloseCode.NORMAL)
    except (OSError, TimeoutError, InvalidHandshake) as error:
        logger.error("the API does not answer: %s", type(error).__name__)
        # Accepted first: a browser learns no code from a handshake that was refused.
        await websocket.accept(subprotocol=next(iter(websocket.scope["subprotocols"]), None))
        closing = Closing(CloseCode.TRY_LATER, "the API does not answer")
    if closing.code is not None:
        await websocket.close(closing.code, closing.reason)


def _upstream(websocket: WebSocket) -> connect:
    path, query = websocket.url.path.removeprefix("/api"), websocket.url.query
    base = cast("str", websocket.app.state.settings.api_base_url).rstrip("/")
    headers = [pair for pair in proxy.end_to_end(websocket.headers.raw) if pair[0] in PASSED_ON]
    return connect(
        f"ws{base.removeprefix('http')}{path}?{query}",
        subprotocols=[Subprotocol(name) for name in websocket.scope["subprotocols"]] or None,
        additional_headers=[
            (name.decode(), value.decode("latin-1"))
            for name, value in [*headers, *proxy.forwarded(websocket.scope)]
        ],
        user_agent_header=None,
        compression=None,  # small frames inside one cluster: it would cost more memory than it saves
        proxy=None,
        open_timeout=OPEN_SECONDS,
        close_timeout=CLOSE_SECONDS,
    )


async def _to_api(websocket: WebSocket, upstream: ClientConnection) -> Closing:
    try:
        while True:
            await upstream.send(await websocket.receive_text())  # the server refuses frames that are too long
    except (WebSocketDisconnect, KeyError):  # KeyError: a binary frame, which no client of this service sends
        return GONE
    except ConnectionClosed as closed:
        return _closing(closed)


async def _to_browser(websocket: WebSocket, upstream: ClientConnection) -> Closing:
    try:
        while True:
            await websocket.send_text(await upstream.recv(decode=True))
    except WebSocketDisconnect:
        return GONE
    except ConnectionClosed as closed:
        return _closing(closed)


async def _drained(websocket: WebSocket) -> Closing:
    draining: asyncio.Event = websocket.app.state.draining
    await draining.wait()
    return Closing(CloseCode.RESTART, "the service restarts")


def _closing(closed: ConnectionClosed) -> Closing:
    frame = closed.rcvd
    if frame is None or frame.code in NOT_SENDABLE:
        # The API's process died: the client should come back, and will find another one.
        return Closing(CloseCode.RESTART, "the connection to the API was lost")
    return Closing(frame.code, frame.reason)
