"""Who may talk to whom, as Kubernetes enforces it: one NetworkPolicy for each part, above a default that denies all."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.shared.component import Surroundings

networking = kubernetes.networking.v1

PRIVATE_RANGES = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
"""Addresses that are not the internet: RFC 1918, RFC 6598 (carrier NAT, used for pods), RFC 3927 (cloud metadata)."""


@dataclass(frozen=True)
class PartPeer:
    """The pods of another part in the same namespace."""

    part: str


@dataclass(frozen=True)
class PodsPeer:
    """Pods with a label, in a namespace with a label or, where that is left out, in any."""

    pod_label: tuple[str, str]
    namespace: str | None = None


@dataclass(frozen=True)
class AnywherePeer:
    """Every address, such as that of a load balancer or of a database outside the cluster."""


@dataclass(frozen=True)
class InternetPeer:
    """Every public address."""


Peer = PartPeer | PodsPeer | AnywherePeer | InternetPeer


@dataclass(frozen=True)
class Allowance:
    """A peer and the ports on which it is allowed."""

    peer: Peer
    ports: tuple[int, ...]
    protocols: tuple[str, ...] = ("TCP",)


@dataclass(frozen=True)
class Allowances:
    """Everything that one part is allowed: from whom it is reached, and whom it reaches."""

    ingress: tuple[Allowance, ...] = ()
    egress: tuple[Allowance, ...] = ()


def network_policy(
    surroundings: Surroundings, part: str, allowances: Allowances, *, parent: pulumi.Resource
) -> kubernetes.networking.v1.NetworkPolicy:
    """Create the NetworkPolicy of a part: what is not allowed here is denied.

    Args:
        surroundings: where the part stands.
        part: the part whose pods it selects.
        allowances: what is allowed.
        parent: the component that it belongs to.
    """
    return networking.NetworkPolicy(
        part,
        metadata=surroundings.metadata(part),
        spec=networking.NetworkPolicySpecArgs(
            pod_selector=_selector(surroundings.selector(part)),
            policy_types=["Ingress", "Egress"],
            ingress=[
                networking.NetworkPolicyIngressRuleArgs(
                    from_=_peers(surroundings, allowed.peer), ports=_ports(allowed)
                )
                for allowed in allowances.ingress
            ],
            egress=[
                networking.NetworkPolicyEgressRuleArgs(
                    to=_peers(surroundings, allowed.peer), ports=_ports(allowed)
                )
                for allowed in allowances.egress
            ],
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _selector(labels: dict[str, str]) -> kubernetes.meta.v1.LabelSelectorArgs:
    return kubernetes.meta.v1.LabelSelectorArgs(match_labels=labels)


def _peers(surroundings: Surroundings, peer: Peer) -> Sequence[networking.NetworkPolicyPeerArgs]:
    match peer:
        case PartPeer(part):
            return [networking.NetworkPolicyPeerArgs(pod_selector=_selector(surroundings.selector(part)))]
        case PodsPeer(label, namespace):
            labels = {"kubernetes.io/metadata.name": namespace} if namespace is not None else {}
            return [
                networking.NetworkPolicyPeerArgs(
                    pod_selector=_selector(dict([label])), namespace_selector=_selector(labels)
                )
            ]
        case AnywherePeer():
            return [networking.NetworkPolicyPeerArgs(ip_block=networking.IPBlockArgs(cidr="0.0.0.0/0"))]
        case InternetPeer():
            block = networking.IPBlockArgs(cidr="0.0.0.0/0", except_=list(PRIVATE_RANGES))
            return [networking.NetworkPolicyPeerArgs(ip_block=block)]


def _ports(allowed: Allowance) -> list[networking.NetworkPolicyPortArgs]:
    return [
        networking.NetworkPolicyPortArgs(port=port, protocol=protocol)
        for port in allowed.ports
        for protocol in allowed.protocols
    ]
