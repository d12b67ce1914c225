"""Messages as they are stored, by WebSocket.

A signal in Redis says that a conversation has something new; what that is, is read from PostgreSQL, after the
last message that the client has. So there is neither gap nor duplicate, whatever is lost or overtaken on the
way: a client that connects again, and a service that lost Redis for a while, read on where they were.
"""

import asyncio
import contextlib
import json
import logging
import random
import time
from collections import defaultdict
from collections.abc import Generator, Mapping
from typing import Annotated, TypedDict, cast

from fastapi import APIRouter, Path, Query, WebSocket, WebSocketDisconnect
from psycopg import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout
from redis.asyncio import Redis
from redis.exceptions import RedisError

from slipway_app import accounts, conversations, metrics
from slipway_app.accounts import UserId
from slipway_app.sockets import GONE, PROTOCOL, TOKEN_PREFIX, CloseCode, Closing, first_to_end

CHANNEL = "slipway:live"
"""One for all conversations: a signal has some bytes, and a connecting client waits for no subscription."""
PING_SECONDS = 25.0
"""Below the 60 s after which usual load balancers cut a silent connection."""
SEND_SECONDS = 10.0
"""A client that does not take a message within this time is sent away; it may come back and read on."""
RETRY_SECONDS = 1.0
SILENCE_SECONDS = 10.0
"""After this long without a word Redis is asked whether it is there; after as long again, it is not."""
READERS = 2
"""Clients of a process for which the stores are asked at once: their connections are for requests too."""
BIGGEST_ID = 2**63 - 1
DATABASE_DOWN = (OperationalError, InterfaceError, PoolTimeout)
logger = logging.getLogger(__name__)
router = APIRouter()


class _Heard(TypedDict):
    type: str
    data: str


async def publish(redis: Redis, conversation_id: int, message: Mapping[str, object]) -> None:
    """Tell every process that a message was stored. Call it after the commit.

    Args:
        redis: where the processes listen.
        conversation_id: where the message belongs.
        message: as clients are shown it; only its `id` travels.
    """
    signal = {"conversation": conversation_id, "message": message["id"]}
    await redis.publish(CHANNEL, json.dumps(signal))  # pyright: ignore[reportUnknownMemberType]


