"""What every request leaves behind: an id, figures, one JSON line, safe headers, and no secret."""

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import APP, free_port, lives, running, serving, sign_up, wait_until


@pytest.fixture(scope="module")
def two_processes(environment: dict[str, str]) -> Iterator[httpx.Client]:
    told = {**environment, "WEB_CONCURRENCY": "2", "ENVIRONMENT": "staging"}
    with serving({**told, "CORS_ORIGINS": "https://chat.example.com"}) as (client, _process):
        yield client


def figure(api: httpx.Client, sample: str) -> float:
    """Zero when it is not there."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", api.get("/metrics").text, re.M)
    return float(found[1]) if found else 0.0


def test_an_id_is_taken_from_the_request_and_made_where_none_is_sane(api: httpx.Client) -> None:
    given = uuid.uuid4().hex
    assert api.get("/health/live", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    for forged in ["short", "x" * 200, 'a"b,"level":"critical', "line%0d%0afeed"]:
        made = api.get("/health/live", headers={"X-Request-ID": forged}).headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{32}", made)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/health/live", 200), ("GET", "/nothing", 404), ("GET", "/conversations", 401),
     ("PUT", "/conversations", 405), ("POST", "/users", 422)],
)  # fmt: skip
def test_every_answer_carries_an_id_and_safe_headers(
    api: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = api.request(method, path)
    assert answer.status_code == status
    assert answer.headers["X-Request-ID"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Server" not in answer.headers


def test_browsers_are_told_to_use_https_only_outside_local(
    api: httpx.Client, two_processes: httpx.Client
) -> None:
    assert "Strict-Transport-Security" not in api.get("/health/live").headers
    assert (
        two_processes.get("/health/live").headers["Strict-Transport-Security"].startswith("max-age=31536000")
    )


def test_only_pages_of_a_named_origin_may_call(two_processes: httpx.Client, api: httpx.Client) -> None:
    def preflight(client: httpx.Client, origin: str) -> httpx.Response:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        return client.options("/conversations", headers={"Origin": origin, **asked})

    allowed = preflight(two_processes, "https://chat.example.com")
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://chat.example.com"
    for client, origin in [(two_processes, "https://evil.example.com"), (api, "https://chat.example.com")]:
        assert "Access-Control-Allow-Origin" not in preflight(client, origin).headers
    # A refusal, too, must be readable by the page that asked.
    unauthorized = two_processes.get("/conversations", headers={"Origin": "https://chat.example.com"})
    assert unauthorized.status_code == 401
    assert unauthorized.headers["Access-Control-Allow-Origin"] == "https://chat.example.com"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_as_json(user: httpx.Client, chunked: bool) -> None:
    body = b'{"title": "' + b"x" * 70_000 + b'"}'
    content = iter([body[:1000], body[1000:]]) if chunked else body  # an iterator announces no length
    answer = user.post("/conversations", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["detail"]
    assert answer.headers["X-Request-ID"]


def test_figures_name_the_route_and_never_the_path(user: httpx.Client) -> None:
    known = 'http_requests_total{method="GET",route="/conversations/{conversation_id}",status="404"}'
    unknown = 'http_requests_total{method="GET",route="unknown",status="404"}'
    odd = 'http_requests_total{method="other",route="unknown",status="404"}'
    before = [figure(user, sample) for sample in (known, unknown, odd)]
    for number in range(3):
        user.get(f"/conversations/{10**15 + number}")
        user.get(f"/no/such/{number}")
        user.request("PROPFIND", "/no/such")
    assert [figure(user, sample) for sample in (known, unknown, odd)] == [count + 3 for count in before]
    assert "/no/such" not in user.get("/metrics").text


def test_the_figures_of_all_processes_are_added_up_and_outlive_one_that_dies(
    environment: dict[str, str],
) -> None:
    sample = 'http_requests_total{method="GET",route="/health/live",status="200"}'
    with serving({**environment, "WEB_CONCURRENCY": "2"}) as (api, process):
        children = [int(pid) for pid in subprocess.check_output(["pgrep", "-P", str(process.pid)]).split()]
        assert len(children) == 2
        base = figure(api, sample)
        for _ in range(40):
            with httpx.Client(base_url=api.base_url) as fresh:  # a new connection: any process may take it
                fresh.get("/health/live")
        assert figure(api, sample) == base + 40
        subprocess.run(["kill", "-KILL", str(children[0])], check=True)
        wait_until(lambda: lives(api))
        assert figure(api, sample) >= base + 40
        # Its connections went with it: a gauge counts the living only.
        wait_until(lambda: figure(api, "http_requests_in_progress") == 1)
        wait_until(lambda: figure(api, "database_pool_size") == 2)


def test_figures_of_an_earlier_run_are_not_added_up(environment: dict[str, str], tmp_path: Path) -> None:
    told = {**environment, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "figures")}
    sample = 'http_requests_total{method="GET",route="unknown",status="404"}'
    with serving(told) as (api, _process):
        for _ in range(5):
            api.get("/nothing")
        assert figure(api, sample) == 5
        left = {file: file.read_bytes() for file in (tmp_path / "figures").glob("*.db")}
    for file, content in left.items():  # as after a crash
        file.write_bytes(content)
    with serving(told) as (api, _process):
        assert figure(api, sample) == 0


def test_a_histogram_has_buckets_around_what_is_promised(api: httpx.Client) -> None:
    sample = 'http_request_duration_seconds_bucket{le="2.0",method="GET",route="/health/live"}'
    assert figure(api, sample) > 0


def test_hits_and_misses_of_the_cache_are_counted(user: httpx.Client) -> None:
    samples = [f'cache_{kind}_total{{cache="conversations"}}' for kind in ("hits", "misses")]
    before = [figure(user, sample) for sample in samples]
    for _ in range(3):
        user.get("/conversations")
    assert [figure(user, sample) for sample in samples] == [before[0] + 2, before[1] + 1]


def test_each_line_of_the_log_is_json_with_the_id_and_without_secrets(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log, port, request_id = tmp_path / "log", free_port(), uuid.uuid4().hex
    command = [sys.executable, "-m", "gunicorn", "-c", "python:slipway_app.server"]
    with (
        log.open("wb") as output,
        running(command, env={**environment, "PORT": str(port)}, cwd=APP, stdout=output, stderr=output),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15) as api,
    ):
        wait_until(lambda: lives(api))
        with sign_up(api) as user:
            user.get("/conversations?secret=hunter2", headers={"X-Request-ID": request_id})
            token = user.headers["Authorization"]
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("ALTER TABLE audit_log RENAME TO audit_log_away")
            try:
                failed = api.post(
                    "/users",
                    json={"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"},
                )
            finally:
                connection.execute("ALTER TABLE audit_log_away RENAME TO audit_log")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {(line["environment"], line["process"]) for line in lines} == {("local", "api")}
    assert all(line["timestamp"].endswith("Z") and line["level"] for line in lines)
    [mine] = [line for line in lines if line.get("request_id") == request_id]
    assert (mine["event"], mine["route"], mine["status"]) == ("request", "/conversations", 200)
    assert isinstance(mine["user"], int)
    assert failed.status_code == 500
    assert "audit_log" not in failed.text
    [failure] = [line for line in lines if line["event"] == "request failed"]
    assert failure["request_id"] == failed.headers["X-Request-ID"]
    assert "UndefinedTable" in failure["exception"]
    for secret in ["hunter2", "correct horse battery", token, environment["JWT_SECRET"], "app:pw@"]:
        assert secret not in log.read_text()


def test_health_checks_leave_no_line(environment: dict[str, str], tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:slipway_app.server"]
    with (
        log.open("wb") as output,
        running(command, env={**environment, "PORT": str(port)}, cwd=APP, stdout=output, stderr=output),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15) as api,
    ):
        wait_until(lambda: lives(api))
        for path in ["/health/ready", "/metrics", "/nothing"]:
            api.get(path)
    paths = [json.loads(line).get("path") for line in log.read_text().splitlines()]
    assert [path for path in paths if path] == ["/nothing"]


def test_work_is_bounded_and_there_only_when_enabled(api: httpx.Client, environment: dict[str, str]) -> None:
    assert api.get("/work", params={"ms": 50}).json()["rounds"] > 0
    assert api.get("/work", params={"ms": 2001}).status_code == 422
    with serving({**environment, "ENABLE_WORK": "false"}) as (without, _process):
        assert without.get("/work").status_code == 404
