"""Locks that an `up` left behind when it was killed.

Pulumi's file backend locks a stack by a file that names the process holding it. A process that was killed leaves its
file, and every later `up` refuses until somebody removes it by hand. Here it is removed where that process is dead for
certain, and only there; so is a file of attributes that the process was writing when it died.
"""

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ORGANIZATION = "organization"
"""What the file backend calls the one organization it has."""

_CLOCK_GRAIN = timedelta(seconds=2)
"""A process starts before it writes its lock; the kernel's clock ticks and rounding stay below this."""

_DEAD_STATES = frozenset("ZXx")
"""Zombie, dead: how the kernel marks a process that has ended (proc(5))."""


@dataclass(frozen=True)
class Lock:
    """One lock file.

    Attributes:
        path: the file.
        pid: the process that holds it, on the machine `host`.
        user: who ran that process.
        since: when the lock was taken; None where the file does not say.
    """

    path: Path
    pid: int
    user: str
    host: str
    since: datetime | None


class LockHeldError(Exception):
    """The stack is locked, and nothing shows that whoever holds the lock is dead."""


def clear_dead_locks(
    backend_url: str, *, project: str, stack: str, process_table: Path = Path("/proc")
) -> tuple[Lock, ...]:
    """Remove the locks of a stack whose processes are dead, and the attributes that they left half written.

    Args:
        backend_url: where the state is, as in `PULUMI_BACKEND_URL`. Only `file://` has lock files that can be judged;
            for any other backend nothing is done, and Pulumi itself refuses where it must.
        project: the project's name.
        stack: the stack's name, with or without the organization.
        process_table: where the kernel shows its processes.

    Returns:
        The locks that were removed.

    Raises:
        LockHeldError: where a lock's process is alive, or belongs to another machine, or the file can't be read.
            Then no lock is removed.
    """
    root = _root(backend_url)
    if root is None:
        return ()
    name = stack.rsplit("/", 1)[-1]
    folder = root / "locks" / _ORGANIZATION / project / name
    locks = [_read(path) for path in sorted(folder.glob("*.json"))]
    reasons = [reason for lock in locks if (reason := _why_held(lock, process_table))]
    if reasons:
        raise LockHeldError(_refusal(name, reasons))
    for lock in locks:
        lock.path.unlink(missing_ok=True)
        lock.path.with_name(f"{lock.path.name}.attrs").unlink(missing_ok=True)
    if locks:
        _drop_torn_attributes(root, project, name)
    return tuple(locks)


def _root(backend_url: str) -> Path | None:
    """Return the folder in which a file backend keeps everything, None for any other backend."""
    url = urlsplit(backend_url)
    if url.scheme != "file":
        return None
    return Path(unquote(f"{url.netloc}{url.path}")).expanduser() / ".pulumi"


def _drop_torn_attributes(root: Path, project: str, stack: str) -> None:
    """Remove attributes that can't be read.

    The backend replaces its files as a whole, but writes each one's attributes (content type, checksum) into a second
    file in place. A process that dies in between leaves that one empty, and nobody can load the state: "failed to load
    checkpoint: EOF". Without the attributes the backend takes its defaults.
    """
    candidates = [
        *(root / "stacks" / project).glob(f"{stack}.json*.attrs"),
        *(root / "history" / project / stack).glob("*.attrs"),
        *(root / "backups" / project / stack).glob("*.attrs"),
    ]
    for path in candidates:
        try:
            json.loads(path.read_bytes())
        except ValueError:
            path.unlink()


def _read(path: Path) -> Lock:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        since = content.get("timestamp")
        return Lock(
            path=path,
            pid=int(content["pid"]),
            user=str(content.get("username", "")),
            host=str(content["hostname"]),
            since=datetime.fromisoformat(since) if since else None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LockHeldError(
            f"{path}: this lock can't be read ({error}), so nobody can say whether the `up` that took it still runs.\n"
            "Make sure that none does, then remove the file with `pulumi cancel`."
        ) from error


def _why_held(lock: Lock, process_table: Path) -> str | None:
    """Return why a lock counts as held, None where its process is dead."""
    if lock.host != socket.gethostname():
        return f"process {lock.pid} of {lock.user} on the machine {lock.host}, which can't be asked from here"
    if not _exists(lock.pid) or _over(lock, process_table):
        return None
    return f"process {lock.pid} of {lock.user} on this machine, which is running"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it exists and belongs to somebody else
        return True
    return True


def _over(lock: Lock, process_table: Path) -> bool:
    """Return whether the process with the lock's number is dead although the number is in use.

    It may be a zombie, which a container without an init process never loses; or the number was given to a process that
    began after the lock was taken.
    """
    try:
        # The command's name may hold spaces and parentheses; the fields counted from here begin with the third.
        fields = (process_table / str(lock.pid) / "stat").read_text().rpartition(")")[2].split()
        boot = next(
            float(line.split()[1])
            for line in (process_table / "stat").read_text().splitlines()
            if line.startswith("btime ")
        )
        state, began = fields[0], boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):  # a system without /proc
        return False
    later = lock.since is not None and datetime.fromtimestamp(began, UTC) > lock.since + _CLOCK_GRAIN
    return state in _DEAD_STATES or later


def _refusal(stack: str, reasons: Sequence[str]) -> str:
    held = "\n".join(f"  {reason}" for reason in reasons)
    return (
        f"The stack {stack} is locked by\n{held}\n"
        "Two runs at once would overwrite each other's state. Wait until that run ends; if you know that it is dead, "
        f"run `pulumi cancel --stack {stack}`."
    )
