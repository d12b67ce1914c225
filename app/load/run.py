"""A run from beginning to end: accounts, listeners, load, the check, the report."""

import asyncio
import contextlib
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Generator, Sequence

import aiohttp

from load.client import Account, Connection, Json
from load.listener import Listener, wait_connected
from load.options import Options
from load.people import World, reader, steady, steady_clients, writer
from load.record import Recorder
from load.verify import verify

SETUP_AT_ONCE = 4
"""Accounts that register at the same time: hashing a password is made to be slow."""
SETUP_RETRIES = 3
LISTENERS_AT_ONCE = 20
CONNECTED_SECONDS = 30.0
"""How long all listeners may take to connect before the load begins."""
PROGRESS_SECONDS = 10.0


class NotReadyError(Exception):
    """The run could not begin; the text says why and what to do."""


async def run(options: Options, say: Callable[[str], None]) -> Recorder:
    """Run it.

    Args:
        options: what to do.
        say: is given a line now and then.

    Raises:
        NotReadyError: where accounts or WebSockets could not be made.
    """
    world = World(options, Recorder())
    await _set_up(world)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=options.timeout_seconds)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        listeners = [
            Listener(session, options.url, world.written[number % len(world.written)], world.recorder)
            for number in range(options.websockets)
        ]
        listening = await _listen(world, listeners)
        try:
            await _load(world, say)
            await verify(world, listeners)
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
    return world.recorder


async def _set_up(world: World) -> None:
    """Register everybody, each with a conversation. This is not yet part of the run."""
    places = asyncio.Semaphore(SETUP_AT_ONCE)

    async def one(number: int) -> Account:
        async with places, Connection(world.options.url, recorder, retries=SETUP_RETRIES) as connection:
            return await _register(connection, recorder, number)

    recorder = Recorder()
    world.accounts = list(await asyncio.gather(*(one(number) for number in range(world.options.users))))


async def _register(connection: Connection, recorder: Recorder, number: int) -> Account:
    who = {"email": f"load-{number}-{secrets.token_hex(6)}@example.com", "password": secrets.token_hex(12)}

    async def asked(path: str, body: Json, token: str = "") -> Json:
        answer = await connection.request("set up", "POST", path, body=body, token=token, expected=201)
        if answer is None:
            last = recorder.failures[-1]
            advice = " (raise RATE_LIMIT_PER_MINUTE for a load test)" if "429" in last.kind else ""
            raise NotReadyError(f"POST {path}: {last.kind}{advice}: {last.detail}")
        return answer

    await asked("/users", who)
    token = str((await asked("/tokens", who))["access_token"])
    conversation = await asked("/conversations", {"title": f"Load {number}"}, token)
    return Account(token, int(conversation["id"]))


async def _listen(world: World, listeners: Sequence[Listener]) -> list[asyncio.Task[None]]:
    """Connect the listeners, some at a time."""
    tasks: list[asyncio.Task[None]] = []
    for begin in range(0, len(listeners), LISTENERS_AT_ONCE):
        some = list(listeners[begin : begin + LISTENERS_AT_ONCE])
        tasks += [asyncio.create_task(each.run()) for each in some]
        if await wait_connected(some, CONNECTED_SECONDS) < len(some):
            for task in tasks:
                task.cancel()
            why = world.recorder.failures[-1].kind if world.recorder.failures else "no answer"
            raise NotReadyError(f"only {world.recorder.websockets.opened} WebSockets opened: {why}")
    return tasks


async def _load(world: World, say: Callable[[str], None]) -> None:
    """Let everybody work until the time is over or somebody interrupts."""
    options = world.options
    people: list[Coroutine[None, None, None]] = [reader(world, account) for account in world.accounts]
    people += [writer(world, account) for account in world.written[: options.writers]]
    people += [
        steady(world, number, period, keep=keep)
        for number, (period, keep) in enumerate(steady_clients(options.rate))
    ]
    world.recorder.begin()
    say(
        f"running: {options.users} readers every {options.think_seconds} s, {options.writers} writers every "
        f"{options.write_seconds} s, {options.websockets} WebSockets, {options.rate} steady requests a second"
    )
    with _interruptible(world.over):
        async with asyncio.TaskGroup() as group:
            for person in people:
                group.create_task(person)
            group.create_task(_clock(world, say))
    world.recorder.end()


async def _clock(world: World, say: Callable[[str], None]) -> None:
    limit, passed = world.options.seconds or float("inf"), 0.0
    while passed < limit and not world.over.is_set():
        step = min(PROGRESS_SECONDS, limit - passed)
        await world.pause(step)
        passed += step
        recorder = world.recorder
        say(
            f"{passed:6.0f} s  {recorder.requests:,} requests, {recorder.failed_requests} failed, "
            f"{recorder.websockets.received:,} messages received, {recorder.websockets.reconnects} reconnects"
        )
    world.over.set()


@contextlib.contextmanager
def _interruptible(over: asyncio.Event) -> Generator[None]:
    """SIGINT and SIGTERM end the load; the check and the report follow."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def say(line: str) -> None:
    """Write a line of progress at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
