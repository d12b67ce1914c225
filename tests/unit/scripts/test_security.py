"""The audit of dependencies counts only where the database answers; what bandit leaves out, ruff asks."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCK = ".ci/workflows/uv.lock"
"""A short one."""

KNOWN = "jinja2"
"""The package whose vulnerability the script asks for first."""


class Database(ThreadingHTTPServer):
    """A vulnerability database with OSV's interface, on this machine."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.vulnerable: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/query"


class _Answers(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = question["package"]["name"]
        fixed = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]
        entry = {
            "id": "TEST-2026-1",
            "summary": "made up",
            "affected": [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": fixed}],
        }
        assert isinstance(self.server, Database)
        body = json.dumps({"vulns": [entry]} if name in self.server.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def database() -> Iterator[Database]:
    with Database() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="session")
def _environment() -> None:
    """The locked environment of the tools; tests run in two processes, one sets it up."""
    with (ROOT / ".ci/security/pyproject.toml").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([ROOT / "scripts/bootstrap", "security"], check=True, capture_output=True)


def audit(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/check-dependencies", *arguments],
        env={**os.environ, "SLIPWAY_OSV_URL": url, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("_environment")
def test_packages_without_a_known_vulnerability_pass(database: Database) -> None:
    database.vulnerable = {KNOWN}

    done = audit(database.url, LOCK)

    assert done.returncode == 0, done.stderr
    assert f"{LOCK}: " in done.stdout


@pytest.mark.usefixtures("_environment")
def test_a_vulnerable_package_is_named_and_fails(database: Database) -> None:
    database.vulnerable = {KNOWN, "zizmor"}

    done = audit(database.url, LOCK)

    assert done.returncode == 1
    assert "zizmor" in done.stdout
    assert "TEST-2026-1" in done.stdout
    assert f"Vulnerable, or not audited: {LOCK}" in done.stderr


@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize("reachable", [True, False], ids=["knows-nothing", "does-not-answer"])
def test_a_database_that_finds_nothing_anywhere_is_no_audit(database: Database, reachable: bool) -> None:
    # Port 9 is the discard service's: nobody listens there.
    url = database.url if reachable else "http://127.0.0.1:9/v1/query"

    for arguments in ([LOCK], ["--answers"]):
        done = audit(url, *arguments)
        assert done.returncode == 1
        assert (
            "Not audited: the vulnerability database does not report what is known of jinja2" in done.stderr
        )
        assert "SLIPWAY_OSV_URL" in done.stderr


@pytest.mark.parametrize("project", [".", "app"])
def test_what_bandit_leaves_out_is_asked_by_ruff_at_every_line(project: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    left_out = {f"S{rule[1:]}" for rule in settings["tool"]["bandit"]["skips"]}
    lint = tomllib.loads((ROOT / project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"][
        "lint"
    ]
    excepted = {
        rule for files, rules in lint["per-file-ignores"].items() if "tests" not in files for rule in rules
    }

    assert "S" in lint["select"]
    assert not left_out & {*lint["ignore"], *excepted}
