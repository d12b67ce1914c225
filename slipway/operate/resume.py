"""Finishing an `up` that was killed half way.

Pulumi notes in its state which creations were under way. The next `up` creates those resources again, and Kubernetes
refuses, because a killed run has often created the object already. `pulumi refresh --import-pending-creates` drops the
notes instead of importing (seen with 3.259), so the state is completed here: what can be found by its name is entered,
looked for in the cluster by a refresh, and forgotten again where it is not there.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from slipway.offline.model import Json

type Object = dict[str, Json]

type Pulumi = Callable[[Sequence[str], str | None], str]
"""Runs `pulumi` with these arguments and this standard input on the stack, returns its standard output, raises where
it fails."""

_STATE_ONLY = ("random:", "tls:", "pulumi:providers:", "docker:index/image:Image")
"""Types whose resources exist nowhere but in the state, or whose creation may simply be repeated."""

_CLOCK_SKEW = timedelta(seconds=60)
"""How far the clocks of the API server and of this machine may differ."""


class ForeignObjectsError(Exception):
    """Objects that a killed `up` was about to create exist, but are older than it: somebody else made them."""


@dataclass(frozen=True)
class Completion:
    """What became of the creations that were under way.

    Attributes:
        adopted: URNs of objects that the killed run had created; they are in the state now.
        repeated: URNs of resources that were not created; the next `up` creates them.
        unknown: URNs of resources of which nobody here can say whether they exist; Pulumi's note of them stays.
    """

    adopted: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def finish_interrupted(pulumi: Pulumi, *, since: datetime | None = None) -> Completion:
    """Complete the state of a stack whose last `up` was killed; cheap where there is nothing to complete.

    Args:
        pulumi: runs a pulumi command on the stack. The stack must not be locked.
        since: when the killed `up` began (its lock says so). Objects that are older are not taken over.

    Raises:
        ForeignObjectsError: where an object of that name is older than the killed run. It stays out of the state.
    """
    exported = _exported(pulumi)
    state, plan = completed_state(exported)
    if not plan.adopted and not plan.repeated:
        return plan
    pulumi(["stack", "import"], json.dumps(state))
    if not plan.adopted:
        return plan
    targets = [argument for urn in plan.adopted for argument in ("--target", urn)]
    pulumi(["refresh", "--yes", "--skip-preview", "--non-interactive", *targets], None)
    resources = _objects(_member(_exported(pulumi), "deployment").get("resources"))
    found = {_text(one, "urn"): one for one in resources if not one.get("delete")}
    adopted = tuple(urn for urn in plan.adopted if urn in found)
    foreign = [found[urn] for urn in adopted if since and _older(found[urn], since)]
    for resource in foreign:
        pulumi(["state", "delete", _text(resource, "urn"), "--yes", "--non-interactive"], None)
    if foreign:
        raise ForeignObjectsError(_refusal(foreign))
    gone = tuple(urn for urn in plan.adopted if urn not in found)
    return Completion(adopted, plan.repeated + gone, plan.unknown)


def completed_state(exported: Object) -> tuple[Object, Completion]:
    """Enter what may have been created in an exported state.

    Args:
        exported: what `pulumi stack export` gives.

    Returns:
        The state to import, and what was decided: `adopted` are the resources that a refresh has to confirm.
    """
    deployment = _member(exported, "deployment")
    resources = _objects(deployment.get("resources"))
    adopted: list[str] = []
    repeated: list[str] = []
    unknown: list[str] = []
    kept: list[Object] = []
    for operation in _objects(deployment.get("pending_operations")):
        resource = _member(operation, "resource")
        urn, identity = _text(resource, "urn"), kubernetes_id(resource)
        if operation.get("type") != "creating":
            kept.append(operation)
        elif identity is not None:
            resources = [*_without_replaced(resources, urn), {**resource, "id": identity}]
            adopted.append(urn)
        elif _text(resource, "type").startswith(_STATE_ONLY) or not resource.get("custom"):
            repeated.append(urn)
        else:
            kept.append(operation)
            unknown.append(urn)
    # A list of objects is JSON, which the type checker can't see through a list's invariance.
    changed = cast("Object", {"resources": resources, "pending_operations": kept})
    plan = Completion(tuple(adopted), tuple(repeated), tuple(unknown))
    return {**exported, "deployment": {**deployment, **changed}}, plan


def kubernetes_id(resource: Object) -> str | None:
    """Return the id of a Kubernetes object as its provider would give it, None for anything else.

    Args:
        resource: a resource as it stands in a state.
    """
    metadata = _member(_member(resource, "inputs"), "metadata")
    name, namespace = _text(metadata, "name"), _text(metadata, "namespace")
    if not _text(resource, "type").startswith("kubernetes:") or not name:
        return None
    return f"{namespace}/{name}" if namespace else name


def _exported(pulumi: Pulumi) -> Object:
    return cast("Object", json.loads(pulumi(["stack", "export"], None)))


def _member(value: Object, key: str) -> Object:
    member = value.get(key)
    return member if isinstance(member, dict) else {}


def _objects(value: Json) -> list[Object]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def _text(value: Object, key: str) -> str:
    member = value.get(key)
    return member if isinstance(member, str) else ""


def _without_replaced(resources: list[Object], urn: str) -> list[Object]:
    """Return the resources, the one with that URN marked as an `up` marks what it has already replaced."""
    left = [one for one in resources if not (one.get("urn") == urn and one.get("pendingReplacement"))]
    return [{**one, "delete": True} if one.get("urn") == urn else one for one in left]


def _older(resource: Object, since: datetime) -> bool:
    """Return whether an object was there before that time."""
    created = _text(_member(_member(resource, "outputs"), "metadata"), "creationTimestamp")
    return bool(created) and datetime.fromisoformat(created) < since - _CLOCK_SKEW


def _refusal(resources: Iterable[Object]) -> str:
    lines = "\n".join(f"  {_text(one, 'type').rpartition(':')[2]} {_text(one, 'id')}" for one in resources)
    return (
        f"These objects exist already, and are older than the `up` that was killed while creating them:\n{lines}\n"
        "Somebody else made them, so this stack leaves them alone; its next `up` would be refused.\n"
        "Remove them, rename the resource, or take them over with `pulumi import`."
    )
