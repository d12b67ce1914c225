"""What a record shows to be wrong or doubtful, beside what the program itself said.

Each check is a function from a record to warnings; a warning says where, what, and what it would cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from slipway.offline.kubernetes import containers, kind_of, name_of, namespace_of
from slipway.offline.model import Record

type Check = Callable[[Record], Iterator[str]]


def resources_without_a_provider(record: Record) -> Iterator[str]:
    """Default providers are switched off, so that nothing is read from the environment."""
    for one in record.registrations:
        if one.custom and not one.is_provider and not one.provider:
            yield f"{one.name} ({one.type}) has no explicit provider. `up` would refuse it."


def images_that_may_change(record: Record) -> Iterator[str]:
    """An image without tag, or `latest`, is another one tomorrow."""
    for one in record.registrations:
        for container in containers(one):
            image = container.get("image")
            if isinstance(image, str) and "@" not in image:
                tag = image.rpartition("/")[2].partition(":")[2]
                if tag in ("", "latest"):
                    yield (
                        f"{kind_of(one)} {name_of(one)}: image {image} may change under its name. "
                        "Name a version or a digest."
                    )


def containers_without_limits(record: Record) -> Iterator[str]:
    """Without a memory limit one pod can take a node down; without requests nothing is scheduled well."""
    for one in record.registrations:
        for container in containers(one):
            resources = container.get("resources")
            sides = resources if isinstance(resources, dict) else {}
            limits, requests = sides.get("limits"), sides.get("requests")
            if not (isinstance(limits, dict) and "memory" in limits and isinstance(requests, dict)):
                yield (
                    f"{kind_of(one)} {name_of(one)}: container {container.get('name')} has no requests or no "
                    "memory limit. One pod could take the memory of its node."
                )


def objects_in_the_default_namespace(record: Record) -> Iterator[str]:
    """Nothing of a stack belongs where quota and network policy don't reach."""
    for one in record.registrations:
        if one.type.startswith("kubernetes:") and namespace_of(one) == "default":
            yield f"{kind_of(one)} {name_of(one)} is in the namespace `default`, without quota and policies."


CHECKS: tuple[Check, ...] = (
    resources_without_a_provider,
    images_that_may_change,
    containers_without_limits,
    objects_in_the_default_namespace,
)


def warnings(record: Record) -> tuple[str, ...]:
    """The program's warnings and errors, then those of all checks, each once."""
    said = [
        line.message if not line.urn else f"{line.urn.rsplit('::', 1)[1]}: {line.message}"
        for line in record.log
        if line.severity != "info"
    ]
    found = [text for check in CHECKS for text in check(record)]
    return tuple(dict.fromkeys((*said, *found)))
