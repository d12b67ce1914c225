"""The frontend as a process of its own, in front of an API that the test plays."""

import asyncio
import json
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.conftest import APP, accepts, free_port, running, wait_until

STATIC = APP / "slipway_app" / "frontend" / "static"


async def echo(request: Request) -> Response:
    """Say what arrived."""
    body = (await request.body()).decode()
    heard = {"path": request.url.path, "query": request.url.query, "method": request.method, "body": body}
    return JSONResponse({**heard, "headers": dict(request.headers)}, 202, {"X-Request-ID": "from-the-api"})


async def stream(_request: Request) -> Response:
    async def parts() -> object:
        for _ in range(3):
            yield b"part"
            await asyncio.sleep(0)

    return StreamingResponse(parts(), headers={"X-Streamed": "yes"})


async def slow(_request: Request) -> Response:
    await asyncio.sleep(1)
    return JSONResponse({"slow": True})


async def live(websocket: WebSocket) -> None:
    """Say what the handshake said, then repeat one frame, then close as this service does."""
    await websocket.accept(subprotocol=(websocket.scope["subprotocols"] or [None])[0])
    await websocket.send_json(
        {
            "subprotocols": websocket.scope["subprotocols"],
            "query": websocket.url.query,
            "authorization": websocket.headers.get("authorization"),
        }
    )
    await websocket.send_text(await websocket.receive_text())
    if await websocket.receive_text() == "end":
        await websocket.close(4408, "idle")
    else:
        await websocket.receive_text()


