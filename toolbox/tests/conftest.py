"""PostgreSQL and S3 for the tests: real servers, started here, on this machine only.

Without PostgreSQL's programs the tests that need them are skipped; with CI=true a skip is a failure.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from psycopg import sql

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BUCKET = "backups"


def program(name: str) -> str:
    places = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *places]))
    if found is None:
        message = f"{name} is not installed (Debian, Ubuntu: apt-get install postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server's superuser, without a database."""
    initdb, server = program("initdb"), program("postgres")
    folder = tmp_path_factory.mktemp("postgres")
    user: str | None = None
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        for parent in [folder.parent, folder.parent.parent]:
            parent.chmod(0o755)
        user = "postgres"
    data, port = folder / "data", free_port()
    subprocess.run(
        [initdb, "-D", data, "-U", "super", "-A", "trust", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder, user=user, group=user,
    )  # fmt: skip
    process = subprocess.Popen(
        [server, "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1", "-F"],
        stderr=subprocess.DEVNULL, cwd=folder, user=user, group=user,
    )  # fmt: skip
    url = f"postgresql://super@127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(f"{url}/postgres").close()
            break
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(20)


@pytest.fixture
def database(postgres: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, another one for each test."""
    name = f"test_{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{postgres}/{name}"


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Where an S3 server answers."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> "Iterator[S3Client]":
    """A client, an empty bucket, and an environment in which every AWS tool finds them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": s3_url,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield client
    for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=entry.get("Key", ""))
    for upload in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        client.abort_multipart_upload(
            Bucket=BUCKET, Key=upload.get("Key", ""), UploadId=upload.get("UploadId", "")
        )
    client.delete_bucket(Bucket=BUCKET)
    client.close()
