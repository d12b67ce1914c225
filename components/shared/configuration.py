"""Immutable configuration, named by its content: a change makes a new object and rolls exactly what uses it."""

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes

from components.shared.component import Surroundings
from components.shared.names import content_name, content_name_output, secret_content_name


def config_map(
    surroundings: Surroundings, part: str, base: str, data: Mapping[str, str], *, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Create an immutable ConfigMap and return its name.

    Args:
        surroundings: where the part stands.
        part: the part that it belongs to.
        base: its name without the hash, which is also the resource's name.
        data: its content, known when the program runs.
        parent: the component that it belongs to.
    """
    return _config_map(surroundings, part, base, content_name(base, data), data, parent)


def config_map_of_outputs(
    surroundings: Surroundings,
    part: str,
    base: str,
    data: Mapping[str, pulumi.Input[str]],
    *,
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    """Create an immutable ConfigMap whose content other resources give, and return its name; see `config_map`."""
    return _config_map(surroundings, part, base, content_name_output(base, data), data, parent)


def _config_map(
    surroundings: Surroundings,
    part: str,
    base: str,
    name: pulumi.Input[str],
    data: Mapping[str, pulumi.Input[str]],
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    created = kubernetes.core.v1.ConfigMap(
        base,
        metadata=surroundings.metadata(part, name),
        data=dict(data),
        immutable=True,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return created.metadata.apply(lambda metadata: metadata.name or base)


def secret(
    surroundings: Surroundings,
    part: str,
    base: str,
    data: Mapping[str, pulumi.Input[str]],
    *,
    parent: pulumi.Resource,
) -> pulumi.Output[str]:
    """Create an immutable Secret and return its name, which is no secret and tells nothing of the content.

    Args:
        surroundings: where the part stands, and the key that its name is made with.
        part: the part that it belongs to.
        base: its name without the hash, which is also the resource's name.
        data: its content; every value is made a secret here.
        parent: the component that it belongs to.
    """
    created = kubernetes.core.v1.Secret(
        base,
        metadata=surroundings.metadata(part, secret_content_name(base, surroundings.name_key, data)),
        string_data={key: pulumi.Output.secret(value) for key, value in data.items()},
        type="Opaque",
        immutable=True,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return created.metadata.apply(lambda metadata: metadata.name or base)
