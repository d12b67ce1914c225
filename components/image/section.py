"""The section `slipway:image`: where the image of the application comes from."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from components.shared.refusal import refuse
from components.shared.section import Section

PythonVersion = Literal["3.12", "3.13"]
"""The versions of CPython that an image may hold; 3.12 is the default (docs/architecture.md)."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_REPOSITORY = r"^[a-z0-9][a-z0-9._:/-]*[a-z0-9]$"


class BuildImage(Section):
    """Build the image from the working copy with pulumi-docker: for local and dev."""

    kind: Literal["build"]
    context: Annotated[str, StringConstraints(min_length=1)] = Field(
        default="./app", description="Folder of the Docker build context, relative to the project's folder."
    )
    dockerfile: Annotated[str, StringConstraints(min_length=1)] = Field(
        default="Dockerfile", description="Path of the Dockerfile, relative to the context."
    )
    target: Annotated[str, StringConstraints(min_length=1)] = Field(
        default="production", description="Stage of the multi-stage Dockerfile that is deployed."
    )
    python: PythonVersion = Field(
        default="3.12",
        description="Version of CPython in the image: 3.12 or 3.13, handed over as build argument PYTHON.",
    )
    platform: Literal["linux/amd64", "linux/arm64"] | None = Field(
        default=None, description="Platform of the cluster's nodes; the Docker daemon's own where left out."
    )
    registry: Annotated[str, StringConstraints(pattern=_REPOSITORY, max_length=255)] | None = Field(
        default=None,
        description="Registry and repository to push to, such as localhost:5001/app. Without it the image stays in the "
        "local Docker daemon and must be loaded into the cluster.",
    )
    docker_host: Annotated[str, StringConstraints(pattern=r"^(unix|tcp|ssh|npipe)://.+$")] = Field(
        default="unix:///var/run/docker.sock",
        description="Address of the Docker daemon; stated here, so that DOCKER_HOST in a shell changes nothing.",
    )


class ReleaseImage(Section):
    """Deploy an image that CI has built once and that every environment gets by its digest."""

    kind: Literal["release"]
    repository: Annotated[str, StringConstraints(pattern=_REPOSITORY, max_length=255)] = Field(
        description="Registry and repository, such as ghcr.io/acme/alfred, without tag or digest."
    )
    release: "Release | None" = Field(
        default=None,
        description="Digest (sha256:…) or tag of this image where it is not the application's;"
        " `slipway:release` otherwise.",
    )


def _release(value: str) -> str:
    if _DIGEST.fullmatch(value) or _TAG.fullmatch(value):
        return value
    raise refuse(
        "neither a digest nor a tag",
        why="The nodes could not pull such an image.",
        remedy="Write the digest that CI printed (`sha256:` and 64 hex digits), or a tag.",
    )


Release = Annotated[str, AfterValidator(_release)]
"""What is deployed of a repository: a digest, or (outside prod) a tag."""

ImageSection = Annotated[BuildImage | ReleaseImage, Field(discriminator="kind")]


def is_digest(release: str) -> bool:
    """Tell whether a release is named by the digest of its content, and so can never change."""
    return _DIGEST.fullmatch(release) is not None
