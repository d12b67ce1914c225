"""Wait until servers accept connections: what a job does before its work, where nothing else orders the two."""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from slipway_toolbox.errors import ToolboxError

ATTEMPT_SECONDS = 2.0
"""How long one attempt to connect may take."""
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: a name or an IP address (IPv6 without its brackets).
        port: 1 to 65535.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address that `HOST:PORT` or `[IPv6]:PORT` names.

    Raises:
        ValueError: when the text is neither.
    """
    host, separator, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    if not separator or not host or (":" in host and not bracketed):
        raise ValueError(f"{text!r} is not HOST:PORT")
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
        raise ValueError(f"{text!r}: a port is a number from 1 to 65535")
    return Address(host, int(port))


def wait_for(addresses: Sequence[Address], timeout_seconds: float) -> dict[str, float]:
    """Return once all servers accept connections.

    Args:
        addresses: the servers.
        timeout_seconds: for all of them together.

    Returns:
        The seconds after which each of them was seen to accept, by its address.

    Raises:
        ToolboxError: when one does not accept within the time.
    """
    begin = time.monotonic()
    seen: dict[str, float] = {}
    for address in addresses:
        while (reason := _refusal(address)) is not None:
            if time.monotonic() - begin + PAUSE_SECONDS > timeout_seconds:
                raise ToolboxError(
                    f"{address} accepted no connection within {timeout_seconds:g} s ({reason}). Nothing was done."
                    " Look whether it runs, and whether a network policy lets this job reach it."
                )
            time.sleep(PAUSE_SECONDS)
        seen[str(address)] = round(time.monotonic() - begin, 3)
    return seen


def _refusal(address: Address) -> str | None:
    try:
        with socket.create_connection((address.host, address.port), ATTEMPT_SECONDS):
            return None
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
