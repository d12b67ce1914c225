"""Who makes the load: readers and writers with time to think, and steady clients that keep a rate."""

import asyncio
import random
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field

from load.client import Account, Connection
from load.options import Options
from load.record import Recorder

STEADY_CLIENT_RATE = 5.0
"""Requests a second of one steady client: often enough that a kept connection never rests for long."""
STEADY_POST_EVERY = 50
"""One steady request in so many posts a message; the others read the list."""


@dataclass
class World:
    """What everybody in a run shares.

    Attributes:
        options: of the run.
        recorder: what happened.
        accounts: everybody.
        accepted: the messages that the API accepted: conversation -> message -> text.
        over: set when the load ends.
    """

    options: Options
    recorder: Recorder
    accounts: list[Account] = field(default_factory=list[Account])
    accepted: defaultdict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def written(self) -> list[Account]:
        """The accounts whose conversations are written to; one at least."""
        return self.accounts[: max(1, self.options.writers)]

    def connection(self, *, keep: bool = True) -> Connection:
        """Return a new connection, as the options want it."""
        options = self.options
        return Connection(
            options.url,
            self.recorder,
            keep=keep,
            retries=options.retries,
            timeout_seconds=options.timeout_seconds,
        )

    async def pause(self, seconds: float) -> None:
        """Wait, at most until the load is over."""
        try:
            async with asyncio.timeout(seconds):
                await self.over.wait()
        except TimeoutError:
            pass


async def reader(world: World, account: Account) -> None:
    """Read the list of conversations, think, read it again."""
    think = world.options.think_seconds
    await world.pause(random.uniform(0, think))  # noqa: S311  # spreads people, keeps no secret
    async with world.connection() as connection:
        while not world.over.is_set():
            await _list(connection, account)
            await world.pause(think)


async def writer(world: World, account: Account) -> None:
    """Post a message, think, post the next one."""
    think = world.options.write_seconds
    await world.pause(random.uniform(0, think))  # noqa: S311  # spreads people, keeps no secret
    async with world.connection() as connection:
        while not world.over.is_set():
            await _post(world, connection, account)
            await world.pause(think)


async def steady(world: World, number: int, period: float, *, keep: bool) -> None:
    """Send requests by the clock, late ones at once, so that the rate holds as long as the server keeps up.

    Args:
        world: the run.
        number: of this client: which account it uses, and when it begins.
        period: seconds between two requests.
        keep: keep the connection alive, or make a new one for each request.
    """
    account = world.written[number % len(world.written)]
    await world.pause(random.uniform(0, period))  # noqa: S311  # spreads people, keeps no secret
    due, sent = time.monotonic(), number
    async with world.connection(keep=keep) as connection:
        while not world.over.is_set():
            if sent % STEADY_POST_EVERY:
                await _list(connection, account)
            else:
                await _post(world, connection, account)
            sent, due = sent + 1, due + period
            await world.pause(max(0.0, due - time.monotonic()))


def steady_clients(rate: int) -> list[tuple[float, bool]]:
    """Return period and kind (kept or not) of each client that a rate needs, half of them of each kind."""
    pairs = max(1, round(rate / STEADY_CLIENT_RATE / 2)) if rate else 0
    return [(2 * pairs / rate, keep) for _ in range(pairs) for keep in (True, False)]


async def _list(connection: Connection, account: Account) -> None:
    await connection.request("list", "GET", "/conversations", token=account.token)


async def _post(world: World, connection: Connection, account: Account) -> None:
    text = f"What was said about {secrets.token_hex(8)}?"
    path = f"/conversations/{account.conversation}/messages"
    key = secrets.token_hex(16)
    answer = await connection.request(
        "post", "POST", path, token=account.token, body={"text": text}, key=key, expected=202
    )
    if answer is not None:
        world.accepted[account.conversation][int(answer["message"]["id"])] = text
