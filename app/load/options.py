"""What a run is told on its command line, with the meaning and the default of each option."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

EPILOG = """\
The exit code is 0 only when no request failed, nothing accepted was lost, every message was answered once and
no WebSocket missed or repeated one. 1: there was an error. 2: the run could not begin.

examples:
  the bar of a release   python -m load --url URL --seconds 600
  traffic for a rollout  python -m load --url URL --users 2 --writers 2 --websockets 4 --rate 120 --seconds 0

All load comes from one address: raise RATE_LIMIT_PER_MINUTE and RATE_LIMIT_PER_HOUR of the API first.
"""


@dataclass(frozen=True)
class Options:
    """One run.

    Attributes:
        url: where the API is, without a slash at the end; through the frontend with `/api`.
        users: accounts that read their list of conversations.
        writers: how many of them post messages.
        websockets: listeners, spread over the conversations that are written to.
        rate: steady requests a second beside them, half on new connections, half on kept ones; 0: none.
        seconds: how long; 0: until it is interrupted.
        think_seconds: between two readings of a user.
        write_seconds: between two messages of a writer.
        settle_seconds: how long the end waits for the answers to what was posted.
        retries: how often a request that failed is sent again, on a new connection.
        timeout_seconds: of one attempt.
        json: a file for the report; None: no file.
    """

    url: str
    users: int
    writers: int
    websockets: int
    rate: int
    seconds: float
    think_seconds: float
    write_seconds: float
    settle_seconds: float
    retries: int
    timeout_seconds: float
    json: str | None


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read a command line.

    Args:
        arguments: without the program's name; None: those of the process.

    Raises:
        SystemExit: with 2 and a sentence where an option is wrong.
    """
    parser = argparse.ArgumentParser(
        prog="python -m load",
        description="Puts load on the application and checks that nothing is lost.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", required=True, help="the API, e.g. http://127.0.0.1:8000")
    parser.add_argument(
        "--users", type=_number, default=100, help="who read their conversations (%(default)s)"
    )
    parser.add_argument("--writers", type=_number, default=50, help="how many of them write (%(default)s)")
    parser.add_argument("--websockets", type=_number, default=200, help="who listen (%(default)s)")
    parser.add_argument("--rate", type=_number, default=0, help="steady requests a second beside them (none)")
    parser.add_argument("--seconds", type=_amount, default=60, help="0: until interrupted (%(default)s)")
    parser.add_argument("--think-seconds", type=_amount, default=1.0, help="between readings (%(default)s)")
    parser.add_argument("--write-seconds", type=_amount, default=5.0, help="between messages (%(default)s)")
    parser.add_argument(
        "--settle-seconds", type=_amount, default=60.0, help="for the last jobs (%(default)s)"
    )
    parser.add_argument("--retries", type=_number, default=0, help="of a failed request (%(default)s)")
    parser.add_argument("--timeout-seconds", type=_amount, default=15.0, help="of a request (%(default)s)")
    parser.add_argument("--json", help="write the whole report, with each failure, to this file")
    given = parser.parse_args(arguments)
    if not given.url.startswith(("http://", "https://")):
        parser.error(f"--url must begin with http:// or https://, not {given.url!r}")
    if given.users < max(1, given.writers):
        parser.error(f"--users {given.users} is too few: writers are users, and there is at least one")
    return Options(**{**vars(given), "url": given.url.rstrip("/")})


def _number(text: str) -> int:
    return int(_amount(text)) if float(text).is_integer() else _refuse(text)


def _amount(text: str) -> float:
    value = float(text)
    return value if 0 <= value < float("inf") else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"{text} is not a number of that kind, 0 or more")
