"""What a build needs on disk: looked for before anything is made, so that no stack stops half way for a wrong path."""

from collections.abc import Iterator
from pathlib import Path

from components.image.section import BuildImage, ImageSection
from stacks.rules import KeyPath, Violation
from stacks.settings import Settings


def missing_build_contexts(settings: Settings, project: Path) -> list[Violation]:
    """Return every build that lacks its folder or its Dockerfile.

    Args:
        settings: the stack.
        project: the folder that paths of the stack file start from.
    """
    return [
        Violation(
            (*path, missing),
            f"no such {'folder' if missing == 'context' else 'file'}",
            "There would be nothing to build the image from.",
            "Write a folder relative to that of Pulumi.yaml, and the path of its Dockerfile in it.",
        )
        for path, image in _images(settings)
        if isinstance(image, BuildImage) and (missing := _missing(image, project)) is not None
    ]


def _images(settings: Settings) -> Iterator[tuple[KeyPath, ImageSection]]:
    """Yield the keys and the section of every image that a service runs."""
    if any(service.image is None for service in settings.services.values()):
        yield ("image",), settings.image
    for name, service in settings.services.items():
        if service.image is not None:
            yield ("services", name, "image"), service.image


def _missing(image: BuildImage, project: Path) -> str | None:
    context = project / image.context
    if not context.is_dir():
        return "context"
    return None if (context / image.dockerfile).is_file() else "dockerfile"
