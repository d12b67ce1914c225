"""What the Dockerfile promises, read from its text; that its programs run is shown by the build itself."""

import re
import tomllib
from pathlib import Path

from slipway_toolbox.versions import CLIENT_PROGRAMS, POSTGRES_MAJOR

TOOLBOX = Path(__file__).parent.parent
DOCKERFILE = (TOOLBOX / "Dockerfile").read_text()
CODE = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M).replace("\\\n", "")
STAGES = {
    match[2]: match[3] for match in re.finditer(r"^FROM (\S+) AS (\w+)$(.*?)(?=^FROM|\Z)", CODE, re.M | re.S)
}


def test_client_programs_and_python_come_from_the_official_images() -> None:
    assert dict(re.findall(r"^ARG (PYTHON|POSTGRES)=(.*)$", CODE, re.M)) == {
        "PYTHON": "3.12",
        "POSTGRES": str(POSTGRES_MAJOR),
    }
    assert re.findall(r"^FROM (\S+) AS (\w+)$", CODE, re.M) == [
        ("postgres:${POSTGRES}", "client"),
        ("python:${PYTHON}-slim", "packages"),
        ("packages", "source"),
        ("python:${PYTHON}-slim", "production"),
    ]


def test_the_major_version_is_that_of_the_stacks_servers() -> None:
    versions = (TOOLBOX.parent / "facts" / "versions.py").read_text()
    assert re.findall(r'^POSTGRES_MAJOR = "(\d+)"$', versions, re.M) == [str(POSTGRES_MAJOR)]


def test_every_client_program_is_copied_and_tried_while_building() -> None:
    assert f"for name in {' '.join(CLIENT_PROGRAMS)}; do" in STAGES["client"]
    tried = re.findall(r"(\w+) --version", STAGES["packages"])
    assert tuple(tried) == CLIENT_PROGRAMS


def test_the_user_is_a_number_and_not_root() -> None:
    assert re.findall(r"^USER (.*)$", STAGES["production"], re.M) == ["1000:1000"]


def test_production_runs_no_installer_and_carries_labels() -> None:
    production = STAGES["production"]
    assert [run.split(" && ")[0].strip() for run in re.findall(r"^RUN (.*)$", production, re.M)] == [
        "python -B -m pip uninstall --quiet --yes --root-user-action ignore pip"
    ]
    assert not re.search(r"\b(install|apt-get|apk)\b", production)
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in production


def test_packages_are_installed_before_the_source_is_copied() -> None:
    copied = re.findall(r"^COPY --from=(\w+) (\S+)", STAGES["production"], re.M)
    assert copied == [("packages", "/opt/postgresql"), ("packages", "/opt/venv"), ("source", "/toolbox")]


def test_neither_a_registry_nor_an_index_is_named() -> None:
    assert "://" not in DOCKERFILE
    assert "://" not in (TOOLBOX / "requirements.txt").read_text()


def test_every_requirement_is_pinned_by_hash_and_equal_to_the_lock_file() -> None:
    packages = tomllib.loads((TOOLBOX / "uv.lock").read_text())["package"]
    locked = {package["name"]: package["version"] for package in packages if "version" in package}
    blocks = re.split(r"\n(?=\S)", (TOOLBOX / "requirements.txt").read_text().strip())
    for block in blocks:
        found = re.match(r"([a-z0-9-]+)==(\S+)", block)
        assert found is not None
        assert locked[found[1]] == found[2]
        assert "--hash=sha256:" in block
    assert not {"pytest", "ruff", "pyright", "moto"} & {block.split("==")[0] for block in blocks}
