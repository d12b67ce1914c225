"""Tries a TCP connection to each endpoint, all at once, and prints which opened. `reach.py HOST:PORT...`."""

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

TIMEOUT_SECONDS = 2


def opens(endpoint: str) -> bool:
    """Whether a connection is accepted. A name that is not found counts as one that is not."""
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


endpoints = sys.argv[1:]
with ThreadPoolExecutor(len(endpoints)) as pool:
    print(json.dumps(dict(zip(endpoints, pool.map(opens, endpoints), strict=True))))
