"""A server that is told to end loses no request: real processes, real connections."""

import http.client
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import lives, serving, wait_until

DRAIN_SECONDS = 2.0
BEFORE_THE_END = 0.5
"""Load balancers have sent everybody elsewhere by then."""


class Hammer(threading.Thread):
    """A client that sends one request after the other."""

    def __init__(self, port: int, stop: threading.Event, keep_alive: bool) -> None:
        super().__init__(daemon=True)  # a test that fails must not wait for it
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.stop, self.keep_alive = stop, keep_alive
        self.answers: list[tuple[int, str | None]] = []
        self.failures: list[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                # A connection that the server has asked to close is closed here, and opened again.
                self.connection.request("GET", "/health/live")
                answer = self.connection.getresponse()
                answer.read()
                self.answers.append((answer.status, answer.getheader("Connection")))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                self.connection.close()
            if not self.keep_alive:
                self.connection.close()
            time.sleep(0.002)
        self.connection.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_every_request_during_the_drain_is_answered_over_new_and_kept_alive_connections(
    environment: dict[str, str], processes: int
) -> None:
    told = {**environment, "DRAIN_SECONDS": str(DRAIN_SECONDS), "WEB_CONCURRENCY": str(processes)}
    stop = threading.Event()
    with serving(told) as (api, process):
        port = api.base_url.port
        assert port
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        idle.request("GET", "/health/live")
        idle.getresponse().read()
        socket = idle.sock
        clients = [Hammer(port, stop, keep_alive) for keep_alive in (True, True, True, False)]
        for client in clients:
            client.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        end = time.monotonic() + DRAIN_SECONDS - BEFORE_THE_END
        wait_until(lambda: api.get("/health/ready").status_code == 503, DRAIN_SECONDS)
        assert api.get("/health/ready").json()["status"] == "draining"
        idle.request("GET", "/health/live")
        answer = idle.getresponse()
        answer.read()
        idle.close()
        assert (answer.status, answer.getheader("Connection")) == (200, "close")
        assert socket is not None
        time.sleep(max(0.0, end - time.monotonic()))
        stop.set()
        for client in clients:
            client.join(10)
        assert process.wait(20) == 0
    assert [client.failures for client in clients] == [[], [], [], []]
    for client in clients:
        assert {status for status, _connection in client.answers} == {200}
        # Before: kept alive; during the drain: asked to leave, and served again over the next connection.
        assert [connection for _status, connection in client.answers].count("close") > 10
        assert client.answers[0][1] is None
        assert client.answers[-1][1] == "close"


def test_a_request_in_progress_at_the_end_of_the_drain_is_finished(environment: dict[str, str]) -> None:
    answers: list[int] = []
    with serving({**environment, "DRAIN_SECONDS": "0.2"}) as (api, process):
        request = threading.Thread(
            target=lambda: answers.append(api.get("/work", params={"ms": 2000}).status_code)
        )
        request.start()
        time.sleep(0.4)
        process.send_signal(signal.SIGTERM)
        request.join(10)
        assert answers == [200]
        assert process.wait(10) == 0


@pytest.mark.parametrize("draining", [True, False])
def test_an_interrupt_from_the_keyboard_does_not_wait_for_the_drain(
    environment: dict[str, str], draining: bool
) -> None:
    with serving({**environment, "DRAIN_SECONDS": "60"}) as (api, process):
        if draining:
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: api.get("/health/ready").status_code == 503)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert not lives(api)


def test_a_server_leaves_nothing_behind(environment: dict[str, str], tmp_path: Path) -> None:
    with serving({**environment, "TMPDIR": str(tmp_path)}) as (_api, process):
        assert list(tmp_path.glob("slipway-metrics-*/*.db"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert list(tmp_path.glob("slipway-*")) == []
