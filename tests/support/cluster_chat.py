"""Somebody who uses the deployed application: signs up, writes, reads answers."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

import requests

from tests.support.cluster import Json, wait_for

TIMEOUT_SECONDS = 10
ANSWER_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; the status is 0 where none came, and `body` then says why."""

    status: int
    body: Any
    cache: str | None = None


@dataclass(frozen=True)
class Chat:
    """A client of the API.

    Attributes:
        url: where the API answers.
        token: whose requests these are; empty for nobody's.
    """

    url: str
    token: str = ""

    def call(self, path: str, *, method: str = "GET", body: Json | None = None) -> Answer:
        """Send a request on a connection of its own."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            answer = requests.request(
                method, self.url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            return Answer(0, repr(error))
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return Answer(
            answer.status_code, answer.json() if is_json else answer.text, answer.headers.get("X-Cache")
        )

    def post(self, path: str, body: Json, expected: int = 201) -> Json:
        """Post something that must succeed; return the answer's JSON."""
        answer = self.call(path, method="POST", body=body)
        assert answer.status == expected, (path, answer)
        return answer.body

    def registered(self) -> Chat:
        """Return the same client as a new user."""
        who = {"email": f"{secrets.token_hex(8)}@example.com", "password": secrets.token_hex(12)}
        self.post("/users", who)
        return replace(self, token=self.post("/tokens", who)["access_token"])

    def conversation(self, title: str) -> int:
        """Begin a conversation; return its number."""
        return int(self.post("/conversations", {"title": title})["id"])

    def write(self, conversation: int, text: str) -> int:
        """Post a message; return its number."""
        answer = self.post(f"/conversations/{conversation}/messages", {"text": text}, expected=202)
        return int(answer["message"]["id"])

    def messages(self, conversation: int) -> list[Json]:
        """Return what stands in a conversation."""
        return self.call(f"/conversations/{conversation}/messages").body["messages"]

    def answer_to(self, conversation: int, message: int, *, seconds: float = ANSWER_SECONDS) -> Json:
        """Wait for the answer to a message and return it."""
        return wait_for(
            f"an answer to message {message}",
            lambda: next((each for each in self.messages(conversation) if each["reply_to"] == message), None),
            seconds=seconds,
        )
