"""The load generator finds what it is there to find: each fault of a made-up server appears in its report."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import WSCloseCode, web
from aiohttp.test_utils import TestServer

from load.options import Options, parse
from load.record import Recorder
from load.report import as_json, as_text, errors, percentile
from load.run import NotReadyError, run

type Fault = Callable[["Server", web.Request], Awaitable[web.StreamResponse | None]]


class Server:
    """The part of the API that the generator uses, in memory, with a fault if one is given."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.calls: defaultdict[str, int] = defaultdict(int)
        self.numbers = itertools.count(1)
        self.messages: defaultdict[int, list[dict[str, object]]] = defaultdict(list)
        self.by_key: dict[str, dict[str, object]] = {}
        self.sockets: defaultdict[int, list[web.WebSocketResponse]] = defaultdict(list)
        self.answers_each = 1
        self.deaf = False
        self.app = web.Application(middlewares=[self._faulty])
        self.app.add_routes(
            [
                web.post("/users", self._created),
                web.post("/tokens", self._created),
                web.post("/conversations", self._created),
                web.get("/conversations", self._list),
                web.get("/conversations/{id}/messages", self._read),
                web.post("/conversations/{id}/messages", self._post),
                web.get("/conversations/{id}/live", self._live),
            ]
        )

    @web.middleware
    async def _faulty(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.calls[f"{request.method} {request.path}"] += 1
        faulty = await self.fault(self, request) if self.fault else None
        return faulty if faulty is not None else await handler(request)

    async def _created(self, _request: web.Request) -> web.Response:
        return web.json_response({"id": next(self.numbers), "access_token": "token"}, status=201)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"conversations": []})

    async def _read(self, request: web.Request) -> web.Response:
        stored, after = self.messages[int(request.match_info["id"])], int(request.query["after"])
        return web.json_response({"messages": [each for each in stored if int(str(each["id"])) > after]})

    async def _post(self, request: web.Request) -> web.Response:
        conversation, text = int(request.match_info["id"]), (await request.json())["text"]
        key = request.headers["Idempotency-Key"]
        if key not in self.by_key:
            self.by_key[key] = await self.store(conversation, "user", text, None)
            for _ in range(self.answers_each):
                await self.store(conversation, "assistant", "so it is", self.by_key[key]["id"])
        return web.json_response({"message": self.by_key[key], "job": {}}, status=202)

    async def store(self, conversation: int, author: str, text: str, reply_to: object) -> dict[str, object]:
        message = {"id": next(self.numbers), "author": author, "text": text, "reply_to": reply_to}
        self.messages[conversation].append(message)
        if not self.deaf:
            for socket in self.sockets[conversation]:
                await socket.send_json({"type": "message", "message": message})
        return message

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        conversation, after = int(request.match_info["id"]), int(request.query["after"])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in self.messages[conversation]:
            if int(str(message["id"])) > after:
                await socket.send_json({"type": "message", "message": message})
        self.sockets[conversation].append(socket)
        await socket.send_json({"type": "ping"})
        async for _ in socket:
            pass
        self.sockets[conversation].remove(socket)
        return socket


def observed(server: Server, *arguments: str, seconds: str = "0.6") -> tuple[Options, Recorder]:
    """Run the generator against the server."""

    async def both() -> tuple[Options, Recorder]:
        async with TestServer(server.app) as running:
            small = ["--users", "3", "--writers", "2", "--websockets", "4", "--settle-seconds", "0.5"]
            quick = ["--think-seconds", "0.05", "--write-seconds", "0.05", "--seconds", seconds]
            options = parse(["--url", str(running.make_url("/")), *small, *quick, *arguments])
            return options, await run(options, lambda _line: None)

    return asyncio.run(both())


def once(path: str, answer: Callable[[], web.Response]) -> Fault:
    """A fault of the first request of a kind (`METHOD PATH`, the path's end is enough) after the set-up."""
    happened: list[str] = []

    async def fault(_server: Server, request: web.Request) -> web.Response | None:
        if not happened and request.method + request.path.rpartition("/")[2] == path:
            happened.append(path)
            return answer()
        return None

    return fault


def test_a_server_without_fault_has_no_error() -> None:
    options, recorder = observed(Server(), "--rate", "40")
    report = as_json(options, recorder)

    assert report["errors"] == []
    assert report["requests"] > 30
    assert report["connections"]["new"] > 0
    assert report["connections"]["kept"] > report["connections"]["new"]
    assert report["messages"]["accepted"] == report["messages"]["answered"] > 2
    # Four listeners on two conversations: each message and each answer arrives twice.
    assert report["websockets"]["received"] == 4 * report["messages"]["accepted"]
    assert as_text(recorder).endswith("no error")


