"""The end of a run: everything that was accepted is there, answered once, and reached every listener."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from load.client import Account, Connection, Json
from load.listener import Listener
from load.people import World
from load.record import Recorder

LOOK_SECONDS = 0.5
"""Between two looks at conversations whose answers are not there yet."""
RETRIES = 5
"""Of a look: what is there is asked, not whether the server has a good moment."""


@dataclass
class Conversation:
    """A conversation as it is stored.

    Attributes:
        account: its owner.
        messages: all of them, by number.
    """

    account: Account
    messages: dict[int, Json] = field(default_factory=dict[int, Json])

    async def refresh(self, world: World) -> None:
        """Read what has been added since the last time."""
        checks, path = Recorder(), f"/conversations/{self.account.conversation}/messages?after="
        async with Connection(world.options.url, checks, retries=RETRIES) as connection:
            while True:
                known = max(self.messages, default=0)
                answer = await connection.request("check", "GET", f"{path}{known}", token=self.account.token)
                if answer is None:
                    last = checks.failures[-1]
                    world.recorder.failed("check", last.kind, last.detail, connection="kept")
                    return
                found: list[Json] = answer["messages"]
                if not found:
                    return
                self.messages.update((int(message["id"]), message) for message in found)

    def unanswered(self) -> set[int]:
        """Return the user's messages that have no answer."""
        asked = {number for number, message in self.messages.items() if message["author"] == "user"}
        return asked - self.answers().keys()

    def answers(self) -> Counter[int]:
        """Return how many answers each message has."""
        found = (
            message["reply_to"] for message in self.messages.values() if message["author"] == "assistant"
        )
        return Counter(int(number) for number in found if number is not None)


async def verify(world: World, listeners: Sequence[Listener]) -> None:
    """Wait for the last answers, then compare what was accepted with what is stored and with what was heard.

    Args:
        world: the run, whose load is over; its recorder is told the result.
        listeners: still connected.
    """
    deadline = time.monotonic() + world.options.settle_seconds
    conversations = [Conversation(account) for account in world.written]
    open_ones: list[Conversation] = conversations
    while open_ones:
        await asyncio.gather(*(each.refresh(world) for each in open_ones))
        open_ones = [each for each in open_ones if each.unanswered()]
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(LOOK_SECONDS if open_ones else 0)
    _count(world, conversations)
    stored = {each.account.conversation: each.messages.keys() for each in conversations}
    while any(_missing(each, stored) for each in listeners) and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
    world.recorder.websockets.missed = sum(len(_missing(each, stored)) for each in listeners)


def _missing(listener: Listener, stored: Mapping[int, Set[int]]) -> Set[int]:
    return stored[listener.account.conversation] - listener.seen


def _count(world: World, conversations: Sequence[Conversation]) -> None:
    counts = world.recorder.messages
    for each in conversations:
        accepted = world.accepted[each.account.conversation]
        texts = Counter(str(message["text"]) for message in each.messages.values())
        answers = each.answers()
        counts.accepted += len(accepted)
        counts.lost += len(accepted.keys() - each.messages.keys())
        counts.doubled += sum(texts[text] > 1 for text in accepted.values())
        counts.answered += len(answers)
        counts.unanswered += len(each.unanswered())
        counts.answered_twice += sum(number > 1 for number in answers.values())
