"""Ways in which parts of a stack die: by the kernel's hand within their pod, or with their pod."""

from __future__ import annotations

import contextlib

from tests.support.cluster import Json, KubectlError, wait_for
from tests.support.cluster_pods import SCRIPTS
from tests.support.cluster_stack import LiveStack, is_ready

BACK_SECONDS = 120
KILLED = 137
"""The exit code of a process that was ended by SIGKILL."""


def kill_by_kernel(stack: LiveStack, pod: str) -> None:
    """Have a pod's processes killed without notice; it must have Python. Returns when the container has died."""
    before = _container(stack, pod)["restartCount"]
    script = (SCRIPTS / "exhaust.py").read_text()
    with contextlib.suppress(KubectlError):  # it dies with the container
        stack.cluster.inside(pod, "python", "-c", script)
    wait_for(
        f"the death of {pod}",
        lambda: _container(stack, pod)["restartCount"] > before,
        seconds=BACK_SECONDS,
    )
    ended = _container(stack, pod)["lastState"]["terminated"]
    assert ended["exitCode"] == KILLED, ended


def wait_ready(stack: LiveStack, pod: str) -> None:
    """Wait until a pod is ready again."""
    wait_for(f"{pod} to be ready", lambda: is_ready(stack.cluster.get("pod", pod)), seconds=BACK_SECONDS)


def kill_pod(stack: LiveStack, part: str) -> str:
    """Kill a part's only pod with a second's notice; return the identity (UID) of the killed one.

    Not by `--force`: that lets a second server start on the same volume before the first one is dead.
    """
    (killed,) = stack.pods(part)
    stack.cluster.run("delete", "pod", killed["metadata"]["name"], "--now", "--wait=false")
    return str(killed["metadata"]["uid"])


def wait_replaced(stack: LiveStack, part: str, killed: str) -> None:
    """Wait for another pod of a part that is ready."""
    wait_for(
        f"another pod of {part}",
        lambda: [uid for uid in stack.ready_pods(part) if uid != killed],
        seconds=BACK_SECONDS,
    )


def _container(stack: LiveStack, pod: str) -> Json:
    return stack.cluster.get("pod", pod)["status"]["containerStatuses"][0]