def test_a_failed_request_is_reported_with_its_kind_and_connection() -> None:
    server = Server(once("GETconversations", lambda: web.Response(status=503, text="no database")))
    _, recorder = observed(server)
    (failure,) = recorder.failures

    assert (failure.operation, failure.kind, failure.detail) == ("list", "status 503", "no database")
    assert (failure.connection, failure.final) == ("kept", True)
    assert failure.connection_age_seconds is not None
    assert errors(recorder) == ["1 requests failed"]


def test_a_connection_that_is_cut_is_not_repeated_in_secret() -> None:
    cut: list[int] = []

    async def fault(server: Server, request: web.Request) -> None:
        if server.calls["GET /conversations"] > 5 and not cut and request.path == "/conversations":
            cut.append(1)
            assert request.transport is not None
            request.transport.abort()

    _, recorder = observed(Server(fault))

    assert recorder.failed_requests == 1
    assert errors(recorder) == ["1 requests failed"]


def test_a_retry_on_a_new_connection_is_noted_and_is_no_error() -> None:
    server = Server(once("POSTmessages", lambda: web.Response(status=503)))
    _, recorder = observed(server, "--retries", "2")
    (failure,) = recorder.failures

    assert (failure.operation, failure.final) == ("post", False)
    assert recorder.failed_attempts == 1
    assert errors(recorder) == []


def test_a_message_that_was_accepted_and_not_stored_is_lost() -> None:
    answer = {"message": {"id": 999_999}, "job": {}}
    server = Server(once("POSTmessages", lambda: web.json_response(answer, status=202)))

    assert errors(observed(server)[1]) == ["1 accepted messages are lost"]


@pytest.mark.parametrize(("answers", "sentence"), [(0, "no answer"), (2, "answered twice")])
def test_a_job_that_is_not_done_exactly_once_is_an_error(answers: int, sentence: str) -> None:
    server = Server()
    server.answers_each = answers
    (found,) = errors(observed(server)[1])

    assert found.endswith(sentence)


def test_what_a_websocket_missed_is_counted() -> None:
    server = Server()
    server.deaf = True
    options, recorder = observed(server)

    assert recorder.websockets.missed == 4 * recorder.messages.accepted > 0
    assert [sentence for sentence in as_json(options, recorder)["errors"] if "did not reach" in sentence]


def test_a_websocket_that_is_sent_away_comes_back_and_misses_nothing() -> None:
    sent_away: list[int] = []

    async def fault(server: Server, request: web.Request) -> None:
        if request.method == "POST" and request.path.endswith("messages") and not sent_away:
            sent_away.append(1)
            for socket in [each for some in server.sockets.values() for each in some]:
                await socket.close(code=WSCloseCode.SERVICE_RESTART)

    _, recorder = observed(Server(fault))

    assert recorder.websockets.closes == {1012: 4}
    assert recorder.websockets.reconnects == 4
    assert errors(recorder) == []


def test_a_websocket_closed_for_another_reason_is_an_error() -> None:
    async def fault(server: Server, request: web.Request) -> None:
        if request.method == "POST" and request.path.endswith("messages") and not server.by_key:
            for socket in [each for some in server.sockets.values() for each in some]:
                await socket.close(code=WSCloseCode.INTERNAL_ERROR)

    _, recorder = observed(Server(fault))

    assert recorder.websockets.closes[1011] >= 4
    assert errors(recorder) == [f"{recorder.websockets.errors} WebSocket connections failed"]


def test_a_run_that_cannot_register_says_which_limit_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("load.client.RETRY_PAUSE_SECONDS", 0)

    async def fault(_server: Server, request: web.Request) -> web.Response | None:
        return web.Response(status=429) if request.path == "/users" else None

    with pytest.raises(NotReadyError, match="raise RATE_LIMIT_PER_MINUTE"):
        observed(Server(fault))


def test_a_percentile_is_the_nearest_rank() -> None:
    assert percentile([1.0], 99) == 1.0
    assert percentile([float(each) for each in range(1, 101)], 95) == 95.0
    assert percentile([1.0, 2.0], 50) == 1.0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--url", "localhost:8000"], "must begin with http"),
        (["--url", "http://x", "--users", "3", "--writers", "4"], "too few"),
        (["--url", "http://x", "--seconds", "-1"], "0 or more"),
        (["--url", "http://x", "--rate", "1.5"], "0 or more"),
    ],
)
def test_wrong_options_are_refused(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse(arguments)
    assert sentence in capsys.readouterr().err
