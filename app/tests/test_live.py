"""Live messages: what a client of the WebSocket gets, from the API as the image starts it and a worker."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests import stores
from tests.conftest import (
    APP,
    PostgresServer,
    RedisServer,
    free_port,
    running,
    serving,
    sign_up,
)
from tests.sockets import close_code, nothing_more, play, received
from tests.stores import Stores


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
