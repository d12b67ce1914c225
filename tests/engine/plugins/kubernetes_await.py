"""When an object counts as ready, as the real Kubernetes provider sees it, and why it is not.

Source: provider/pkg/await of pulumi/pulumi-kubernetes at v4.34. Kinds that are not named here
are ready as soon as they exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.engine.plugins.kubernetes_client import ApiError, Client

type Json = dict[str, Any]

_LOG_LINES = 25
_EVENTS = 8


@dataclass(frozen=True)
class Readiness:
    """Whether an object is ready; `status` for the user; `failed` where it never will be."""

    ready: bool
    status: str = ""
    failed: bool = False


def _conditions(live: Json) -> dict[str, Json]:
    return {entry["type"]: entry for entry in live.get("status", {}).get("conditions") or ()}


def _observed(live: Json) -> bool:
    return live.get("status", {}).get("observedGeneration", 0) >= live["metadata"].get("generation", 0)


def _deployment(client: Client, live: Json) -> Readiness:
    del client
    status, wanted = live.get("status", {}), live["spec"].get("replicas", 1)
    if not _observed(live):
        return Readiness(False, "waiting for the controller")
    progress = _conditions(live).get("Progressing", {})
    if progress.get("reason") == "ProgressDeadlineExceeded":
        return Readiness(False, progress.get("message", "progress deadline exceeded"), failed=True)
    updated, total = status.get("updatedReplicas", 0), status.get("replicas", 0)
    available = status.get("availableReplicas", 0)
    done = updated >= wanted and total <= updated and available >= updated
    return Readiness(done, f"{available} of {wanted} pods available, {total - updated} old ones left")


def _stateful_set(client: Client, live: Json) -> Readiness:
    del client
    status, wanted = live.get("status", {}), live["spec"].get("replicas", 1)
    if not _observed(live):
        return Readiness(False, "waiting for the controller")
    ready = status.get("readyReplicas", 0)
    done = (
        status.get("replicas", 0) == ready == wanted
        and status.get("currentReplicas", 0) == wanted
        and status.get("currentRevision") == status.get("updateRevision")
    )
    return Readiness(done, f"{ready} of {wanted} pods ready")


def _daemon_set(client: Client, live: Json) -> Readiness:
    del client
    status = live.get("status", {})
    wanted, available = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    done = _observed(live) and status.get("updatedNumberScheduled", 0) == wanted == available
    return Readiness(done, f"{available} of {wanted} pods available")


def _job(client: Client, live: Json) -> Readiness:
    del client
    conditions = _conditions(live)
    failed = conditions.get("Failed", {})
    if failed.get("status") == "True":
        return Readiness(False, f"{failed.get('reason')}: {failed.get('message')}", failed=True)
    return Readiness(
        conditions.get("Complete", {}).get("status") == "True", "waiting for the Job to complete"
    )


def _pod(client: Client, live: Json) -> Readiness:
    del client
    phase = live.get("status", {}).get("phase", "")
    ready = _conditions(live).get("Ready", {}).get("status") == "True"
    return Readiness(ready or phase == "Succeeded", phase, failed=phase == "Failed")


def _service(client: Client, live: Json) -> Readiness:
    spec, meta = live["spec"], live["metadata"]
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None" or not spec.get("selector"):
        return Readiness(True)
    if spec.get("type") == "LoadBalancer" and not live.get("status", {}).get("loadBalancer", {}).get(
        "ingress"
    ):
        return Readiness(False, "waiting for a load balancer")
    slices = client.items(
        client.path("discovery.k8s.io/v1", "EndpointSlice", meta["namespace"]),
        labelSelector=f"kubernetes.io/service-name={meta['name']}",
    )
    endpoints = [endpoint for found in slices for endpoint in found.get("endpoints") or ()]
    ready = any(endpoint.get("conditions", {}).get("ready") is not False for endpoint in endpoints)
    return Readiness(ready, "waiting for an endpoint that is ready")


def _ingress(client: Client, live: Json) -> Readiness:
    del client
    found = live.get("status", {}).get("loadBalancer", {}).get("ingress")
    return Readiness(bool(found), "waiting for an address")


def _claim(client: Client, live: Json) -> Readiness:
    phase = live.get("status", {}).get("phase")
    name = live["spec"].get("storageClassName")
    storage = client.get(client.path("storage.k8s.io/v1", "StorageClass", "", name)) if name else None
    late = (storage or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
    return Readiness(phase == "Bound" or (late and phase == "Pending"), f"claim is {phase}")


def _quota(client: Client, live: Json) -> Readiness:
    del client
    wanted, seen = live["spec"].get("hard") or {}, live.get("status", {}).get("hard") or {}
    return Readiness(wanted.keys() <= seen.keys(), "waiting for the quota to be counted")


_READY: Mapping[str, Callable[[Client, Json], Readiness]] = {
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "Ingress": _ingress,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "ResourceQuota": _quota,
    "Service": _service,
    "StatefulSet": _stateful_set,
}


def readiness(client: Client, live: Json) -> Readiness:
    """Whether an object as the server shows it is ready."""
    check = _READY.get(live["kind"])
    return check(client, live) if check else Readiness(True)


def explanation(client: Client, live: Json) -> str:
    """Why a workload's pods are not ready: warnings, container states, ends of logs."""
    namespace, name = live["metadata"].get("namespace", ""), live["metadata"]["name"]
    if not namespace:
        return ""
    try:
        lines = _warnings(client, namespace, name)
        for pod in _pods(client, namespace, live):
            lines += _container_problems(client, namespace, pod)
    except ApiError as error:
        lines = [str(error)]
    return "".join(f"\n  {line}" for line in lines)


