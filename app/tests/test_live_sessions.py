"""The WebSocket endpoint alone, in the test's process: short times, and signals that get lost."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import REGISTRY
from pydantic import SecretStr
from starlette.datastructures import State
from websockets.asyncio.client import connect

from slipway_app import accounts, live, redis
from tests import stores
from tests.conftest import (
    PostgresServer,
    RedisServer,
    accepts,
    free_port,
)
from tests.sockets import close_code, play, received
from tests.stores import Stores


@pytest.fixture(scope="module")
def store(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Stores:
    return stores.create("sessions", postgres_server, redis_server, tmp_path_factory.mktemp("sessions"))


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


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


def test_a_redis_that_hangs_is_noticed_and_heard_again(
    store: Stores, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(live, "RETRY_SECONDS", 0.1)
    conversation = store.conversation()
    errors = figure("redis_errors_total")

    async def scenario() -> None:
        async with quick(store, deaf=False) as one:
            one.state.hub.ping_seconds = 60  # only signals bring messages
            assert redis_server.process
            redis_server.process.send_signal(signal.SIGSTOP)  # connected, and silent
            try:
                async with asyncio.timeout(10):
                    while figure("redis_errors_total") == errors:
                        await asyncio.sleep(0.02)
            finally:
                redis_server.process.send_signal(signal.SIGCONT)
            async with one.listen(store, conversation) as socket, store.redis() as client:
                async with asyncio.timeout(10):
                    while not (await client.pubsub_numsub(live.CHANNEL))[0][1]:
                        await asyncio.sleep(0.02)
                store.job(conversation, "heard again")
                await live.publish(client, conversation, {"id": 0})
                assert (await received(socket, 1))[0]["text"] == "heard again"

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
