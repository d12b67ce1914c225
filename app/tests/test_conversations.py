"""Conversations and messages: whose they are, what is stored together, and what is stored once."""

import threading
import uuid

import httpx
import psycopg
import pytest

from tests.conftest import sign_up


@pytest.fixture
def conversation(user: httpx.Client) -> str:
    """Its path."""
    created = user.post("/conversations", json={"title": "first"})
    assert created.status_code == 201
    return f"/conversations/{created.json()['id']}"


def titles(user: httpx.Client) -> list[str]:
    return [item["title"] for item in user.get("/conversations").json()["conversations"]]


def test_the_list_begins_with_what_was_written_to_last(user: httpx.Client, conversation: str) -> None:
    user.post("/conversations", json={"title": "second"})
    assert titles(user) == ["second", "first"]
    user.post(f"{conversation}/messages", json={"text": "hello"})
    assert titles(user) == ["first", "second"]


def test_a_conversation_is_renamed_and_deleted_with_its_messages(
    user: httpx.Client, conversation: str, environment: dict[str, str]
) -> None:
    user.post(f"{conversation}/messages", json={"text": "hello"})
    renamed = user.patch(conversation, json={"title": "other"})
    assert (renamed.status_code, renamed.json()["title"]) == (200, "other")
    assert user.get(conversation).json() == renamed.json()
    assert user.delete(conversation).status_code == 204
    assert titles(user) == []
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        left = connection.execute(
            "SELECT count(*) FROM messages WHERE conversation_id = %s", [conversation.rpartition("/")[2]]
        ).fetchone()
    assert left == (0,)


def test_somebody_elses_conversation_is_as_good_as_none(
    api: httpx.Client, user: httpx.Client, conversation: str
) -> None:
    job = user.post(f"{conversation}/messages", json={"text": "mine"}).json()["job"]["id"]
    with sign_up(api) as other:
        none = other.get("/conversations/9223372036854775807")
        answers = [
            other.get(conversation),
            other.patch(conversation, json={"title": "stolen"}),
            other.delete(conversation),
            other.get(f"{conversation}/messages"),
            other.post(f"{conversation}/messages", json={"text": "stolen"}),
        ]
        assert [(answer.status_code, answer.json()) for answer in answers] == [(404, none.json())] * 5
        assert other.get(f"/jobs/{job}").status_code == 404
        assert titles(other) == []
    assert titles(user) == ["first"]
    assert [message["text"] for message in user.get(f"{conversation}/messages").json()["messages"]] == [
        "mine"
    ]


def test_messages_are_read_on_after_the_last_one_seen(user: httpx.Client, conversation: str) -> None:
    ids = [
        user.post(f"{conversation}/messages", json={"text": text}).json()["message"]["id"]
        for text in ["one", "two", "three"]
    ]
    after = user.get(f"{conversation}/messages", params={"after": ids[0]}).json()["messages"]
    assert [message["text"] for message in after] == ["two", "three"]
    assert {message["author"] for message in after} == {"user"}
    assert all(message["reply_to"] is None for message in after)


def test_a_message_is_stored_with_the_job_that_answers_it(user: httpx.Client, conversation: str) -> None:
    accepted = user.post(f"{conversation}/messages", json={"text": "hello"})
    assert accepted.status_code == 202
    job = accepted.json()["job"]
    assert (job["state"], job["attempts"]) == ("queued", 0)
    assert user.get(f"/jobs/{job['id']}").json() == job


def test_a_message_whose_job_cannot_be_stored_is_not_stored(
    user: httpx.Client, conversation: str, environment: dict[str, str]
) -> None:
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("ALTER TABLE jobs ADD CONSTRAINT nothing_new CHECK (created_at < now()) NOT VALID")
        try:
            assert user.post(f"{conversation}/messages", json={"text": "hello"}).status_code == 500
        finally:
            connection.execute("ALTER TABLE jobs DROP CONSTRAINT nothing_new")
    assert user.get(f"{conversation}/messages").json() == {"messages": []}


def test_the_same_idempotency_key_at_once_from_many_stores_one_message(
    user: httpx.Client, conversation: str
) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    answers: list[dict[str, object]] = []

    def write() -> None:
        answers.append(user.post(f"{conversation}/messages", json={"text": "once"}, headers=key).json())

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)
    assert len(user.get(f"{conversation}/messages").json()["messages"]) == 1


def test_an_idempotency_key_is_refused_for_another_text_and_free_in_another_conversation(
    user: httpx.Client, conversation: str
) -> None:
    key = {"Idempotency-Key": "a key"}
    assert user.post(f"{conversation}/messages", json={"text": "one"}, headers=key).status_code == 202
    assert user.post(f"{conversation}/messages", json={"text": "two"}, headers=key).status_code == 409
    other = user.post("/conversations", json={"title": "other"}).json()["id"]
    answer = user.post(f"/conversations/{other}/messages", json={"text": "two"}, headers=key)
    assert answer.status_code == 202


@pytest.mark.parametrize("text", ["", "   ", "x" * 10_001])
def test_empty_and_oversized_messages_are_refused(user: httpx.Client, conversation: str, text: str) -> None:
    assert user.post(f"{conversation}/messages", json={"text": text}).status_code == 422


@pytest.mark.parametrize("title", ["", " ", "x" * 201])
def test_empty_and_oversized_titles_are_refused(user: httpx.Client, title: str) -> None:
    assert user.post("/conversations", json={"title": title}).status_code == 422


@pytest.mark.parametrize("escaped", [r"\u0000", r"\ud800"])
def test_text_that_postgres_cannot_store_is_refused_and_not_an_error(
    user: httpx.Client, conversation: str, escaped: str
) -> None:
    bodies = {
        "/conversations": f'{{"title": "{escaped}"}}',
        f"{conversation}/messages": f'{{"text": "{escaped}"}}',
        "/users": f'{{"email": "a{escaped}@example.com", "password": "12345678"}}',
        "/tokens": f'{{"email": "a{escaped}@example.com", "password": "12345678"}}',
    }
    for path, body in bodies.items():
        answer = user.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, path
