"""One order of a program's registrations, whatever order they arrived in.

The SDK keeps dependencies in sets of objects, so that of two resources that become ready together sometimes one is
sent first, sometimes the other. A record must be the same in every run.
"""

from __future__ import annotations

from collections.abc import Sequence

from slipway.offline.model import Registration


def in_steady_order(registrations: Sequence[Registration]) -> tuple[Registration, ...]:
    """Return registrations so that each follows what it needs, those of equal depth by their URN.

    Args:
        registrations: in the order of arrival, in which each follows what it needs.
    """
    depths: dict[str, int] = {}
    for one in registrations:
        needed = (one.parent, one.provider.rpartition("::")[0], *one.dependencies)
        depths[one.urn] = 1 + max((depths.get(urn, 0) for urn in needed), default=0)
    return tuple(sorted(registrations, key=lambda one: (depths[one.urn], one.urn)))
