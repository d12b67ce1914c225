"""The commands as a job runs them: arguments, what is printed, exit codes, signals."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.conftest import BUCKET, program

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

TOOLBOX = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "slipway_toolbox"]
URL = f"s3://{BUCKET}/dump.bin"


def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *arguments], cwd=TOOLBOX, input=given, capture_output=True, check=False)


def objects(s3: "S3Client") -> list[str]:
    return [entry.get("Key", "") for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_a_stream_goes_to_s3_and_back(s3: "S3Client", tmp_path: Path) -> None:
    put = run("put", URL, given=b"abc")
    assert put.returncode == 0, put.stderr
    assert json.loads(put.stdout)["size_bytes"] == 3
    assert run("get", URL).stdout == b"abc"
    file = tmp_path / "dump.bin"
    got = run("get", URL, "--output", str(file))
    assert file.read_bytes() == b"abc"
    assert json.loads(got.stdout) == json.loads(put.stdout)


def test_a_damaged_object_never_appears_as_a_file(s3: "S3Client", tmp_path: Path) -> None:
    file = tmp_path / "dump.bin"
    file.write_text("what was there before")
    run("put", URL, given=b"abc")
    s3.put_object(Bucket=BUCKET, Key="dump.bin", Body=b"ab")
    got = run("get", URL, "--output", str(file))
    assert (got.returncode, got.stdout) == (1, b"")
    assert b"damaged" in got.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dump.bin"]
    assert file.read_text() == "what was there before"


def test_a_damaged_object_on_stdout_ends_with_1(s3: "S3Client") -> None:
    run("put", URL, given=b"abc")
    assert run("get", URL, "--sha256", "0" * 64).returncode == 1


def test_a_program_that_fails_stores_nothing_of_what_it_printed(s3: "S3Client") -> None:
    put = run("put", URL, "--", "sh", "-c", "head -c 20000000 /dev/zero; exit 3")
    assert put.returncode == 1
    assert b"sh ended with 3" in put.stderr
    assert objects(s3) == []
    assert not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_a_program_that_is_not_there_is_named(s3: "S3Client") -> None:
    assert b"no-such-program cannot be started" in run("put", URL, "--", "no-such-program").stderr


def test_a_dump_is_stored_while_it_is_written(s3: "S3Client", database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE notes AS SELECT generate_series(1, 1000) AS id")
    put = run("put", URL, "--", program("pg_dump"), "--format=custom", f"--dbname={database}")
    assert put.returncode == 0, put.stderr
    listing = subprocess.run(
        [program("pg_restore"), "--list"], input=run("get", URL).stdout, capture_output=True, check=True
    )
    assert b"TABLE DATA public notes" in listing.stdout


def test_sigterm_breaks_an_upload_off_and_cleans_up(s3: "S3Client") -> None:
    # More than one part, then silence: the upload waits for a program that would never end.
    script = "head -c 40000000 /dev/zero; exec sleep 300"
    process = subprocess.Popen(
        [*COMMAND, "put", URL, "--part-mib", "5", "--", "sh", "-c", script],
        cwd=TOOLBOX,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _out, message = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"nothing that looks complete" in message
    assert b"Traceback" not in message
    assert objects(s3) == []
    assert not s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads")


def test_the_state_of_a_database_is_printed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    never_migrated = run("check-schema")
    assert never_migrated.returncode == 1
    assert json.loads(never_migrated.stdout)["problems"]
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE alembic_version AS SELECT '0001' AS version_num")
    migrated = run("check-schema")
    assert migrated.returncode == 0
    assert json.loads(migrated.stdout)["revision"] == ["0001"]


def test_without_a_database_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    check = run("check-schema")
    assert check.returncode == 1
    assert check.stderr.startswith(b"DATABASE_URL is not set")


def test_waiting_prints_after_how_long_each_server_accepted(postgres: str) -> None:
    address = postgres.split("@")[1]
    waited = run("wait", address, "--timeout", "5")
    assert list(json.loads(waited.stdout)) == [address]


@pytest.mark.parametrize(
    "arguments",
    [
        ["put", "bucket/key"],
        ["put", URL, "--part-mib", "4"],
        ["get", URL, "--sha256", "abc"],
        ["wait", "db"],
        ["wait", "db:5432", "--timeout", "0"],
        ["versions", "--", "pg_dump"],
        [],
    ],
)
def test_a_wrong_call_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).returncode == 2
