"""A record has one order, whatever order the SDK sent its registrations in."""

from __future__ import annotations

from itertools import permutations

from slipway.offline.model import Registration
from slipway.offline.order import in_steady_order


def _resource(name: str, parent: str = "", provider: str = "", *needs: str) -> Registration:
    return Registration(
        urn=name,
        type="t",
        name=name,
        parent=parent,
        custom=True,
        inputs={},
        provider=provider,
        dependencies=needs,
    )


PROGRAM = (
    _resource("stack"),
    _resource("provider", "stack"),
    _resource("group", "stack"),
    _resource("web", "group", "provider::id"),
    _resource("api", "group", "provider::id"),
    _resource("job", "stack", "", "web"),
)


def test_the_order_of_arrival_makes_no_difference() -> None:
    _, *others = PROGRAM
    orders = set()
    for arrived in permutations(others):
        names = [one.name for one in arrived]
        # What the SDK can send: nothing before its parent, its provider and what it depends on.
        if names.index("job") > names.index("web") > max(names.index("group"), names.index("provider")) and (
            names.index("api") > max(names.index("group"), names.index("provider"))
        ):
            orders.add(tuple(one.name for one in in_steady_order((PROGRAM[0], *arrived))))
    assert orders == {("stack", "group", "provider", "api", "web", "job")}


def test_each_resource_follows_what_it_needs() -> None:
    seen: set[str] = set()
    for one in in_steady_order(PROGRAM):
        assert {one.parent, one.provider.partition("::")[0], *one.dependencies} - {""} <= seen
        seen.add(one.urn)