def _pods(client: Client, namespace: str, live: Json) -> list[Json]:
    selector = live.get("spec", {}).get("selector") or {}
    labels = selector.get("matchLabels", {}) if "matchLabels" in selector else {}
    if not labels:
        return []
    wanted = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return client.items(client.path("v1", "Pod", namespace), labelSelector=wanted)


def _warnings(client: Client, namespace: str, name: str) -> list[str]:
    found = client.items(client.path("v1", "Event", namespace), fieldSelector="type=Warning")
    own = [e for e in found if e["involvedObject"].get("name", "").startswith(name)]
    texts = [f"{e['involvedObject']['kind']} {e['involvedObject']['name']}: {e.get('message')}" for e in own]
    return list(dict.fromkeys(texts))[-_EVENTS:]


def _container_problems(client: Client, namespace: str, pod: Json) -> list[str]:
    name, lines = pod["metadata"]["name"], list[str]()
    status = pod.get("status", {})
    states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for container in states:
        state: Json = container.get("state") or {}
        waiting, ended = state.get("waiting"), state.get("terminated")
        if waiting:
            lines.append(f"{name}/{container['name']}: {waiting.get('reason')} {waiting.get('message', '')}")
        if ended and ended.get("exitCode"):
            lines.append(
                f"{name}/{container['name']}: exit code {ended['exitCode']} {ended.get('reason', '')}"
            )
        broken = ended and ended.get("exitCode")
        if (
            broken
            or container.get("restartCount")
            or (not container.get("ready") and not waiting and not ended)
        ):
            lines += _log(client, namespace, name, container, previous=bool(waiting))
    return lines


def _log(client: Client, namespace: str, pod: str, container: Json, *, previous: bool) -> list[str]:
    query = {"container": container["name"], "tailLines": str(_LOG_LINES)}
    if previous:
        query["previous"] = "true"
    try:
        text = client.text(client.path("v1", "Pod", namespace, pod) + "/log", **query)
    except ApiError as error:
        text = str(error)
    return [f"| {line}" for line in text.splitlines()]