class FakeApi:
    """An API in a thread of the test's process, which can be stopped and started at the same address."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        app = Starlette(
            routes=[
                Route("/health/ready", echo),
                Route("/conversations/stream", stream),
                Route("/conversations/slow", slow),
                WebSocketRoute("/conversations/{id:int}/live", live),
                Route("/{path:path}", echo, methods=["GET", "POST", "PATCH", "DELETE"]),
            ]
        )
        config = uvicorn.Config(app, port=self.port, log_config=None, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_until(lambda: accepts(self.port))

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join(10)
            self._server = None


@pytest.fixture(scope="module")
def fake_api() -> Iterator[FakeApi]:
    api = FakeApi()
    api.start()
    yield api
    api.stop()


@contextmanager
def frontend(fake_api: FakeApi, temporary: Path) -> Iterator[tuple[httpx.Client, Popen[bytes], int]]:
    port = free_port()
    environment = {
        "API_BASE_URL": fake_api.url,
        "PORT": str(port),
        "PYTHONPATH": str(APP),
        "TMPDIR": str(temporary),
    }
    with (
        running([sys.executable, "-m", "slipway_app.frontend"], env=environment, cwd=APP) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15, trust_env=False) as client,
    ):
        wait_until(lambda: accepts(port))
        yield client, process, port


@pytest.fixture(scope="module")
def served(
    fake_api: FakeApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, Popen[bytes], int]]:
    with frontend(fake_api, tmp_path_factory.mktemp("frontend")) as parts:
        yield parts


@pytest.fixture
def client(served: tuple[httpx.Client, Popen[bytes], int]) -> httpx.Client:
    return served[0]


def test_the_page_and_its_files_come_with_a_policy_that_runs_nothing_inline(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert client.get(path).status_code == 200, path
    for path in re.findall(r'from "\./([^"]+)"', (STATIC / "app.js").read_text()):
        assert client.get(f"/static/{path}").status_code == 200, path


def test_the_page_obeys_its_own_policy() -> None:
    html = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html)
    for script in STATIC.glob("*.js"):
        code = script.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\.style\b", code
        )


def test_every_field_of_the_page_has_a_label_and_every_script_finds_its_elements() -> None:
    html = (STATIC / "index.html").read_text()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for field in re.findall(r'<(?:input|textarea) id="([^"]+)"', html):
        assert f'<label for="{field}">' in html
    assert set(re.findall(r'\$\("([^"]+)"\)', (STATIC / "app.js").read_text())) <= set(ids)
    assert set(re.findall(r'aria-labelledby="([^"]+)"', html)) <= set(ids)


def test_requests_reach_the_api_without_their_prefix_and_the_answer_comes_back(client: httpx.Client) -> None:
    answer = client.post(
        "/api/conversations/7/messages?x=1",
        json={"text": "hello"},
        headers={"Authorization": "Bearer t", "Idempotency-Key": "k"},
    )
    assert answer.status_code == 202
    assert answer.headers["X-Request-ID"] == "from-the-api"
    heard = answer.json()
    assert (heard["path"], heard["query"], heard["method"]) == ("/conversations/7/messages", "x=1", "POST")
    assert json.loads(heard["body"]) == {"text": "hello"}
    assert (heard["headers"]["authorization"], heard["headers"]["idempotency-key"]) == ("Bearer t", "k")


def test_the_api_learns_the_clients_address_and_not_what_the_client_claims(client: httpx.Client) -> None:
    claims = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9", "X-Forwarded-Proto": "https"}
    # uvicorn trusts a peer at 127.0.0.1 and takes its claim for its address; one address goes on, not a list.
    heard = client.get("/api/conversations", headers=claims).json()["headers"]
    assert "," not in heard["x-forwarded-for"]
    assert "forwarded" not in heard
    assert heard["host"].startswith("127.0.0.1:")


def test_headers_of_the_connection_are_not_passed_on(client: httpx.Client) -> None:
    heard = client.get("/api/users", headers={"Connection": "keep-alive, X-Private", "X-Private": "1"}).json()
    assert "x-private" not in heard["headers"]


@pytest.mark.parametrize(
    "path",
    [
        "metrics",
        "health/ready",
        "work",
        "",
        "conversations/../metrics",
        "conversations/%2e%2e/metrics",
        "docs",
    ],
)
def test_the_apis_internal_paths_are_not_public(path: str, served: tuple[httpx.Client, object, int]) -> None:
    with httpx.Client() as client:
        # As raw as possible: httpx would tidy up the path otherwise.
        url = httpx.URL(f"http://127.0.0.1:{served[2]}", raw_path=f"/api/{path}".encode())
        assert client.get(url).status_code == 404


def test_a_streamed_answer_arrives_whole(client: httpx.Client) -> None:
    answer = client.get("/api/conversations/stream")
    assert (answer.content, answer.headers["X-Streamed"]) == (b"part" * 3, "yes")


def test_an_oversized_request_is_refused(client: httpx.Client) -> None:
    assert client.post("/api/users", content=b"x" * (256 * 1024)).status_code == 202
    assert client.post("/api/users", content=b"x" * (256 * 1024 + 1)).status_code == 413


def test_without_the_api_requests_get_502_and_the_frontend_stays_ready_and_recovers(
    client: httpx.Client, fake_api: FakeApi
) -> None:
    assert client.get("/health/ready").json() == {"status": "ready", "api": True}
    fake_api.stop()
    answer = client.get("/api/conversations")
    assert (answer.status_code, answer.json()) == (502, {"detail": "the API does not answer; try again"})
    health = client.get("/health/ready")
    assert (health.status_code, health.json()) == (200, {"status": "degraded", "api": False})
    assert client.get("/health/live").status_code == 200
    fake_api.start()
    assert client.post("/api/users", json={}).status_code == 202


def test_a_request_on_a_connection_that_the_api_closed_is_sent_again(
    client: httpx.Client, fake_api: FakeApi
) -> None:
    assert client.get("/api/conversations").status_code == 202
    fake_api.stop()
    fake_api.start()
    assert client.get("/api/conversations").status_code == 202


def test_a_websocket_passes_token_query_frames_and_close_code(served: tuple[object, object, int]) -> None:
    async def scenario() -> None:
        url = f"ws://127.0.0.1:{served[2]}/api/conversations/7/live?after=5"
        protocols = [Subprotocol("slipway.v1"), Subprotocol("bearer.a.b.c")]
        async with connect(
            url, subprotocols=protocols, additional_headers={"Authorization": "Bearer t"}
        ) as socket:
            assert socket.subprotocol == "slipway.v1"
            assert json.loads(await socket.recv()) == {
                "subprotocols": ["slipway.v1", "bearer.a.b.c"],
                "query": "after=5",
                "authorization": "Bearer t",
            }
            await socket.send("to and fro")
            assert await socket.recv() == "to and fro"
            await socket.send("end")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4408, "idle")

    asyncio.run(scenario())


def test_a_websocket_without_the_api_is_told_to_try_later(
    served: tuple[object, object, int], fake_api: FakeApi
) -> None:
    fake_api.stop()

    async def scenario() -> None:
        url = f"ws://127.0.0.1:{served[2]}/api/conversations/7/live"
        async with connect(url, subprotocols=[Subprotocol("slipway.v1")]) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1013

    try:
        asyncio.run(scenario())
    finally:
        fake_api.start()


def test_at_sigterm_it_drains_finishes_what_is_open_and_ends_with_0(
    fake_api: FakeApi, tmp_path: Path
) -> None:
    async def scenario(client: httpx.Client, process: Popen[bytes], port: int) -> None:
        async with (
            connect(f"ws://127.0.0.1:{port}/api/conversations/7/live") as socket,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as other,
        ):
            await socket.recv()
            slow_answer = asyncio.create_task(other.get("/api/conversations/slow"))
            await asyncio.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1012
            # New requests are still served, and their connections end with them.
            while_draining = client.get("/api/conversations")
            assert (while_draining.status_code, while_draining.headers["Connection"]) == (202, "close")
            assert client.get("/health/ready").status_code == 503
            assert (await slow_answer).json() == {"slow": True}

    with frontend(fake_api, tmp_path) as (client, process, port):
        asyncio.run(scenario(client, process, port))
        assert process.wait(20) == 0
