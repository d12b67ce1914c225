"""PostgreSQL and Redis for the tests: real servers, started here, on this machine only.

Without their programs the tests that need them are skipped; with CI=true a skip is a failure.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

APP = Path(__file__).parent.parent
REDIS_RIGHTS = ["~*", "&*", "+@all", "-@admin", "-@dangerous", "+info"]
"""What the Redis user of a stack may do."""


def pytest_configure() -> None:
    """Let interrupts reach the programs under test, also where a shell runs the tests in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def program(name: str) -> str:
    places = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *places]))
    if found is None:
        message = f"{name} is not installed (Debian, Ubuntu: apt-get install postgresql redis-server)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def free_port() -> int:
    """Below those that the kernel hands to clients: one of them could take it while a server is away."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311
        with socket.socket() as server:
            try:
                server.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{holds} did not come true in {seconds} s")
        time.sleep(0.05)


def accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: list[str], **options: object) -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class PostgresServer:
    """A PostgreSQL server; it can be stopped and started."""

    command: list[str]
    options: dict[str, object]
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, name: str = "app", user: str = "app:pw") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL, **self.options)  # type: ignore[call-overload]
        wait_until(self.answers)

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres", "super"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Without waiting for its clients."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)
            self.process = None

    def create_database(self, name: str) -> str:
        """Make an empty database of the application's role; return its URL."""
        with psycopg.connect(self.url("postgres", "super"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER app")  # type: ignore[call-overload]
        return self.url(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """With an application role that is not the superuser."""
    initdb, postgres = program("initdb"), program("postgres")
    # Not below pytest's own folder: every run of pytest closes that to other users again.
    folder = Path(tempfile.mkdtemp(prefix="slipway-postgres-"))
    options: dict[str, object] = {"cwd": folder}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres")
        options |= {"user": "postgres", "group": "postgres", "extra_groups": []}
    data, port = folder / "data", free_port()
    subprocess.run(
        [initdb, "-D", data, "-U", "super", "-A", "trust", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, **options,
    )  # fmt: skip
    command = [postgres, "-D", str(data), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-F"]
    server = PostgresServer(command, options, port)
    server.start()
    with psycopg.connect(server.url("postgres", "super"), autocommit=True) as connection:
        connection.execute("CREATE ROLE app LOGIN PASSWORD 'pw'")
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def database_url(postgres_server: PostgresServer) -> str:
    return postgres_server.create_database("app")


@dataclass
class RedisServer:
    """A Redis whose only user is restricted; it can be stopped and started."""

    command: list[str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://app:pw@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        wait_until(lambda: accepts(self.port))

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def suspend(self) -> None:
        """It neither answers nor forgets."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    port = free_port()
    command = [
        program("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
        "--dir", str(tmp_path_factory.mktemp("redis")),
        "--user", "default", "off", "--user", "app", "on", ">pw", *REDIS_RIGHTS,
    ]  # fmt: skip
    server = RedisServer(command, port)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def environment(
    database_url: str, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What a stack tells the service; the tables exist."""
    values = {
        "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(APP),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_server.url,
        "JWT_SECRET": "0123456789abcdef0123456789abcdef",
        # All tests are one address.
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "RATE_LIMIT_PER_HOUR": "1000000",
        "DRAIN_SECONDS": "0",
        "ENABLE_WORK": "true",
    }
    run(values, "-m", "alembic", "upgrade", "head")
    return values


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the service's environment, and nothing of the test's own; fail when it fails."""
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=APP, check=True, capture_output=True, text=True
    )


@contextmanager
def serving(environment: dict[str, str]) -> Generator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """The API, as the image starts it."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:slipway_app.server"]
    with (
        running(command, env={**environment, "PORT": str(port)}, cwd=APP) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15) as client,
    ):
        wait_until(lambda: lives(client))
        yield client, process


def lives(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def api(environment: dict[str, str]) -> Iterator[httpx.Client]:
    with serving(environment) as (client, _process):
        yield client


PASSWORD = "correct horse battery"


def sign_up(api: httpx.Client, email: str | None = None) -> httpx.Client:
    """A client of the same API, signed in as a new user."""
    account = {"email": email or f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    assert api.post("/users", json=account).status_code == 201
    answer = api.post("/tokens", json=account)
    assert answer.status_code == 201
    token = answer.json()["access_token"]
    return httpx.Client(base_url=api.base_url, timeout=15, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def user(api: httpx.Client) -> Iterator[httpx.Client]:
    with sign_up(api) as client:
        yield client
