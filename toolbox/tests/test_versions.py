"""`versions`: PostgreSQL's client programs are those of the stacks' servers, or the job does not start."""

import os
from pathlib import Path

import pytest

from slipway_toolbox.errors import ToolboxError
from slipway_toolbox.versions import CLIENT_PROGRAMS, POSTGRES_MAJOR, versions


def clients(folder: Path, monkeypatch: pytest.MonkeyPatch, **answers: str) -> None:
    for name in CLIENT_PROGRAMS:
        path = folder / name
        path.write_text(
            f"#!/bin/sh\n{answers.get(name, f'echo "{name} (PostgreSQL) 16.14 (Debian 16.14-1)"')}\n"
        )
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/bin")


def test_everything_that_a_job_relies_on_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients(tmp_path, monkeypatch)
    found = versions()
    assert {name: found[name] for name in CLIENT_PROGRAMS} == dict.fromkeys(CLIENT_PROGRAMS, "16.14")
    assert found["python"].startswith("3.")
    assert set(found) == {*CLIENT_PROGRAMS, "python", "boto3", "psycopg", "libpq"}


@pytest.mark.parametrize("version", ["15.18", "17.2"])
def test_another_major_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    clients(tmp_path, monkeypatch, pg_restore=f'echo "pg_restore (PostgreSQL) {version}"')
    with pytest.raises(
        ToolboxError, match=rf"pg_restore is version {version}, the servers are version {POSTGRES_MAJOR}"
    ):
        versions()


def test_a_program_that_does_not_run_is_refused_with_its_own_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients(
        tmp_path, monkeypatch, psql='echo "error while loading shared libraries: libpq.so.5" >&2; exit 127'
    )
    with pytest.raises(ToolboxError, match=r"psql --version ended with 127: .*libpq\.so\.5"):
        versions()


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients(tmp_path, monkeypatch)
    (tmp_path / "pg_dump").unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolboxError, match="pg_dump is not on PATH"):
        versions()
