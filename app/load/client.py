"""One person's HTTP connection: requests one after the other, each attempt noted, none repeated in secret.

aiohttp sends an idempotent request again by itself when a kept connection turns out to be closed. A user of
another library would see that as an error, so it is counted as one.
"""

import asyncio
import errno
import json
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from load.record import Recorder

type Json = dict[str, Any]

RETRY_PAUSE_SECONDS = 0.2
"""Before the first repetition; doubled each time."""
RETRY_PAUSE_LIMIT_SECONDS = 2.0
REPEATED = "closed when it was used"
"""The kind of a failure that aiohttp has hidden by sending the request again."""


@dataclass(frozen=True)
class Account:
    """A registered user.

    Attributes:
        token: what its requests carry.
        conversation: the number of its conversation.
    """

    token: str
    conversation: int


class Connection:
    """Sends requests, never two at once. Use it as `async with`."""

    def __init__(
        self,
        url: str,
        recorder: Recorder,
        *,
        keep: bool = True,
        retries: int = 0,
        timeout_seconds: float = 15,
    ) -> None:
        """Prepare it.

        Args:
            url: where the API is.
            recorder: what is told of each attempt.
            keep: keep the connection alive; False: each request makes a new one.
            retries: how often a request that failed is sent again, each time on a new connection.
            timeout_seconds: of one attempt.
        """
        self._url, self._recorder, self._keep, self._retries = url, recorder, keep, retries
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None
        self._number, self._since, self._taken = 0, 0.0, 0

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def request(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        token: str = "",
        body: Json | None = None,
        key: str = "",
        expected: int = 200,
    ) -> Json | None:
        """Send a request, again where `retries` allows it.

        Args:
            operation: its name in the report.
            method: of HTTP.
            path: from the API's address on.
            token: the account's.
            body: sent as JSON.
            key: an Idempotency-Key.
            expected: the only status that is a success.

        Returns:
            The answer's JSON ({} where it has none), or None when every attempt failed.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if key:
            headers["Idempotency-Key"] = key
        for attempt in range(self._retries + 1):
            if attempt:
                pause = min(RETRY_PAUSE_SECONDS * 2 ** (attempt - 1), RETRY_PAUSE_LIMIT_SECONDS)
                await asyncio.sleep(pause)
                await self._close()
                self._open()
            self._taken, began = 0, time.monotonic()
            kind, detail, text = await self._attempt(method, path, headers, body, expected)
            if not kind and self._taken > 1:
                kind, detail = REPEATED, "the HTTP library has sent it again"
            if not kind:
                connection = "kept" if self._keep else "new"
                self._recorder.succeeded(operation, connection, time.monotonic() - began)
                return json.loads(text) if text else {}
            self._note(operation, kind, detail, attempt)
        return None

    async def _attempt(
        self, method: str, path: str, headers: dict[str, str], body: Json | None, expected: int
    ) -> tuple[str, str, bytes]:
        """Send it once; return kind and detail of the failure ("" for none) and the answer."""
        if self._session is None:
            raise RuntimeError("a Connection is used inside `async with`")
        try:
            async with self._session.request(method, self._url + path, headers=headers, json=body) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return kind_of(error), str(error) or repr(error), b""
        if answer.status != expected:
            return f"status {answer.status}", text.decode(errors="replace"), b""
        return "", "", text

    def _note(self, operation: str, kind: str, detail: str, attempt: int) -> None:
        self._recorder.failed(
            operation,
            kind,
            detail,
            connection="kept" if self._keep else "new",
            connection_number=self._number if self._taken else 0,
            connection_age_seconds=round(time.monotonic() - self._since, 3) if self._taken else None,
            attempt=attempt,
            final=attempt == self._retries,
        )

    def _open(self) -> None:
        trace = aiohttp.TraceConfig()

        async def made(*_event: object) -> None:
            self._number, self._since = self._recorder.connection_number(), time.monotonic()
            self._taken += 1

        async def reused(*_event: object) -> None:
            self._taken += 1

        trace.on_connection_create_end.append(made)
        trace.on_connection_reuseconn.append(reused)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, force_close=not self._keep),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
        )

    async def _close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


def kind_of(error: Exception) -> str:
    """Return the short name of what went wrong with a connection."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "disconnected"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "cut off"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"status {error.status}"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return "refused"
    if number in (errno.ECONNRESET, errno.EPIPE):
        return "reset"
    return "no connection" if isinstance(error, aiohttp.ClientConnectorError) else type(error).__name__
