"""The service with a real PostgreSQL and a real Redis whose user is restricted."""

import signal
import subprocess
import sys
import threading
import time

import httpx
import psycopg

from tests.conftest import APP, RedisServer, run, running, serving, wait_until


def create(api: httpx.Client, text: str) -> dict[str, object]:
    answer = api.post("/notes", json={"text": text})
    assert answer.status_code == 201
    return answer.json()


def test_a_note_is_read_from_postgres_once_and_then_from_the_cache(api: httpx.Client) -> None:
    note = create(api, "two words")
    first, second = (api.get(f"/notes/{note['id']}") for _ in range(2))
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert first.json() == second.json()
    assert first.json()["text"] == "two words"


def test_only_the_token_of_a_note_deletes_it(api: httpx.Client) -> None:
    mine, other = create(api, "mine"), create(api, "other")
    path = f"/notes/{mine['id']}"
    assert api.delete(path).status_code == 401
    assert api.delete(path, headers={"Authorization": f"Bearer {other['token']}"}).status_code == 403
    assert api.get(path).status_code == 200
    assert api.delete(path, headers={"Authorization": f"Bearer {mine['token']}"}).status_code == 204
    assert api.get(path).status_code == 404


def test_empty_and_oversized_notes_are_refused(api: httpx.Client) -> None:
    for text in ["", "   ", "x" * 10_001]:
        assert api.post("/notes", json={"text": text}).status_code == 422


def test_work_is_bounded_and_takes_the_time_asked_for(api: httpx.Client) -> None:
    begin = time.monotonic()
    assert api.get("/work", params={"ms": 200}).json()["rounds"] > 0
    assert time.monotonic() - begin >= 0.2
    assert api.get("/work", params={"ms": 2001}).status_code == 422


def test_without_redis_the_service_is_degraded_and_serves(
    api: httpx.Client, redis_server: RedisServer
) -> None:
    assert api.get("/health/ready").json()["status"] == "ready"
    redis_server.stop()
    try:
        health = api.get("/health/ready")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        note = create(api, "no redis")
        assert api.get(f"/notes/{note['id']}").headers["X-Cache"] == "miss"
    finally:
        redis_server.start()
    assert api.get("/health/ready").json()["status"] == "ready"


def test_without_postgres_the_service_is_alive_and_not_ready(environment: dict[str, str]) -> None:
    nowhere = {**environment, "DATABASE_URL": "postgresql://app:pw@127.0.0.1:1/app"}
    with serving(nowhere) as (api, _process):
        assert api.get("/health/live").status_code == 200
        health = api.get("/health/ready")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        assert api.get("/notes/1").status_code == 503


def test_a_request_in_progress_is_finished_after_sigterm(environment: dict[str, str]) -> None:
    answers: list[int] = []
    with serving(environment) as (api, process):
        request = threading.Thread(
            target=lambda: answers.append(api.get("/work", params={"ms": 1500}).status_code)
        )
        request.start()
        time.sleep(0.4)
        process.send_signal(signal.SIGTERM)
        request.join(10)
        assert answers == [200]
        # uvicorn raises the signal again once it has drained, as a child of a supervisor should.
        assert process.wait(10) in {0, -signal.SIGTERM}


def test_the_worker_counts_words_and_drops_the_stale_copy(
    api: httpx.Client, environment: dict[str, str]
) -> None:
    note = create(api, "the worker counts these")
    path = f"/notes/{note['id']}"
    assert api.get(path).json()["words"] is None
    with running([sys.executable, "-m", "slipway_app.worker"], env=environment, cwd=APP) as worker:
        wait_until(lambda: api.get(path).json()["words"] == 4)
        assert run(environment, "-m", "slipway_app.alive").returncode == 0
        worker.terminate()
        assert worker.wait(10) == 0


def test_the_worker_finds_notes_whose_message_was_lost(
    api: httpx.Client, environment: dict[str, str]
) -> None:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        row = connection.execute("INSERT INTO notes (text) VALUES ('never queued') RETURNING id").fetchone()
    assert row
    with running([sys.executable, "-m", "slipway_app.worker"], env=environment, cwd=APP):
        wait_until(lambda: api.get(f"/notes/{row[0]}").json()["words"] == 2)


def test_the_sign_of_life_is_missing_without_a_worker(environment: dict[str, str], tmp_path: object) -> None:
    elsewhere = {**environment, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "slipway_app.alive"]
    assert subprocess.run(command, env=elsewhere, cwd=APP, check=False).returncode == 1


def test_purge_deletes_old_notes_only(api: httpx.Client, environment: dict[str, str]) -> None:
    old, new = create(api, "old"), create(api, "new")
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute(
            "UPDATE notes SET created_at = now() - interval '31 days' WHERE id = %s", [old["id"]]
        )
    result = run(environment, "-m", "slipway_app.purge", "--older-than-days", "30")
    assert result.stdout == "deleted 1 notes older than 30 days\n"
    assert api.get(f"/notes/{old['id']}").status_code == 404
    assert api.get(f"/notes/{new['id']}").status_code == 200


def test_migrations_can_be_run_again(environment: dict[str, str]) -> None:
    run(environment, "-m", "alembic", "upgrade", "head")
    assert "0001 (head)" in run(environment, "-m", "alembic", "current").stdout
