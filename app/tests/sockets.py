"""What the tests of WebSockets share: taking messages, and waiting for the end."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

type Frame = dict[str, object]


async def received(socket: ClientConnection, count: int) -> list[Frame]:
    """The next messages, without what only says that the service is there."""
    messages = list[Frame]()
    async with asyncio.timeout(20):
        while len(messages) < count:
            frame = json.loads(await socket.recv())
            if frame["type"] == "message":
                messages.append(frame["message"])
    return messages


async def close_code(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.recv()
    return socket.close_code


async def nothing_more(socket: ClientConnection) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(received(socket, 1), 0.5)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 60))  # type: ignore[arg-type]
