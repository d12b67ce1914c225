"""A way to the stack's services from this machine, by which every connection reaches some pod as a user's would.

`kubectl port-forward` stays with one pod, so it shows no rollout. These are Services of type NodePort beside the
stack's own, and a policy that lets this machine's address through, as one lets a load balancer's.
"""

from __future__ import annotations

import socket

from tests.support.cluster import Cluster, Json, wait_for

OPEN_SECONDS = 30
"""A new Service and a new policy take a moment to act."""


def open_doors(cluster: Cluster, application: str, *services: str) -> dict[str, str]:
    """Make services reachable from this machine; return the URL of each.

    Args:
        cluster: the stack's namespace.
        application: the application's name.
        services: their names; each has a Service with one port.
    """
    ports = {name: int(cluster.get("service", name)["spec"]["ports"][0]["port"]) for name in services}
    cluster.apply(*(_service(application, name, port) for name, port in ports.items()))
    host = _node_address(cluster)
    doors: dict[str, int] = {
        name: cluster.get("service", f"{name}-door")["spec"]["ports"][0]["nodePort"] for name in services
    }
    source = _own_address(host)
    cluster.apply(*(_policy(application, name, port, source) for name, port in ports.items()))
    for name, port in doors.items():
        wait_for(
            f"{name} at {host}:{port}: a node's address must be reachable from this machine",
            lambda port=port: _opens(host, port),
            seconds=OPEN_SECONDS,
        )
    return {name: f"http://{host}:{port}" for name, port in doors.items()}


def _service(application: str, name: str, port: int) -> Json:
    spec = {
        "type": "NodePort",
        "selector": _labels(application, name),
        "ports": [{"name": "http", "port": port, "targetPort": port}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"{name}-door"}, "spec": spec}


def _policy(application: str, name: str, port: int, source: str) -> Json:
    spec = {
        "podSelector": {"matchLabels": _labels(application, name)},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"ipBlock": {"cidr": f"{source}/32"}}], "ports": [{"port": port}]}],
    }
    metadata = {"name": f"{name}-door"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _labels(application: str, name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": application}


def _node_address(cluster: Cluster) -> str:
    addresses = cluster.items("nodes")[0]["status"]["addresses"]
    return str(next(entry["address"] for entry in addresses if entry["type"] == "InternalIP"))


def _own_address(host: str) -> str:
    """The address from which this machine calls a host; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        return str(probe.getsockname()[0])


def _opens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
