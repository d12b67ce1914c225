"""Asks Redis as the service's own user, as the default user and without TLS what it allows; prints the answers."""

import json
import os
import socket
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

import redis  # pyright: ignore[reportMissingImports]  # the application's image has it

URL = os.environ["REDIS_URL"]
parts = urlsplit(URL)
SERVER = (parts.hostname, parts.port)
TIMEOUT_SECONDS = 3
FORBIDDEN = ("CONFIG GET *", "FLUSHALL", "FLUSHDB", "ACL LIST", "SHUTDOWN NOSAVE", "KEYS *")


def raw(line: str, context: ssl.SSLContext | None) -> str:
    """What the server answers to one line of its protocol, without a user; nothing when it hangs up."""
    try:
        with socket.create_connection(SERVER, TIMEOUT_SECONDS) as plain:
            opened = context.wrap_socket(plain, server_hostname=parts.hostname) if context else plain
            opened.sendall(f"{line}\r\n".encode())
            return opened.recv(1000).decode(errors="replace").strip()
    except OSError as error:
        return f"({type(error).__name__})"


def refusal(client: "redis.Redis", command: str) -> str:
    """What the server says to a command, or nothing when it is carried out."""
    try:
        client.execute_command(*command.split())
    except redis.RedisError as error:
        return str(error)
    return ""


own = redis.Redis.from_url(URL, protocol=2, decode_responses=True)
trusted = ssl.create_default_context(cafile=parse_qs(parts.query)["ssl_ca_certs"][0])
print(
    json.dumps(
        {
            "scheme": parts.scheme,
            "key exists": bool(own.exists(sys.argv[1])),
            "refusals": {command: refusal(own, command) for command in FORBIDDEN},
            "PING without TLS": raw("PING", None),
            "PING with TLS, no user": raw("PING", trusted),
            "default user": raw("AUTH default anything", trusted),
        }
    )
)
