"""The image of the application as one result, whatever it comes from.

A build's tag is the hash of its context; a release is `repository@digest`. Either way the reference changes exactly
when the content does, and the rest of the program never asks which form it got.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pulumi

from components.image.context import context_identity
from components.image.section import BuildImage, ReleaseImage, is_digest
from components.shared.names import HASH_LENGTH

PullPolicy = Literal["IfNotPresent", "Always"]


@dataclass(frozen=True)
class ImageRef:
    """An image that pods can run.

    Attributes:
        reference: what stands in a pod's `image`.
        identity: a hash, in hexadecimal, that changes with the content; known before anything is built.
        pull_policy: IfNotPresent for content that never changes under its name, Always for a tag that may move.
    """

    reference: pulumi.Output[str]
    identity: str
    pull_policy: PullPolicy


def released_image(section: ReleaseImage, release: str) -> ImageRef:
    """Return the image of a release.

    Args:
        section: the repository.
        release: a digest (`sha256:…`) or a tag.
    """
    reference = f"{section.repository}{'@' if is_digest(release) else ':'}{release}"
    return ImageRef(
        reference=pulumi.Output.from_input(reference),
        identity=hashlib.sha256(reference.encode()).hexdigest(),
        pull_policy="IfNotPresent" if is_digest(release) else "Always",
    )


class BuiltImage(pulumi.ComponentResource):
    """An image built by Docker from the working copy.

    Attributes:
        ref: the image as pods get it.
    """

    ref: ImageRef

    def __init__(
        self,
        name: str,
        section: BuildImage,
        *,
        app: str,
        project: Path,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Build the image.

        Args:
            name: the name of the component, such as `image`.
            section: what is built.
            app: the name of the application; the repository's name where no registry is given.
            project: the folder that the context's path starts from.
            opts: the options of the component.

        Raises:
            FileNotFoundError: when the context's folder or its Dockerfile does not exist.
        """
        super().__init__("slipway:image:BuiltImage", name, None, opts)
        # Imported here: a stack that deploys a release has no Docker daemon, and the SDK takes its time to load.
        import pulumi_docker as docker  # noqa: PLC0415

        context = project / section.context
        recipe = [section.target, section.python, section.platform or ""]
        identity = context_identity(context, dockerfile=section.dockerfile, recipe=recipe)
        repository = section.registry or f"{app}-{name}"
        image_name = f"{repository}:{identity[:HASH_LENGTH]}"
        provider = docker.Provider(
            # A URN holds the types of the parents, not their names: two images must not both have a `docker`.
            f"{name}-docker",
            host=section.docker_host,
            opts=pulumi.ResourceOptions(parent=self),
        )
        image = docker.Image(
            name,
            image_name=image_name,
            build=docker.DockerBuildArgs(
                # Relative, so that the path of a checkout is no part of the state.
                context=section.context,
                dockerfile=str(Path(section.context) / section.dockerfile),
                target=section.target,
                args={"PYTHON": section.python},
                platform=section.platform,
            ),
            skip_push=section.registry is None,
            opts=pulumi.ResourceOptions(parent=self, provider=provider),
        )
        reference = image.image_name if section.registry is None else image.repo_digest
        self.ref = ImageRef(reference=reference, identity=identity, pull_policy="IfNotPresent")
        self.register_outputs({"reference": reference})
