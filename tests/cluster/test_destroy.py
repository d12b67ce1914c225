"""The end of a stack: nothing of it stays in the cluster."""

from __future__ import annotations

from tests.support.cluster import Json, KubectlError, wait_for
from tests.support.cluster_stack import LiveStack

RELEASED_SECONDS = 90
"""A storage provisioner deletes volumes in its own time, after their claims."""


def _volumes(stack: LiveStack) -> list[Json]:
    """The volumes that were made for the stack's namespace."""
    claims = (
        (volume, volume["spec"].get("claimRef") or {}) for volume in stack.cluster.items("persistentvolumes")
    )
    return [volume for volume, claim in claims if claim.get("namespace") == stack.cluster.namespace]


def _namespace_exists(stack: LiveStack) -> bool:
    try:
        stack.cluster.get("namespace", stack.cluster.namespace)
    except KubectlError as error:
        if "NotFound" in str(error):
            return False
        raise
    return True


def test_destroy_leaves_nothing_in_the_cluster(stack: LiveStack, figures: list[str]) -> None:
    assert _namespace_exists(stack)
    assert len(_volumes(stack)) == 2

    gone = stack.engine.destroy()
    figures.append(f"destroy: {gone.seconds:.0f} s")

    assert not _namespace_exists(stack)
    wait_for("the volumes to go", lambda: not _volumes(stack), seconds=RELEASED_SECONDS)
    assert stack.engine.resources() == {}
