"""The base of every component: what each of them is told of its surroundings."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.shared.names import labels, selector


@dataclass(frozen=True)
class Surroundings:
    """Where a component stands.

    Attributes:
        app: the name of the application.
        environment: local, dev, staging or prod.
        namespace: the Kubernetes namespace, as an output of its object, so that everything in it waits for it.
        name_key: random bytes of the stack, in hexadecimal, that key the names of Secrets.
    """

    app: str
    environment: str
    namespace: pulumi.Input[str]
    name_key: pulumi.Input[str]

    def metadata(
        self,
        part: str,
        name: pulumi.Input[str] | None = None,
        *,
        annotations: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> kubernetes.meta.v1.ObjectMetaArgs:
        """Return the metadata of a namespaced object of a part.

        Args:
            part: the part that the object belongs to.
            name: the object's name; the part's where it is left out.
            annotations: annotations of the object.
        """
        return kubernetes.meta.v1.ObjectMetaArgs(
            name=name if name is not None else part,
            namespace=self.namespace,
            labels=self.labels(part),
            annotations=annotations,
        )

    def labels(self, part: str) -> dict[str, str]:
        """Return the labels of every object of a part."""
        return labels(app=self.app, part=part, environment=self.environment)

    def selector(self, part: str) -> dict[str, str]:
        """Return the labels that select the pods of a part."""
        return selector(app=self.app, part=part)
