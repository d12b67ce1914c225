"""metrics-server for a kind cluster: what tells the autoscaler how busy pods are.

The objects of its release, one replica; `--kubelet-insecure-tls` because kind's kubelets sign their own certificates.
"""

from __future__ import annotations

from facts.versions import METRICS_SERVER_IMAGE
from slipway.offline.model import Json

NAMESPACE = "kube-system"
NAME = "metrics-server"
_PORT = 10250
_LABELS: dict[str, Json] = {"k8s-app": NAME}
_RBAC = "rbac.authorization.k8s.io"


def metrics_server_objects() -> list[Json]:
    """Return the Kubernetes objects, ready to be applied."""
    return [
        _object("v1", "ServiceAccount", NAME),
        _cluster_role(
            "system:aggregated-metrics-reader",
            [_rule("metrics.k8s.io", ["pods", "nodes"], ["get", "list", "watch"])],
            {f"{_RBAC}/aggregate-to-{role}": "true" for role in ("admin", "edit", "view")},
        ),
        _cluster_role(
            f"system:{NAME}",
            [
                _rule("", ["nodes/metrics"], ["get"]),
                _rule("", ["pods", "nodes"], ["get", "list", "watch"]),
            ],
        ),
        _binding("RoleBinding", f"{NAME}-auth-reader", "Role", "extension-apiserver-authentication-reader"),
        _binding(
            "ClusterRoleBinding", f"{NAME}:system:auth-delegator", "ClusterRole", "system:auth-delegator"
        ),
        _binding("ClusterRoleBinding", f"system:{NAME}", "ClusterRole", f"system:{NAME}"),
        _object(
            "v1",
            "Service",
            NAME,
            spec={"ports": [{"name": "https", "port": 443, "targetPort": "https"}], "selector": _LABELS},
        ),
        _deployment(),
        _object(
            "apiregistration.k8s.io/v1",
            "APIService",
            "v1beta1.metrics.k8s.io",
            namespaced=False,
            spec={
                "group": "metrics.k8s.io",
                "groupPriorityMinimum": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": NAME, "namespace": NAMESPACE},
                "version": "v1beta1",
                "versionPriority": 100,
            },
        ),
    ]


def _object(
    api_version: str, kind: str, name: str, *, namespaced: bool = True, **fields: Json
) -> dict[str, Json]:
    where: dict[str, Json] = {"namespace": NAMESPACE} if namespaced else {}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "labels": _LABELS, **where},
        **fields,
    }


def _rule(group: str, resources: list[Json], verbs: list[Json]) -> dict[str, Json]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _cluster_role(name: str, rules: list[Json], labels: dict[str, Json] | None = None) -> dict[str, Json]:
    role = _object(f"{_RBAC}/v1", "ClusterRole", name, namespaced=False, rules=rules)
    return {**role, "metadata": {"name": name, "labels": {**_LABELS, **(labels or {})}}}


def _binding(kind: str, name: str, role_kind: str, role: str) -> dict[str, Json]:
    return _object(
        f"{_RBAC}/v1",
        kind,
        name,
        namespaced=kind == "RoleBinding",
        roleRef={"apiGroup": _RBAC, "kind": role_kind, "name": role},
        subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    )


def _deployment() -> dict[str, Json]:
    container: dict[str, Json] = {
        "name": NAME,
        "image": METRICS_SERVER_IMAGE,
        "args": [
            "--cert-dir=/tmp",
            f"--secure-port={_PORT}",
            "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
            "--kubelet-use-node-status-port",
            "--kubelet-insecure-tls",
            "--metric-resolution=15s",
        ],
        "ports": [{"name": "https", "containerPort": _PORT, "protocol": "TCP"}],
        "livenessProbe": _probe("/livez"),
        "readinessProbe": {**_probe("/readyz"), "initialDelaySeconds": 20},
        "resources": {"requests": {"cpu": "100m", "memory": "200Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "tmp-dir", "mountPath": "/tmp"}],  # noqa: S108 - the mount's name
    }
    pod: dict[str, Json] = {
        "serviceAccountName": NAME,
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [container],
        "volumes": [{"name": "tmp-dir", "emptyDir": {}}],
    }
    return _object(
        "apps/v1",
        "Deployment",
        NAME,
        spec={
            "selector": {"matchLabels": _LABELS},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0}},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    )


def _probe(path: str) -> dict[str, Json]:
    return {
        "httpGet": {"path": path, "port": "https", "scheme": "HTTPS"},
        "periodSeconds": 10,
        "failureThreshold": 3,
    }
