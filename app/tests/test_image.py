"""What the Dockerfile promises, read from its text.

What only a build shows (time, size, layers, what is inside) is held by scripts/check-image; that the image
runs, by the cluster tier.
"""

import re
import tomllib
from pathlib import Path

APP = Path(__file__).parent.parent
DOCKERFILE = (APP / "Dockerfile").read_text()
CODE = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M).replace("\\\n", "")
STAGES = {
    match[2]: match[3] for match in re.finditer(r"^FROM (\S+) AS (\w+)$(.*?)(?=^FROM|\Z)", CODE, re.M | re.S)
}


def test_the_default_python_is_3_12_slim_in_every_stage() -> None:
    assert re.findall(r"^ARG PYTHON=(.*)$", CODE, re.M) == ["3.12"]
    stages = re.findall(r"^FROM (\S+) AS (\w+)$", CODE, re.M)
    assert stages == [
        ("python:${PYTHON}-slim", "packages"),
        ("packages", "source"),
        ("python:${PYTHON}-slim", "production"),
    ]


def test_the_user_is_a_number_and_not_root() -> None:
    assert re.findall(r"^USER (.*)$", CODE, re.M) == ["1000:1000"]


def test_packages_are_installed_before_the_source_is_copied() -> None:
    assert re.findall(r"^COPY (.*)$", STAGES["packages"], re.M) == ["requirements.txt ./"]
    assert "-r requirements.txt" in STAGES["packages"]
    copied = re.findall(r"^COPY --from=(\w+) (\S+)", STAGES["production"], re.M)
    assert copied == [("packages", "/opt/venv"), ("source", "/app")]


def test_what_changes_with_every_release_comes_after_the_packages() -> None:
    production = STAGES["production"]
    packages = production.index("COPY --from=packages")
    assert packages < production.index("COPY --from=source") < production.index("ARG VERSION")
    assert packages < production.index("ARG REVISION")


def test_production_runs_no_installer_and_carries_labels_and_a_health_check() -> None:
    production = STAGES["production"]
    runs = re.findall(r"^RUN (.*)$", production, re.M)
    assert [re.sub(r"\s+", " ", run).split(" && ")[0] for run in runs] == [
        "python -B -m pip uninstall --quiet --yes --root-user-action ignore pip"
    ]
    assert not re.search(r"\b(install|apt-get|apk)\b", production)
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in production
    assert re.search(r"^HEALTHCHECK", production, re.M)
    assert not re.search(r"^MAINTAINER", CODE, re.M)


def test_only_wheels_that_match_their_hash_are_installed() -> None:
    (install,) = re.findall(r"^RUN pip (.*)$", STAGES["packages"], re.M)
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(install.split())


def test_no_package_index_is_named() -> None:
    assert set(re.findall(r"[a-z]+://[^/:]+", DOCKERFILE)) == {"http://127.0.0.1"}
    assert "://" not in (APP / "requirements.txt").read_text()


def test_signals_reach_the_server_itself() -> None:
    (command,) = re.findall(r"^CMD (.*)$", STAGES["production"], re.M)
    assert command.startswith('["gunicorn", ')


def test_neither_secrets_nor_tests_are_sent_to_the_builder() -> None:
    ignored = (APP / ".dockerignore").read_text().splitlines()
    assert {".env*", "tests", ".venv", "load"} <= set(ignored)
    assert not [line for line in ignored if line.startswith("!")]


def test_every_requirement_is_pinned_by_hash_and_equal_to_the_lock_file() -> None:
    packages = tomllib.loads((APP / "uv.lock").read_text())["package"]
    locked = {package["name"]: package["version"] for package in packages if "version" in package}
    blocks = re.split(r"\n(?=\S)", (APP / "requirements.txt").read_text().strip())
    for block in blocks:
        name, version = re.match(r"([a-z0-9-]+)==(\S+)", block).groups()  # type: ignore[union-attr]
        assert locked[name] == version
        assert "--hash=sha256:" in block
    assert not {"pytest", "ruff", "pyright", "aiohttp"} & {block.split("==")[0] for block in blocks}
