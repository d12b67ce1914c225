"""The docker provider's Image on a real daemon: `docker build`, then a command that loads it.

A cluster without a registry gets its images by SLIPWAY_IMAGE_LOAD, a command which takes the
image's name (`kind load docker-image`, for instance).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess

from tests.engine.plugins.docker import DockerPackage
from tests.engine.plugins.package import ProviderError, Request
from tests.engine.plugins.values import Object, child, is_object, text

LOAD = "SLIPWAY_IMAGE_LOAD"
"""Environment variable: a command; the image's name is appended to it."""

BINARY = "SLIPWAY_DOCKER"
"""Environment variable: the docker client, if it is not the first one on PATH."""


def docker_client() -> str:
    """The first docker on PATH that can build with BuildKit.

    Clients from version 23 on want the buildx plugin for that, which not every machine has.
    """
    if named := os.environ.get(BINARY):
        return named
    folders = os.environ.get("PATH", "").split(os.pathsep)
    candidates = [found for folder in folders if (found := shutil.which("docker", path=folder))]
    for candidate in candidates:
        version = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        number = re.search(r"version (\d+)", version.stdout)
        if number and int(number[1]) < 23:
            return candidate
        if subprocess.run([candidate, "buildx", "version"], capture_output=True, check=False).returncode == 0:
            return candidate
    raise ProviderError("there is no docker client on PATH that builds with BuildKit")


class LiveDockerPackage(DockerPackage):
    """Images, built for real."""

    _host = ""

    def configure(self, inputs: Object) -> None:
        self._host = text(inputs.get("host"))

    def build(self, request: Request) -> Object:
        inputs = request.inputs
        name = text(inputs.get("imageName"))
        command = ["build", "--tag", name, "--file", text(child(inputs, "build", "dockerfile"))]
        for flag, key in (("--target", "target"), ("--platform", "platform")):
            if value := text(child(inputs, "build", key)):
                command += [flag, value]
        args = child(inputs, "build", "args")
        for key, value in sorted(args.items()) if is_object(args) else ():
            command += ["--build-arg", f"{key}={value}"]
        self._docker(request, *command, text(child(inputs, "build", "context")))
        if load := os.environ.get(LOAD):
            self._run(request, [*shlex.split(load), name])
        if not inputs.get("skipPush"):
            self._docker(request, "push", name)
            pushed = self._docker(request, "inspect", "--format", "{{index .RepoDigests 0}}", name).strip()
            return self.outputs(request, pushed.rsplit("@", 1)[-1])
        return self.outputs(request, self._docker(request, "inspect", "--format", "{{.Id}}", name).strip())

    def _docker(self, request: Request, *arguments: str) -> str:
        host = ["--host", self._host] if self._host else []
        return self._run(request, [docker_client(), *host, *arguments])

    def _run(self, request: Request, command: list[str]) -> str:
        """Run a command; its output goes to the user where it fails."""
        environment = {**os.environ, "DOCKER_BUILDKIT": os.environ.get("DOCKER_BUILDKIT", "1")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
            raise ProviderError(f"{request.name}: {shlex.join(command[:2])} failed:\n{tail}")
        return done.stdout
