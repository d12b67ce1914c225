"""The docker provider's Image, without a daemon.

As the real one: the build context's hash is added to the inputs, every change is an update in
place, deleting removes nothing, and secrets among the inputs are not kept secret.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from tests.engine.plugins.package import Difference, Package, ProviderError, Request, changed_paths
from tests.engine.plugins.values import UNKNOWN, Object, child, has_unknown, is_object, plain_object, text

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
IMAGE = "docker:index/image:Image"


def _ignored(context: Path) -> Callable[[str], bool]:
    """The rule of the context's `.dockerignore`: later lines win, `!` takes a path back in."""
    file = context / ".dockerignore"
    lines = [line.strip() for line in file.read_text().splitlines()] if file.exists() else []
    rules = [line for line in lines if line and not line.startswith("#")]

    def ignored(path: str) -> bool:
        verdict = False
        for rule in rules:
            pattern = rule.removeprefix("!").strip("/")
            # `**/x` matches x at any depth, the top included.
            patterns = (pattern, pattern.removeprefix("**/")) if pattern.startswith("**/") else (pattern,)
            if any(fnmatchcase(path, p) or fnmatchcase(path, f"{p}/*") for p in patterns):
                verdict = not rule.startswith("!")
        return verdict

    return ignored


def _files(context: Path) -> Iterator[Path]:
    ignored = _ignored(context)
    for folder, folders, names in os.walk(context):
        here = Path(folder).relative_to(context)
        folders[:] = [name for name in sorted(folders) if not ignored((here / name).as_posix())]
        for name in sorted(names):
            if not ignored((here / name).as_posix()):
                yield Path(folder) / name


def context_digest(context: Path, dockerfile: Path) -> str:
    """A hash over the names, modes and contents of what a build sees."""
    digest = hashlib.sha256(dockerfile.read_bytes())
    for file in _files(context):
        digest.update(str(file.relative_to(context)).encode())
        digest.update(f"{file.stat().st_mode:o}".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


class DockerPackage(Package):
    """Images; only `docker:index/image:Image` is known."""

    name = "docker"

    def check(self, request: Request) -> Object:
        if request.token != IMAGE:
            raise ProviderError(f"the simulated docker provider has no {request.token}")
        inputs = plain_object(request.inputs)
        given = inputs.get("build")
        build = dict(given) if is_object(given) else {}
        build.setdefault("context", ".")
        context = text(build["context"])
        build.setdefault("dockerfile", str(Path(context) / "Dockerfile"))
        machine = platform.machine()
        build.setdefault("platform", f"linux/{_ARCHITECTURES.get(machine, machine)}")
        dockerfile = text(build["dockerfile"])
        if UNKNOWN not in (context, dockerfile):
            if not Path(dockerfile).is_file():
                raise ProviderError(f'could not open dockerfile at relative path "{dockerfile}"')
            build["contextDigest"] = context_digest(Path(context), Path(dockerfile))
        return {"buildOnPreview": False, **inputs, "build": build}

    def diff(self, request: Request) -> Difference:
        # The real one reports top-level properties only.
        return Difference(
            {str(path[0]): "update" for path, _ in changed_paths(request.old_inputs, request.inputs)}
        )

    def create(self, request: Request) -> tuple[str, Object]:
        if request.preview or has_unknown(request.inputs):
            return "", request.inputs
        outputs = self.build(request)
        self.linger(request, 30)
        return text(request.inputs.get("imageName")), outputs

    def update(self, request: Request) -> Object:
        return request.inputs if request.preview else self.build(request)

    def build(self, request: Request) -> Object:
        """Build (and push, unless `skipPush`) the image; returns the outputs."""
        digest = hashlib.sha256(repr(sorted(request.inputs.items())).encode()).hexdigest()
        return self.outputs(request, f"sha256:{digest}")

    @staticmethod
    def outputs(request: Request, digest: str) -> Object:
        """The outputs for an image with that id (not pushed) or that digest (pushed)."""
        inputs = request.inputs
        name = text(inputs.get("imageName"))
        repository = name.rsplit(":", 1)[0] if ":" in name.rsplit("/", 1)[-1] else name
        pushed = not inputs.get("skipPush")
        return {
            **inputs,
            "baseImageName": name,
            "context": child(inputs, "build", "context"),
            "dockerfile": child(inputs, "build", "dockerfile"),
            "platform": child(inputs, "build", "platform"),
            "registryServer": text(child(inputs, "registry", "server")),
            "repoDigest": f"{repository}@{digest}" if pushed else digest,
        }
