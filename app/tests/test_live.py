"""Live messages: what a client of the WebSocket gets, from the API as the image starts it and a worker."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import REGISTRY
from pydantic import SecretStr
from starlette.datastructures import State
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from slipway_app import accounts, live, redis
from tests import stores
from tests.conftest import (
    APP,
    PostgresServer,
    RedisServer,
    accepts,
    free_port,
    running,
    serving,
    sign_up,
)
from tests.stores import Stores

type Frame = dict[str, object]


@pytest.fixture(scope="module")
def store(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Stores:
    return stores.create("live", postgres_server, redis_server, tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def api(store: Stores) -> Iterator[httpx.Client]:
    with serving(store.environment) as (client, _process):
        yield client


@pytest.fixture(scope="module")
def worker(store: Stores) -> Iterator[None]:
    environment = {**store.environment, "METRICS_PORT": str(free_port())}
    command = [sys.executable, "-m", "slipway_app.worker"]
    with running(command, env=environment, cwd=APP, stdout=subprocess.DEVNULL):
        yield


@dataclass
class Chat:
    """A signed-in user and a conversation."""

    http: httpx.Client
    id: int

    @property
    def token(self) -> str:
        return self.http.headers["Authorization"].removeprefix("Bearer ")

    def url(self, after: int = 0) -> str:
        base = str(self.http.base_url).replace("http", "ws", 1).rstrip("/")
        return f"{base}/conversations/{self.id}/live?after={after}"

    def listen(self, after: int = 0) -> connect:
        # Without a limit of unread frames: a client that has reached it takes no close frame either.
        return connect(
            self.url(after),
            additional_headers={"Authorization": f"Bearer {self.token}"},
            proxy=None,
            max_queue=None,
        )

    def write(self, text: str) -> int:
        answer = self.http.post(f"/conversations/{self.id}/messages", json={"text": text})
        assert answer.status_code == 202
        return answer.json()["message"]["id"]


@contextmanager
def chatting(api: httpx.Client) -> Iterator[Chat]:
    with sign_up(api) as user:
        yield Chat(user, user.post("/conversations", json={"title": "live"}).json()["id"])


@pytest.fixture
def chat(api: httpx.Client) -> Iterator[Chat]:
    with chatting(api) as one:
        yield one


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


# --- What arrives ---


@pytest.mark.usefixtures("worker")
def test_what_a_user_writes_and_its_answer_arrive_live(chat: Chat) -> None:
    async def scenario() -> None:
        async with chat.listen() as socket:
            asked = await asyncio.to_thread(chat.write, "two words")
            question, answer = await received(socket, 2)
        assert (question["id"], question["author"], question["text"]) == (asked, "user", "two words")
        assert (answer["author"], answer["reply_to"]) == ("assistant", asked)
        assert answer["text"] == "You wrote 2 words: “two words”"

    play(scenario)


@pytest.mark.usefixtures("worker")
def test_a_client_that_connects_again_gets_what_it_missed_once_and_in_order(chat: Chat) -> None:
    async def scenario() -> None:
        first = await asyncio.to_thread(chat.write, "first")
        async with chat.listen() as socket:
            seen = await received(socket, 2)
        missed = await asyncio.to_thread(chat.write, "missed")
        async with chat.listen(after=int(str(seen[-1]["id"]))) as socket:
            seen += await received(socket, 2)
            live_one = await asyncio.to_thread(chat.write, "live")
            seen += await received(socket, 2)
            await nothing_more(socket)
        ids = [int(str(message["id"])) for message in seen]
        assert ids == sorted(set(ids))
        assert [message["id"] for message in seen if message["author"] == "user"] == [first, missed, live_one]

    play(scenario)


@pytest.mark.usefixtures("worker")
def test_under_concurrent_writes_every_listener_sees_every_message_once_and_in_order(chat: Chat) -> None:
    async def listen_with_interruptions(stay: int) -> list[int]:
        seen = list[int]()
        while len(seen) < 40:
            async with chat.listen(after=seen[-1] if seen else 0) as socket:
                for _ in range(min(stay, 40 - len(seen))):
                    seen += [int(str(message["id"])) for message in await received(socket, 1)]
        return seen

    async def scenario() -> None:
        listeners = [asyncio.create_task(listen_with_interruptions(stay)) for stay in (1, 7, 40)]
        await asyncio.gather(*(asyncio.to_thread(chat.write, f"text {number}") for number in range(20)))
        seen = await asyncio.gather(*listeners)
        stored = chat.http.get(f"/conversations/{chat.id}/messages").json()["messages"]
        assert len(stored) == 40
        for one in seen:
            assert one == [message["id"] for message in stored]

    play(scenario)


def test_more_messages_than_a_reading_gives_all_arrive(chat: Chat, store: Stores) -> None:
    store.query(
        "INSERT INTO messages (conversation_id, author, text)"
        " SELECT %s, 'user', 'text' FROM generate_series(1, 1201)",
        chat.id,
    )

    async def scenario() -> None:
        async with chat.listen() as socket:
            ids = [message["id"] for message in await received(socket, 1201)]
        assert ids == sorted(set(ids), key=lambda one: int(str(one)))

    play(scenario)


@pytest.mark.usefixtures("worker")
def test_messages_go_on_after_redis_was_away(chat: Chat, redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with chat.listen() as socket:
            await asyncio.to_thread(redis_server.stop)
            try:
                while_away = await asyncio.to_thread(chat.write, "while away")
                await asyncio.sleep(1)
            finally:
                await asyncio.to_thread(redis_server.start)
            # Nobody says anything more: what was stored meanwhile has to come by itself.
            question, answer = await received(socket, 2)
            assert question["id"] == answer["reply_to"] == while_away
            after_it = await asyncio.to_thread(chat.write, "after it")
            assert [message["author"] for message in await received(socket, 2)] == ["user", "assistant"]
            assert after_it > while_away

    play(scenario)


# --- Who may listen ---


def test_a_browser_brings_its_token_as_a_subprotocol(chat: Chat) -> None:
    async def scenario() -> None:
        protocols = [Subprotocol("slipway.v1"), Subprotocol(f"bearer.{chat.token}")]
        chat.write("hello")
        async with connect(chat.url(), subprotocols=protocols, proxy=None) as socket:
            assert socket.subprotocol == "slipway.v1"
            assert (await received(socket, 1))[0]["text"] == "hello"

    play(scenario)


def test_without_a_valid_token_the_socket_is_closed_with_4401(chat: Chat) -> None:
    async def scenario() -> None:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {chat.token}"}):
            async with connect(chat.url(), additional_headers=headers, proxy=None) as socket:
                assert await close_code(socket) == 4401
        assert chat.http.delete("/tokens/current").status_code == 204
        async with chat.listen() as socket:
            assert await close_code(socket) == 4401

    play(scenario)


def test_somebody_elses_conversation_and_none_are_closed_with_4404(chat: Chat, api: httpx.Client) -> None:
    async def scenario() -> None:
        with chatting(api) as other:
            for conversation in (other.id, 2**62):
                async with Chat(chat.http, conversation).listen() as socket:
                    assert await close_code(socket) == 4404

    play(scenario)


def test_a_frame_that_is_too_long_closes_with_1009(chat: Chat) -> None:
    async def scenario() -> None:
        async with chat.listen() as socket:
            await socket.send("x" * 4096)
            await nothing_more(socket)
        async with chat.listen() as socket:
            await socket.send("x" * 4097)
            assert await close_code(socket) == 1009

    play(scenario)


# --- How it ends ---


def test_at_sigterm_sockets_are_closed_with_1012_and_the_process_ends_with_0(store: Stores) -> None:
    with serving({**store.environment, "DRAIN_SECONDS": "1"}) as (api, process), chatting(api) as chat:

        async def scenario() -> None:
            async with chat.listen() as socket, chat.listen() as other:
                process.send_signal(signal.SIGTERM)
                assert [await close_code(one) for one in (socket, other)] == [1012, 1012]

        play(scenario)
        assert process.wait(20) == 0


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Quick:
    """The endpoint alone, in this process, with short times and a hub that may be deaf."""

    url: str
    state: State

    def listen(self, store: Stores, conversation: int, after: int = 0) -> connect:
        owner = store.number("SELECT owner FROM conversations WHERE id = %s", conversation)
        token = accounts.issue_token(self.state.settings, accounts.UserId(owner))
        return connect(
            f"{self.url}/conversations/{conversation}/live?after={after}",
            additional_headers={"Authorization": f"Bearer {token}"},
            proxy=None,
            compression=None,
        )


@asynccontextmanager
async def quick(store: Stores, *, deaf: bool = True, **settings: object) -> AsyncGenerator[Quick]:
    app = FastAPI()
    app.include_router(live.router)
    state, port = app.state, free_port()
    async with store.pool() as pool, store.redis() as queue_redis:
        # Shorter than the settings allow.
        state.settings = store.settings().model_copy(update=settings)
        state.pool, state.queue, state.draining = pool, queue_redis, asyncio.Event()
        client = redis.create_client(SecretStr(store.redis_url), connections=1)
        state.hub = live.Hub(client, ping_seconds=0.2)
        if not deaf:
            state.hub.start()
        server = _Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve())
        while not accepts(port):
            await asyncio.sleep(0.02)
        try:
            yield Quick(f"ws://127.0.0.1:{port}", state)
        finally:
            server.should_exit = server.force_exit = True
            await task
            await state.hub.stop()


def test_a_message_whose_signal_was_lost_arrives_with_the_next_ping(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        async with quick(store) as one, one.listen(store, conversation) as socket:
            assert json.loads(await socket.recv()) == {"type": "ping"}
            store.job(conversation, "no signal")
            assert (await received(socket, 1))[0]["text"] == "no signal"

    play(scenario)


def test_an_idle_client_is_closed_with_4408_and_one_that_speaks_is_not(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        async with (
            quick(store, websocket_idle_seconds=0.5) as one,
            one.listen(store, conversation) as silent,
            one.listen(store, conversation) as speaking,
        ):

            async def answer_pings() -> None:
                while True:
                    await speaking.recv()
                    await speaking.send('{"type": "pong"}')

            answering = asyncio.create_task(answer_pings())
            assert await close_code(silent) == 4408
            assert not answering.done()
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            assert await close_code(speaking) == 4408

    play(scenario)


def test_a_client_whose_token_or_conversation_ends_is_closed(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        async with quick(store) as one, one.listen(store, conversation) as socket:
            await socket.recv()
            store.query("DELETE FROM conversations WHERE id = %s", conversation)
            assert await close_code(socket) == 4404
        other = store.conversation()
        async with quick(store) as one, one.listen(store, other) as socket:
            await socket.recv()
            secret = SecretStr("another secret of 32 characters!")
            one.state.settings = one.state.settings.model_copy(update={"jwt_secret": secret})
            assert await close_code(socket) == 4401

    play(scenario)


def test_a_client_stays_while_postgres_is_away_and_reads_on(
    store: Stores, postgres_server: PostgresServer
) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        async with quick(store) as one, one.listen(store, conversation) as socket:
            store.job(conversation, "before")
            (before,) = await received(socket, 1)
            await asyncio.to_thread(postgres_server.stop)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(postgres_server.start)
            store.job(conversation, "after")
            (after,) = await received(socket, 1)
            assert (before["text"], after["text"]) == ("before", "after")

    play(scenario)


def test_a_client_that_takes_nothing_holds_up_no_other_and_is_sent_away(
    store: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SEND_SECONDS", 1.0)
    conversation = store.conversation()
    # More than the buffers of both sides hold.
    store.query(
        "INSERT INTO messages (conversation_id, author, text)"
        " SELECT %s, 'user', repeat('x', 10000) FROM generate_series(1, 2000)",
        conversation,
    )

    async def scenario() -> None:
        async with quick(store) as one:
            stuck = await asyncio.open_connection("127.0.0.1", int(one.url.rpartition(":")[2]), limit=1024)
            reader, writer = stuck
            owner = store.number("SELECT owner FROM conversations WHERE id = %s", conversation)
            token = accounts.issue_token(one.state.settings, accounts.UserId(owner))
            writer.write(
                f"GET /conversations/{conversation}/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
                f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            assert b"101" in await reader.readline()
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            listeners = one.state.hub._listeners[conversation]
            async with one.listen(store, conversation, after=0) as socket:
                assert len(await received(socket, 2000)) == 2000
            async with asyncio.timeout(10):
                while listeners:
                    await asyncio.sleep(0.05)
            writer.close()

    play(scenario)


def test_connections_and_messages_are_counted(store: Stores) -> None:
    def figure(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    conversation = store.conversation()

    async def scenario() -> None:
        async with quick(store) as one:
            total, sent = (
                figure("websocket_connections_total"),
                figure("websocket_messages_total", direction="out"),
            )
            async with one.listen(store, conversation) as socket:
                await socket.recv()
                assert figure("websocket_connections_active") == 1
            assert figure("websocket_connections_total") == total + 1
            assert figure("websocket_messages_total", direction="out") >= sent + 1
            async with asyncio.timeout(10):
                while figure("websocket_connections_active"):
                    await asyncio.sleep(0.02)

    play(scenario)


def test_a_signal_that_is_none_of_ours_is_passed_over(store: Stores) -> None:
    conversation = store.conversation()

    async def scenario() -> None:
        async with quick(store, deaf=False) as one, one.listen(store, conversation) as socket:
            await socket.recv()
            one.state.hub.ping_seconds = 60  # from the next wait on, only signals bring messages
            await asyncio.sleep(0.5)
            async with store.redis() as client:
                async with asyncio.timeout(10):
                    while not (await client.pubsub_numsub(live.CHANNEL))[0][1]:
                        await asyncio.sleep(0.02)
                for nonsense in ("no json", "[]", "{}", "7"):
                    await client.publish(live.CHANNEL, nonsense)
                store.job(conversation, "hello")
                message = store.number(
                    "SELECT max(id) FROM messages WHERE conversation_id = %s", conversation
                )
                await live.publish(client, conversation, {"id": message})
            assert (await received(socket, 1))[0]["text"] == "hello"

    play(scenario)
