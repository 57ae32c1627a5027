"""What network policies let through, for the selectors and blocks that the chart uses.

Spec:    Kubernetes `networking.k8s.io/v1` NetworkPolicy: a pod that some policy selects for a direction is reached (or reaches) only by
         what one of the policies that select it allows; a peer without namespaceSelector means the policy's own namespace.
"""

import ipaddress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end: a pod with its labels and its namespace's, or an address."""

    labels: dict[str, str] = field(default_factory=dict)
    namespace: dict[str, str] | None = None
    """None: the namespace of the release."""
    address: str | None = None


def allows(
    policies: list[dict[str, Any]], pod: dict[str, str], direction: str, peer: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Return whether a connection of a pod in a direction (`ingress` or `egress`) is let through."""
    selecting = [
        policy["spec"]
        for policy in policies
        if direction.capitalize() in policy["spec"]["policyTypes"] and selects(policy["spec"]["podSelector"], pod)
    ]
    if not selecting:
        return True
    end = "from" if direction == "ingress" else "to"
    return any(
        {"port": port, "protocol": protocol} in rule["ports"] and any(_is_peer(one, peer) for one in rule[end])
        for spec in selecting
        for rule in spec.get(direction, [])
    )


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Return whether a label selector takes these labels."""
    for requirement in selector.get("matchExpressions", []):
        if requirement["operator"] != "In":
            raise NotImplementedError(requirement["operator"])
        if labels.get(requirement["key"]) not in requirement["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def _is_peer(one: dict[str, Any], peer: Peer) -> bool:
    if "ipBlock" in one:
        if peer.address is None:
            return False
        address = ipaddress.ip_address(peer.address)
        inside = [
            ipaddress.ip_network(one["ipBlock"]["cidr"]),
            *map(ipaddress.ip_network, one["ipBlock"].get("except", [])),
        ]
        return address in inside[0] and not any(address in block for block in inside[1:])
    if peer.address is not None:
        return False
    if "namespaceSelector" in one:
        if peer.namespace is None or not selects(one["namespaceSelector"], peer.namespace):
            return False
    elif peer.namespace is not None:
        return False
    return selects(one.get("podSelector", {}), peer.labels)
