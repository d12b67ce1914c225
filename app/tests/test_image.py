"""What the Dockerfile promises; that the image runs is shown in the cluster tier."""

import re
import tomllib
from pathlib import Path

APP = Path(__file__).parent.parent
DOCKERFILE = (APP / "Dockerfile").read_text()
PRODUCTION = DOCKERFILE.split(" AS production", 1)[1]


def test_the_default_python_is_3_12_slim_in_every_stage() -> None:
    assert re.findall(r"^ARG PYTHON=(.*)$", DOCKERFILE, re.M) == ["3.12"]
    stages = re.findall(r"^FROM (\S+) AS (\w+)$", DOCKERFILE, re.M)
    assert stages == [("python:${PYTHON}-slim", "build"), ("python:${PYTHON}-slim", "production")]


def test_the_user_is_a_number_and_not_root() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.M) == ["1000:1000"]


def test_packages_are_installed_before_the_source_is_copied() -> None:
    install = DOCKERFILE.index("-r requirements.txt")
    assert DOCKERFILE.index("COPY requirements.txt") < install < DOCKERFILE.index("COPY slipway_app")


def test_production_runs_no_installer_and_carries_labels_and_a_health_check() -> None:
    assert not re.search(r"^RUN", PRODUCTION, re.M)
    assert "org.opencontainers.image.title" in PRODUCTION
    assert re.search(r"^HEALTHCHECK", PRODUCTION, re.M)
    assert not re.search(r"^MAINTAINER", DOCKERFILE, re.M)


def test_every_requirement_is_pinned_by_hash_and_equal_to_the_lock_file() -> None:
    packages = tomllib.loads((APP / "uv.lock").read_text())["package"]
    locked = {package["name"]: package["version"] for package in packages if "version" in package}
    blocks = re.split(r"\n(?=\S)", (APP / "requirements.txt").read_text().strip())
    for block in blocks:
        name, version = re.match(r"([a-z0-9-]+)==(\S+)", block).groups()  # type: ignore[union-attr]
        assert locked[name] == version
        assert "--hash=sha256:" in block
    assert not {"pytest", "ruff", "pyright", "httpx"} & {block.split("==")[0] for block in blocks}
