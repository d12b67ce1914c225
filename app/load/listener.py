"""A WebSocket client that listens to one conversation, comes back with `after=`, knows what it saw."""

import asyncio
import contextlib
import json
import time

import aiohttp

from load.client import Account, kind_of
from load.record import Recorder

HEARTBEAT_SECONDS = 20.0
"""Between protocol pings: a server that is gone without a word is noticed."""
RECONNECT_SECONDS = (0.1, 0.5, 1.0, 2.0)
"""Pauses before the first, second, ... attempt to come back; the last one is repeated."""
EXPECTED_CLOSES = frozenset({1000, 1001, 1012, 4408})
"""Normal end, going away, restart of the service (a drain), idle for too long. Any other code is an error."""
REFUSED_FOR_GOOD = frozenset({4401, 4404})
"""No or bad token, no such conversation: coming back would not help."""


class Listener:
    """Listens until it is cancelled."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, account: Account, recorder: Recorder
    ) -> None:
        """Prepare it.

        Args:
            session: makes the connections.
            url: the API's address, http or https.
            account: whose conversation is listened to.
            recorder: what is told.
        """
        self.account = account
        self.seen: set[int] = set()
        """The numbers of all messages that arrived."""
        self.connected = asyncio.Event()
        """Set while the WebSocket is open."""
        self._session, self._recorder = session, recorder
        self._url = f"{url}/conversations/{account.conversation}/live"
        self._last, self._opened_at = 0, 0.0

    async def run(self) -> None:
        """Connect, listen, and connect again whenever the connection ends."""
        counts, attempts = self._recorder.websockets, 0
        while True:
            opened_before, began = counts.opened, time.monotonic()
            code = 0
            try:
                code = await self._listen()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self._failed(kind_of(error), str(error) or repr(error), began)
            finally:
                self.connected.clear()
            if code:
                counts.closes[code] += 1
                if code not in EXPECTED_CLOSES:
                    self._failed(f"websocket closed {code}", "", self._opened_at)
            if code in REFUSED_FOR_GOOD:
                return
            attempts = 0 if counts.opened > opened_before else attempts + 1
            await asyncio.sleep(RECONNECT_SECONDS[min(attempts, len(RECONNECT_SECONDS) - 1)])
            counts.reconnects += 1

    async def _listen(self) -> int:
        """Listen on one connection; return its close code."""
        async with self._session.ws_connect(
            self._url,
            params={"after": str(self._last)},
            headers={"Authorization": f"Bearer {self.account.token}"},
            heartbeat=HEARTBEAT_SECONDS,
        ) as socket:
            self._opened_at = time.monotonic()
            self._recorder.websockets.opened += 1
            self.connected.set()
            async for frame in socket:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    self._take(frame.data)
            return socket.close_code or aiohttp.WSCloseCode.ABNORMAL_CLOSURE

    def _take(self, text: str) -> None:
        event, counts = json.loads(text), self._recorder.websockets
        if event.get("type") != "message":
            return
        number = int(event["message"]["id"])
        counts.received += 1
        counts.duplicates += number in self.seen
        counts.out_of_order += number < self._last
        self.seen.add(number)
        self._last = max(self._last, number)

    def _failed(self, kind: str, detail: str, since: float) -> None:
        age = round(time.monotonic() - since, 3)
        self._recorder.failed(
            "listen", kind, detail, connection="websocket", connection_age_seconds=age, final=True
        )


async def wait_connected(listeners: list[Listener], seconds: float) -> int:
    """Wait until all listen, at most so many seconds; return how many do."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(each.connected.wait() for each in listeners))
    return sum(each.connected.is_set() for each in listeners)
