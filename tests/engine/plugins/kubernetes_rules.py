"""What the real Kubernetes provider and API server decide about objects.

Source of the replacement table: provider/pkg/provider/diff.go and `Diff` in provider.go of
pulumi/pulumi-kubernetes at v4.34; kinds without a namespace: the API server's own resource list.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from tests.engine.plugins.package import Difference, changed_paths
from tests.engine.plugins.values import (
    UNKNOWN,
    Object,
    Path,
    Secret,
    Value,
    child,
    has_secret,
    is_list,
    is_object,
    path_text,
    plain_object,
    text,
)

AUTONAMED = "pulumi.com/autonamed"
_SERVER = frozenset({"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"})
TOKEN_PREFIX = "kubernetes:"

_WORKLOAD = ("spec.selector",)
_REPLACED_ON: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps/v1", "Deployment"): _WORKLOAD,
    ("apps/v1", "DaemonSet"): _WORKLOAD,
    ("apps/v1", "StatefulSet"): (
        *_WORKLOAD,
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch/v1", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("v1", "PersistentVolumeClaim"): (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    ("v1", "ResourceQuota"): ("spec.scopes",),
    ("v1", "Service"): ("spec.clusterIP",),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): ("roleRef",),
    ("storage.k8s.io/v1", "StorageClass"): ("parameters", "provisioner"),
}

CLUSTER_KINDS = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
"""Kinds whose objects are in no namespace."""


def kind_of(inputs: Object) -> tuple[str, str]:
    """API version and kind of an object."""
    return text(inputs.get("apiVersion")), text(inputs.get("kind"))


def name_of(inputs: Object) -> str:
    """`metadata.name`."""
    return text(child(inputs, "metadata", "name"))


def namespace_of(inputs: Object) -> str:
    """`metadata.namespace`, `default` where none is given, empty for kinds without one."""
    if text(inputs.get("kind")) in CLUSTER_KINDS:
        return ""
    return text(child(inputs, "metadata", "namespace")) or "default"


def identity_of(inputs: Object) -> str:
    """The id the real provider gives: `namespace/name`, or `name`."""
    namespace = namespace_of(inputs)
    return f"{namespace}/{name_of(inputs)}" if namespace else name_of(inputs)


def with_name(inputs: Object, old: Object, urn_name: str, seed: bytes) -> Object:
    """Inputs with a generated name where the program gave none; the old one is kept."""
    if name_of(inputs):
        return inputs
    old_annotations = child(old, "metadata", "annotations")
    kept = is_object(old_annotations) and AUTONAMED in old_annotations
    name = name_of(old) if kept else f"{urn_name}-{seed.hex()[:8]}"
    metadata = inputs.get("metadata")
    members = dict(metadata) if is_object(metadata) else {}
    annotations = members.get("annotations")
    marked = {**(annotations if is_object(annotations) else {}), AUTONAMED: "true"}
    return {**inputs, "metadata": {**members, "name": name, "annotations": marked}}


def replaced_on(inputs: Object, mutable: frozenset[str]) -> tuple[str, ...]:
    """Paths whose change replaces the object. `mutable`: ConfigMap, Secret if the provider says so."""
    kind = kind_of(inputs)
    always = ("metadata.name", "metadata.namespace")
    fixed = inputs.get("immutable") is True or kind[1] not in mutable
    if kind == ("v1", "Secret"):
        return (*always, "type", "stringData", "data") if fixed else (*always, "type")
    if kind == ("v1", "ConfigMap"):
        return (*always, "binaryData", "data") if fixed else always
    return (*always, *_REPLACED_ON.get(kind, ()))


def difference(old: Object, new: Object, live: Object, mutable: frozenset[str]) -> Difference:
    """The real provider's Diff: changed paths, which of them replace, whether to delete first."""
    changes = changed_paths(normalized(plain_object(old)), normalized(plain_object(new)))
    forcing = replaced_on(plain_object(new), mutable)
    replaces = frozenset(path_text(path) for path, _ in changes if _within(path, forcing))
    named = name_of(new) not in ("", UNKNOWN) and not child(new, "metadata", "annotations", AUTONAMED)
    stays = name_of(new) == name_of(live) and namespace_of(new) == namespace_of(live)
    return Difference(
        {path_text(path): kind for path, kind in changes}, replaces, bool(replaces) and named and stays
    )


