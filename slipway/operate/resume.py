"""Finishing an `up` that was killed half way.

Pulumi notes in its state which creations were under way. The next `up` creates those resources again, and Kubernetes
refuses, because a killed run has often created the object already. `pulumi refresh --import-pending-creates` drops the
notes instead of importing (seen with 3.259), so the state is completed here: what can be found by its name is entered,
looked for in the cluster by a refresh, and forgotten again where it is not there.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

type Json = dict[str, Any]

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
    exported: Json = json.loads(pulumi(["stack", "export"], None))
    state, plan = completed_state(exported)
    if not plan.adopted and not plan.repeated:
        return plan
    pulumi(["stack", "import"], json.dumps(state))
    if not plan.adopted:
        return plan
    targets = [argument for urn in plan.adopted for argument in ("--target", urn)]
    pulumi(["refresh", "--yes", "--skip-preview", "--non-interactive", *targets], None)
    found = _by_urn(json.loads(pulumi(["stack", "export"], None)), plan.adopted)
    foreign = [urn for urn, resource in found.items() if since and _older(resource, since)]
    for urn in foreign:
        pulumi(["state", "delete", urn, "--yes", "--non-interactive"], None)
    if foreign:
        raise ForeignObjectsError(_refusal(found[urn] for urn in foreign))
    gone = tuple(urn for urn in plan.adopted if urn not in found)
    return Completion(tuple(found), plan.repeated + gone, plan.unknown)


def completed_state(exported: Json) -> tuple[Json, Completion]:
    """Enter what may have been created in an exported state.

    Args:
        exported: what `pulumi stack export` gives.

    Returns:
        The state to import, and what was decided: `adopted` are the resources that a refresh has to confirm.
    """
    deployment: Json = exported["deployment"]
    operations: list[Json] = deployment.get("pending_operations") or []
    resources: list[Json] = [dict(resource) for resource in deployment.get("resources") or ()]
    adopted: list[str] = []
    repeated: list[str] = []
    kept: list[Json] = []
    for operation in operations:
        resource: Json = operation["resource"]
        identity = kubernetes_id(resource)
        if operation["type"] != "creating":
            kept.append(operation)
        elif identity is not None:
            resources = [*_without_replaced(resources, resource["urn"]), {**resource, "id": identity}]
            adopted.append(resource["urn"])
        elif resource["type"].startswith(_STATE_ONLY) or not resource.get("custom"):
            repeated.append(resource["urn"])
        else:
            kept.append(operation)
    unknown = [kept_one["resource"]["urn"] for kept_one in kept if kept_one["type"] == "creating"]
    completed = {**deployment, "resources": resources, "pending_operations": kept}
    return {**exported, "deployment": completed}, Completion(tuple(adopted), tuple(repeated), tuple(unknown))


def kubernetes_id(resource: Mapping[str, Any]) -> str | None:
    """Return the id of a Kubernetes object as its provider would give it, None for anything else.

    Args:
        resource: a resource as it stands in a state.
    """
    metadata = cast("object", (resource.get("inputs") or {}).get("metadata"))
    if not str(resource["type"]).startswith("kubernetes:") or not isinstance(metadata, dict):
        return None
    members = cast("Mapping[str, object]", metadata)
    name, namespace = members.get("name"), members.get("namespace")
    if not isinstance(name, str):
        return None
    return f"{namespace}/{name}" if isinstance(namespace, str) and namespace else name


def _without_replaced(resources: list[Json], urn: str) -> list[Json]:
    """Return the resources, the one with that URN marked as an `up` marks what it has already replaced."""
    left = [
        resource
        for resource in resources
        if not (resource["urn"] == urn and resource.get("pendingReplacement"))
    ]
    return [{**resource, "delete": True} if resource["urn"] == urn else resource for resource in left]


def _by_urn(exported: Json, urns: Sequence[str]) -> dict[str, Json]:
    resources: list[Json] = exported["deployment"].get("resources") or []
    return {found["urn"]: found for found in resources if found["urn"] in urns and not found.get("delete")}


def _older(resource: Json, since: datetime) -> bool:
    """Return whether an object was there before that time."""
    created = ((resource.get("outputs") or {}).get("metadata") or {}).get("creationTimestamp")
    return isinstance(created, str) and datetime.fromisoformat(created) < since - _CLOCK_SKEW


def _refusal(resources: Iterable[Json]) -> str:
    lines = "\n".join(f"  {resource['type'].rpartition(':')[2]} {resource['id']}" for resource in resources)
    return (
        f"These objects exist already, and are older than the `up` that was killed while creating them:\n{lines}\n"
        "Somebody else made them, so this stack leaves them alone; its next `up` would be refused.\n"
        "Remove them, rename the resource, or take them over with `pulumi import`."
    )
