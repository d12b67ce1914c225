"""What the API's and the frontend's WebSockets share: the codes by which they close, and how they end.

A WebSocket is served by several tasks: one reads, one writes, one waits for the end of the process. The first
that ends says why.
"""

import asyncio
from collections.abc import Coroutine
from enum import IntEnum
from typing import Any, NamedTuple

PROTOCOL = "slipway.v1"
"""The subprotocol that the service speaks; the token travels beside it, since a browser can set no header."""
TOKEN_PREFIX = "bearer."  # noqa: S105  # not a secret: what comes before one
MAX_FRAME_BYTES = 4096
"""Clients only say that they are there: a longer frame is a mistake or an attack."""


class CloseCode(IntEnum):
    """Why a WebSocket is closed: RFC 6455 7.4.1 below 4000, this application's own from there on."""

    NORMAL = 1000
    TOO_SLOW = 1008
    SERVER_ERROR = 1011
    RESTART = 1012
    """The process ends; another one serves: connect again."""
    TRY_LATER = 1013
    UNAUTHORIZED = 4401
    NOT_FOUND = 4404
    IDLE = 4408


class Closing(NamedTuple):
    """How a WebSocket ends. No code: the other side has closed it already."""

    code: int | None
    reason: str = ""


GONE = Closing(None)


async def first_to_end(*tasks: Coroutine[Any, Any, Closing]) -> Closing:
    """Run these at once; return what the first one to end says, and stop the others.

    Raises:
        Exception: what the first one to end raised.
    """
    running = [asyncio.ensure_future(task) for task in tasks]
    try:
        ended, _others = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return ended.pop().result()
