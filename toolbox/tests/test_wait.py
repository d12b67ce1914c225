"""`wait`: until servers accept connections, and no longer."""

import socket
import threading
import time

import pytest

from slipway_toolbox.errors import ToolboxError
from slipway_toolbox.wait import Address, parse_address, wait_for
from tests.conftest import free_port


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("db:5432", Address("db", 5432)),
        ("db.example.internal:1", Address("db.example.internal", 1)),
        ("[::1]:6379", Address("::1", 6379)),
        ("10.0.0.7:65535", Address("10.0.0.7", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["db", ":5432", "db:", "db:0", "db:65536", "db:-1", "db:5 4", "::1:6379", "db:٣"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|1 to 65535"):
        parse_address(text)


def test_servers_that_accept_are_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        addresses = [Address("127.0.0.1", server.getsockname()[1]) for server in (one, two)]
        assert list(wait_for(addresses, 5)) == [str(address) for address in addresses]


def test_a_server_that_comes_up_later_is_waited_for() -> None:
    address = Address("127.0.0.1", free_port())
    server: list[socket.socket] = []

    def come_up() -> None:
        time.sleep(0.7)
        server.append(socket.create_server((address.host, address.port)))

    thread = threading.Thread(target=come_up)
    thread.start()
    assert wait_for([address], 20)[str(address)] >= 0.5
    thread.join()
    server[0].close()


def test_a_server_that_stays_away_is_named_with_the_reason() -> None:
    address = Address("127.0.0.1", free_port())
    with pytest.raises(ToolboxError, match=rf"127\.0\.0\.1:{address.port} .*refused"):
        wait_for([address], 0.6)


def test_a_name_that_nobody_knows_is_a_reason_too() -> None:
    with pytest.raises(ToolboxError, match=r"nobody\.invalid:5432"):
        wait_for([Address("nobody.invalid", 5432)], 0.1)