class Hub:
    """Wakes those who listen to a conversation; one connection to Redis a process.

    Args:
        redis: a client of its own, whose one connection the hub keeps.
        ping_seconds: how often a silent client is told that the service is there.
    """

    def __init__(self, redis: Redis, ping_seconds: float = PING_SECONDS) -> None:
        self.ping_seconds = ping_seconds
        self.reading = asyncio.Semaphore(READERS)
        self._redis = redis
        self._listeners: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; Redis need not be there yet."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop listening, and close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._redis.aclose()

    @contextlib.contextmanager
    def listening(self, conversation_id: int) -> Generator[asyncio.Event]:
        """Give an event that is set whenever the conversation may have something new.

        It is all that waits for a slow client: a flag, however much is stored meanwhile.
        """
        news = asyncio.Event()
        self._listeners[conversation_id].add(news)
        try:
            yield news
        finally:
            self._listeners[conversation_id].discard(news)
            if not self._listeners[conversation_id]:
                del self._listeners[conversation_id]

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                metrics.redis_errors.inc()
                logger.warning("live messages: Redis does not answer: %s", type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        async with self._redis.pubsub() as subscription:  # pyright: ignore[reportUnknownMemberType]
            await subscription.subscribe(CHANNEL)
            asked = False
            while True:
                heard = cast("_Heard | None", await subscription.get_message(timeout=SILENCE_SECONDS))
                if heard is None:
                    if asked:
                        raise TimeoutError
                    await subscription.ping("still there?")  # pyright: ignore[reportUnknownMemberType]
                elif heard["type"] == "message":
                    self._wake(heard["data"])
                elif heard["type"] == "subscribe":
                    # Also after the library has connected again by itself: signals may have been missed.
                    self._wake_all()
                asked = heard is None

    def _wake(self, signal: str) -> None:
        try:
            conversation_id = json.loads(signal)["conversation"]
        except (ValueError, KeyError, TypeError):
            logger.warning("live messages: a signal that is none of ours")
            return
        for news in self._listeners.get(conversation_id, ()):
            news.set()

    def _wake_all(self) -> None:
        for listeners in self._listeners.values():
            for news in listeners:
                news.set()


@router.websocket("/conversations/{conversation_id}/live")
async def live(
    websocket: WebSocket,
    conversation_id: Annotated[int, Path(ge=1, le=BIGGEST_ID)],
    after: Annotated[int, Query(ge=0, le=BIGGEST_ID)] = 0,
) -> None:
    """Send the messages of a conversation: first those after `after`, then each new one."""
    # Accepted first: a browser learns no code from a handshake that was refused.
    await websocket.accept(subprotocol=PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None)
    metrics.websocket_connections.inc()
    with metrics.websocket_connections_active.track_inprogress():
        try:
            closing = await _Session(websocket, conversation_id, after).run()
        except DATABASE_DOWN as error:
            logger.error("PostgreSQL does not answer: %s", type(error).__name__)
            closing = Closing(CloseCode.TRY_LATER, "the database does not answer")
        except Exception:
            metrics.websocket_errors.inc()
            logger.exception("a WebSocket failed")
            closing = Closing(CloseCode.SERVER_ERROR)
        if closing.code is not None:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # gone meanwhile
                await websocket.close(closing.code, closing.reason)


class _Session:
    """One client, from the check of its token to the reason why it ends."""

    def __init__(self, websocket: WebSocket, conversation_id: int, after: int) -> None:
        self._websocket = websocket
        self._state = websocket.app.state
        self._conversation_id = conversation_id
        self._last_id = after
        self._active_at = time.monotonic()

    async def run(self) -> Closing:
        refusal = await self._refusal()
        if refusal is not None:
            return refusal
        hub: Hub = self._state.hub
        with hub.listening(self._conversation_id) as news:  # before the first reading: nothing falls between
            return await first_to_end(self._send(hub, news), self._receive(), self._drained())

    async def _refusal(self) -> Closing | None:
        """Say why this client may not listen, or None. Asked again now and then: tokens end."""
        hub: Hub = self._state.hub
        async with hub.reading:
            try:
                user: UserId = await accounts.user_of(_token(self._websocket), self._state)
            except accounts.Unauthorized:
                return Closing(CloseCode.UNAUTHORIZED, "a valid token is needed")
            if await conversations.find(self._state.pool, user, self._conversation_id) is None:
                return Closing(CloseCode.NOT_FOUND, "no such conversation")
        return None

    async def _send(self, hub: Hub, news: asyncio.Event) -> Closing:
        try:
            news.set()
            while True:
                try:
                    # By chance a little earlier: clients that came at the same moment spread out.
                    if await _is_set(news, hub.ping_seconds * random.uniform(0.8, 1)):  # noqa: S311
                        news.clear()
                        await self._send_new(hub)
                        continue
                    if time.monotonic() - self._active_at >= self._state.settings.websocket_idle_seconds:
                        return Closing(CloseCode.IDLE, "nothing was said for too long")
                    refusal = await self._refusal()
                    if refusal is not None:
                        return refusal
                    await self._send_new(hub)  # whatever signal was lost
                    await self._send_frame({"type": "ping"})
                except DATABASE_DOWN as error:
                    # Nothing is stored meanwhile either. Clients stay, or they would all come back at once.
                    logger.warning("live messages: PostgreSQL does not answer: %s", type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS)
                    news.set()
        except TimeoutError:
            return Closing(CloseCode.TOO_SLOW, "messages were not taken in time")
        except WebSocketDisconnect:
            return GONE

    async def _send_new(self, hub: Hub) -> None:
        while True:
            async with hub.reading:
                messages = await conversations.messages_after(
                    self._state.pool, self._conversation_id, self._last_id
                )
            for message in messages:
                await self._send_frame({"type": "message", "message": message.view()})
                self._last_id = message.id
                self._active_at = time.monotonic()
            if len(messages) < conversations.MESSAGES_LIMIT:
                return

    async def _send_frame(self, frame: Mapping[str, object]) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._websocket.send_text(json.dumps(frame))
        metrics.websocket_messages.labels("out").inc()

    async def _receive(self) -> Closing:
        """Take whatever the client says as a sign of life; the server refuses frames that are too long."""
        while True:
            frame = await self._websocket.receive()
            if frame["type"] == "websocket.disconnect":
                return GONE
            self._active_at = time.monotonic()
            metrics.websocket_messages.labels("in").inc()

    async def _drained(self) -> Closing:
        draining: asyncio.Event = self._state.draining
        await draining.wait()
        return Closing(CloseCode.RESTART, "the service restarts")


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    """Wait for the event, at most so long; return whether it is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


def _token(websocket: WebSocket) -> str:
    """Return the token of the header `Authorization`, or of a subprotocol `bearer.<token>`."""
    kind, _space, token = websocket.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token
    offered: list[str] = websocket.scope["subprotocols"]
    return next((name.removeprefix(TOKEN_PREFIX) for name in offered if name.startswith(TOKEN_PREFIX)), "")