def _within(path: Path, forcing: tuple[str, ...]) -> bool:
    keys = ".".join(step for step in path if isinstance(step, str))
    return any(keys == prefix or keys.startswith(f"{prefix}.") for prefix in forcing)


def normalized(inputs: Object) -> Object:
    """A Secret's `stringData` written as the `data` which the API server makes of it."""
    if kind_of(inputs) != ("v1", "Secret") or not is_object(inputs.get("stringData")):
        return inputs
    data = child(inputs, "data")
    strings = child(inputs, "stringData")
    merged = dict(data) if is_object(data) else {}
    for key, value in strings.items() if is_object(strings) else ():
        merged[key] = value if value == UNKNOWN else base64.b64encode(str(value).encode()).decode()
    return {**{key: value for key, value in inputs.items() if key != "stringData"}, "data": merged}


def checkpoint(inputs: Object, live: Object) -> Object:
    """The outputs the real provider keeps: the live object, and the inputs beside it."""
    clear = plain_object(inputs)
    return {
        **with_secrets(live, inputs),
        "__inputs": with_secrets(clear, inputs),
        "__initialApiVersion": text(inputs.get("apiVersion")),
        "__fieldManager": "pulumi-kubernetes",
    }


def with_secrets(values: Object, like: Object) -> Object:
    """`values`, secret where `like` is, as the real provider does it.

    A list that holds a secret becomes secret as a whole; a Secret's data always is.
    """
    marked = dict(values)
    if marked.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if key in marked:
                marked[key] = Secret(marked[key])
        return marked
    for key, wanted in like.items():
        value = marked.get(key)
        if value is None:
            continue
        if is_object(value) and is_object(wanted):
            marked[key] = with_secrets(_copy(value), _copy(wanted))
        elif has_secret(wanted):
            marked[key] = Secret(value)
    return marked


def _copy(value: Mapping[str, Value]) -> Object:
    return dict(value)


def kind_of_token(token: str) -> tuple[str, str]:
    """API version and kind from a type token such as `kubernetes:core/v1:Secret`."""
    _, version, kind = token.split(":")
    group, _, number = version.partition("/")
    if group == "core":
        return number, kind
    return version, kind


def drifted(inputs: Object, before: Object, now: Object) -> Object:
    """Inputs with what somebody else changed since: where the live object is no more as it was."""
    found = _drift(plain_object(inputs), before, now)
    return with_secrets(dict(found), inputs) if is_object(found) else inputs


def _drift(wanted: Value, before: Value, now: Value) -> Value:
    if before is None or before == now:  # without an earlier reading nobody can say that it moved
        return wanted
    if is_object(wanted) and is_object(before) and is_object(now):
        return {
            key: _drift(value, before.get(key), now.get(key))
            for key, value in wanted.items()
            if key in now or key not in before
        }
    if is_list(wanted) and is_list(before) and is_list(now) and len(wanted) == len(before) == len(now):
        return [_drift(*each) for each in zip(wanted, before, now, strict=True)]
    return now


def importable(live: Object) -> Object:
    """The inputs that would make a live object: all of it but what the server adds."""
    metadata = child(live, "metadata")
    kept = (
        {key: value for key, value in metadata.items() if key not in _SERVER} if is_object(metadata) else {}
    )
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": kept}


def skips_await(inputs: Object) -> bool:
    """Whether the program wants nobody to wait for the object."""
    return child(inputs, "metadata", "annotations", "pulumi.com/skipAwait") == "true"


def not_live(urn: str, why: str) -> str:
    """The real provider's words for an object which exists and does not get ready."""
    return (
        f'resource "{urn}" was successfully created, but the Kubernetes API server reported '
        f"that it failed to fully initialize or become live: {why}"
    )
