"""What is in this image. A dump is only as good as the program that wrote it: pg_dump of another major version than
the server's either refuses or writes what an older pg_restore cannot read.
"""

import platform
import re
import shutil
import subprocess

import boto3
import psycopg

from slipway_toolbox.errors import ToolboxError

POSTGRES_MAJOR = 16
"""The major version of the stacks' servers, and so of the client programs. Source: facts/versions.py."""
CLIENT_PROGRAMS = ("pg_dump", "pg_restore", "psql")


def client_version(program: str) -> str:
    """Return the version of one of PostgreSQL's client programs, such as `16.14`.

    Raises:
        ToolboxError: when the program is missing or does not run.
    """
    path = shutil.which(program)
    if path is None:
        raise ToolboxError(f"{program} is not on PATH. Dumps and restores need it: use the toolbox image.")
    run = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)*)", run.stdout)
    if found is None:
        raise ToolboxError(
            f"{path} --version ended with {run.returncode}: {run.stderr.strip() or 'nothing'}. Build the toolbox image"
            " again: a library that the program needs is missing in it."
        )
    return found[1]


def versions() -> dict[str, str]:
    """Return the version of everything that a job of the platform relies on, by name.

    Raises:
        ToolboxError: when a client program is missing, or of another major version than `POSTGRES_MAJOR`.
    """
    clients = {program: client_version(program) for program in CLIENT_PROGRAMS}
    for program, version in clients.items():
        if int(version.split(".")[0]) != POSTGRES_MAJOR:
            raise ToolboxError(
                f"{program} is version {version}, the servers are version {POSTGRES_MAJOR}. What it dumps might not be"
                f" restorable: take the client programs of PostgreSQL {POSTGRES_MAJOR}."
            )
    return {
        "python": platform.python_version(),
        **clients,
        "boto3": boto3.__version__,
        "psycopg": psycopg.__version__,
        "libpq": ".".join(map(str, divmod(psycopg.pq.version(), 10_000))),
    }
