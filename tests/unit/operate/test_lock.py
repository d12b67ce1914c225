"""A lock goes only where its process is dead for certain."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slipway.operate.lock import LockHeldError, clear_dead_locks


def _lock(backend: Path, name: str = "a", **changed: object) -> Path:
    """Write a lock file as Pulumi's file backend does."""
    folder = backend / ".pulumi" / "locks" / "organization" / "slipway" / "local"
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "pid": os.getpid(),
        "username": "sam",
        "hostname": socket.gethostname(),
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "918Z"),
        **changed,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content))
    path.with_name(f"{name}.json.attrs").write_text("{}")
    return path


def _clear(backend: Path, **options: Path) -> list[int]:
    cleared = clear_dead_locks(backend.as_uri(), project="slipway", stack="local", **options)
    return [lock.pid for lock in cleared]


@pytest.fixture
def dead_pid() -> int:
    """The number of a process that has ended and was waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_dead_process_is_removed_with_its_attributes(tmp_path: Path, dead_pid: int) -> None:
    path = _lock(tmp_path, pid=dead_pid)

    assert _clear(tmp_path) == [dead_pid]
    assert list(path.parent.iterdir()) == []


def test_what_was_removed_tells_when_the_killed_run_began(tmp_path: Path, dead_pid: int) -> None:
    _lock(tmp_path, pid=dead_pid, timestamp="2026-11-21T10:57:23.918887847Z")

    (lock,) = clear_dead_locks(tmp_path.as_uri(), project="slipway", stack="local")

    assert lock.since == datetime(2026, 11, 21, 10, 57, 23, 918887, UTC)


def test_the_lock_of_a_running_process_stays(tmp_path: Path) -> None:
    path = _lock(tmp_path)

    with pytest.raises(
        LockHeldError, match=rf"process {os.getpid()} of sam on this machine, which is running"
    ):
        _clear(tmp_path)
    assert path.exists()


def test_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    _lock(tmp_path)

    with pytest.raises(LockHeldError, match="run `pulumi cancel --stack local`"):
        _clear(tmp_path)


def test_the_lock_of_another_machine_stays(tmp_path: Path, dead_pid: int) -> None:
    path = _lock(tmp_path, pid=dead_pid, hostname="elsewhere")

    with pytest.raises(LockHeldError, match="on the machine elsewhere, which can't be asked from here"):
        _clear(tmp_path)
    assert path.exists()


def test_one_held_lock_keeps_the_dead_ones_too(tmp_path: Path, dead_pid: int) -> None:
    dead = _lock(tmp_path, "a", pid=dead_pid)
    _lock(tmp_path, "b")

    with pytest.raises(LockHeldError):
        _clear(tmp_path)
    assert dead.exists()


def test_a_number_that_was_given_to_a_later_process_counts_as_dead(tmp_path: Path) -> None:
    _lock(tmp_path, timestamp=(datetime.now(UTC) - timedelta(days=365)).isoformat())

    assert _clear(tmp_path) == [os.getpid()]


def test_a_lock_without_a_time_is_not_judged_by_age(tmp_path: Path) -> None:
    _lock(tmp_path, timestamp=None)

    with pytest.raises(LockHeldError, match="which is running"):
        _clear(tmp_path)


def test_a_process_that_has_ended_and_was_not_waited_for_counts_as_dead(tmp_path: Path) -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert zombie.stdout is not None
    zombie.stdout.read()  # ends with the process, which stays a zombie until somebody waits for it
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    _lock(tmp_path, pid=zombie.pid)

    assert _clear(tmp_path) == [zombie.pid]

    zombie.wait()
    zombie.stdout.close()


def test_a_process_of_somebody_else_counts_as_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(pid: int, signal: int) -> None:
        raise PermissionError(pid, signal)

    monkeypatch.setattr(os, "kill", forbidden)
    _lock(tmp_path)

    with pytest.raises(LockHeldError, match="which is running"):
        _clear(tmp_path)


def test_without_a_process_table_a_number_in_use_counts_as_running(tmp_path: Path) -> None:
    _lock(tmp_path, timestamp="2020-01-01T00:00:00Z")

    with pytest.raises(LockHeldError, match="which is running"):
        _clear(tmp_path, process_table=tmp_path / "none")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"pid": "x", "hostname": "y"}', '{"pid": 1, "timestamp": 5}']
)
def test_a_lock_that_cannot_be_read_stays(tmp_path: Path, content: str) -> None:
    path = _lock(tmp_path)
    path.write_text(content)

    with pytest.raises(LockHeldError, match="this lock can't be read"):
        _clear(tmp_path)
    assert path.exists()


def test_a_stack_that_is_not_locked_needs_nothing(tmp_path: Path) -> None:
    assert _clear(tmp_path) == []


def test_locks_of_other_stacks_are_not_touched(tmp_path: Path, dead_pid: int) -> None:
    path = _lock(tmp_path, pid=dead_pid)

    assert clear_dead_locks(tmp_path.as_uri(), project="slipway", stack="dev") == ()
    assert path.exists()


def test_a_stack_may_be_named_with_its_organization(tmp_path: Path, dead_pid: int) -> None:
    _lock(tmp_path, pid=dead_pid)

    cleared = clear_dead_locks(tmp_path.as_uri(), project="slipway", stack="organization/slipway/local")

    assert [lock.pid for lock in cleared] == [dead_pid]


def test_a_backend_in_the_home_folder_is_found(
    tmp_path: Path, dead_pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _lock(tmp_path, pid=dead_pid)

    assert len(clear_dead_locks("file://~", project="slipway", stack="local")) == 1


def test_other_backends_are_left_to_pulumi() -> None:
    assert clear_dead_locks("s3://states?region=eu-central-1", project="slipway", stack="local") == ()


def test_attributes_that_a_dying_process_left_empty_are_dropped(tmp_path: Path, dead_pid: int) -> None:
    _lock(tmp_path, pid=dead_pid)
    stacks = tmp_path / ".pulumi" / "stacks" / "slipway"
    history = tmp_path / ".pulumi" / "history" / "slipway" / "local"
    for folder in (stacks, history):
        folder.mkdir(parents=True)
    (stacks / "local.json").write_text("{}")
    (stacks / "local.json.attrs").write_text("")
    (stacks / "local.json.bak.attrs").write_text("{}")
    (stacks / "dev.json.attrs").write_text("")
    (history / "local-1.history.json.attrs").write_text('{"user.cache')

    _clear(tmp_path)

    assert {path.name for path in stacks.iterdir()} == {
        "local.json",
        "local.json.bak.attrs",
        "dev.json.attrs",
    }
    assert list(history.iterdir()) == []


def test_attributes_of_a_stack_that_nobody_killed_are_not_looked_at(tmp_path: Path) -> None:
    stacks = tmp_path / ".pulumi" / "stacks" / "slipway"
    stacks.mkdir(parents=True)
    (stacks / "local.json.attrs").write_text("")

    assert _clear(tmp_path) == []
    assert (stacks / "local.json.attrs").exists()
