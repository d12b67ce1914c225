"""The whole way of a message: API, queue, worker, and the answer over the WebSocket, directly and by the frontend."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from tests.support.cluster import wait_for
from tests.support.cluster_chat import Chat
from tests.support.cluster_load import load

DONE_SECONDS = 30
TALK_SECONDS = 2


def test_a_message_becomes_a_job_that_the_worker_does_once(chat: Chat) -> None:
    conversation = chat.conversation("A job")
    posted = chat.post(f"/conversations/{conversation}/messages", {"text": "Are you there?"}, expected=202)
    answer = chat.answer_to(conversation, posted["message"]["id"])
    job = wait_for(
        "the job to be done",
        lambda: _done(chat.call(f"/jobs/{posted['job']['id']}").body),
        seconds=DONE_SECONDS,
    )

    assert (answer["author"], bool(answer["text"])) == ("assistant", True)
    assert job["attempts"] == 1
    assert len(chat.messages(conversation)) == 2


def _done(job: dict[str, object]) -> dict[str, object] | None:
    return job if job["state"] == "done" else None


@pytest.mark.parametrize(("door", "prefix"), [("api", ""), ("frontend", "/api")])
@pytest.mark.usefixtures("generator")
def test_the_answer_of_the_worker_comes_back_over_the_websocket(
    doors: dict[str, str], door: str, prefix: str, tmp_path: Path
) -> None:
    with load(tmp_path, doors[door] + prefix, users=2, writers=2, websockets=2, write_seconds=0.5) as seen:
        time.sleep(TALK_SECONDS)

    messages, websockets = seen.report["messages"], seen.report["websockets"]
    assert seen.report["errors"] == []
    assert messages["answered"] == messages["accepted"] > 0
    # One listener on each conversation: it has heard each message and each answer, from one connection.
    assert websockets["received"] == 2 * messages["accepted"]
    assert websockets["opened"] == 2


def test_the_frontend_serves_its_page_and_says_that_it_is_ready(doors: dict[str, str]) -> None:
    page = requests.get(doors["frontend"], timeout=10)
    ready = requests.get(f"{doors['frontend']}/health/ready", timeout=10)

    assert page.status_code == ready.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" in page.text
