"""What compose.yaml promises, read from its text; that all comes up and answers was tried with Docker."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

APP = Path(__file__).parent.parent
TEXT = (APP / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STORES = {"postgres", "redis"}
OURS = {"migrate", "api", "worker", "frontend"}
ENDS_BY_ITSELF = {"migrate"}
SECRETS = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "JWT_SECRET"}


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for key, entry in value.items() for text in (str(key), *strings(entry))]
    if isinstance(value, list):
        return [text for entry in value for text in strings(entry)]
    return [str(value)]


def test_it_is_a_file_of_compose_v2() -> None:
    assert "version" not in COMPOSE
    assert set(SERVICES) == STORES | OURS
    assert not [
        name for name, service in SERVICES.items() if "container_name" in service or "links" in service
    ]


def test_the_profiles_start_the_application_and_the_worker_and_the_stores_are_always_there() -> None:
    profiles = {name: set(service.get("profiles", [])) for name, service in SERVICES.items()}
    assert profiles == {
        "postgres": set(), "redis": set(),
        "migrate": {"app", "worker"}, "api": {"app"}, "frontend": {"app"}, "worker": {"worker"},
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_that_runs_on_has_a_health_check_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    if name in ENDS_BY_ITSELF:
        assert service["healthcheck"] == {"disable": True}
        assert service["restart"] == "no"
    else:
        assert set(service["healthcheck"]) == {"test", "interval", "timeout", "retries", "start_period"}
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert service["restart"] == "unless-stopped"


def test_migrations_come_before_whoever_needs_the_tables() -> None:
    for name in ("api", "worker"):
        assert SERVICES[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
        }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["frontend"]["depends_on"] == {"api": {"condition": "service_healthy"}}


def test_data_is_in_named_volumes_and_nothing_of_this_machine_is_mounted() -> None:
    mounts = [mount for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert mounts == ["postgres_data:/var/lib/postgresql/data", "redis_data:/data"]
    assert set(COMPOSE["volumes"]) == {"postgres_data", "redis_data"}


def test_the_stores_are_of_the_major_versions_of_the_stacks() -> None:
    versions = (APP.parent / "facts" / "versions.py").read_text()
    majors = dict(re.findall(r'^(POSTGRES|REDIS)_MAJOR = "(\d+)"$', versions, re.M))
    assert SERVICES["postgres"]["image"] == f"postgres:{majors['POSTGRES']}-alpine"
    assert SERVICES["redis"]["image"] == f"redis:{majors['REDIS']}-alpine"


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z]+_PORT:-\d+\}:\d+", port) for port in ports)
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


def test_no_secret_is_written_down_and_a_missing_one_is_named_with_the_remedy() -> None:
    uses = re.findall(r"\$\{((?:\w+_)?(?:PASSWORD|SECRET|TOKEN|KEY))([^}]*)\}", TEXT)
    assert {name for name, _rest in uses} == SECRETS
    assert {rest for _name, rest in uses} == {":?run `make compose-env` in app/, which writes one"}
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|AUTH|DSN", variable):
                assert value is None or re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), f"{name}: {variable}"
    assert not [text for text in strings(COMPOSE) if re.search(r"://[^/@]*:(?!\$\{)[^/@]+@", text)]


def test_redis_asks_for_a_password_keeps_what_it_was_told_and_stays_below_its_memory() -> None:
    redis = SERVICES["redis"]
    script = redis["command"][-1]
    assert {"requirepass $$REDISCLI_AUTH", "appendonly yes", "maxmemory-policy volatile-lru"} <= set(
        script.splitlines()
    )
    megabytes = int(re.findall(r"^maxmemory (\d+)mb$", script, re.M)[0])
    assert megabytes * 4 / 3 < int(redis["deploy"]["resources"]["limits"]["memory"].removesuffix("M"))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_can_write_its_root_or_gain_rights_or_take_all_of_the_machine(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    if name in OURS:
        assert service["tmpfs"] == ["/tmp"]
    else:
        assert service["user"] == name


def test_one_image_serves_all_of_our_processes() -> None:
    assert len({SERVICES[name]["image"] for name in OURS}) == 1
    for name in OURS:
        assert SERVICES[name]["build"]["target"] == "production"
        assert SERVICES[name]["build"]["args"]["PYTHON"] == "${PYTHON:-3.12}"


def test_our_processes_get_as_long_to_end_as_a_pod() -> None:
    assert {SERVICES[name]["stop_grace_period"] for name in OURS} == {"45s"}


def environment_file(folder: Path) -> dict[str, str]:
    (folder / "Makefile").write_text((APP / "Makefile").read_text())
    subprocess.run(["make", "--silent", "compose-env"], cwd=folder, check=True)
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line)


def test_the_written_passwords_are_long_random_and_only_for_their_owner(tmp_path: Path) -> None:
    values = environment_file(tmp_path)
    assert set(values) == SECRETS
    assert len(set(values.values())) == len(SECRETS)
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in values.values())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_a_password_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=9000\nREDIS_PASSWORD=chosen")
    values = environment_file(tmp_path)
    assert values["REDIS_PASSWORD"] == "chosen"
    assert values["API_PORT"] == "9000"
    assert set(values) == {*SECRETS, "API_PORT"}


def test_the_file_with_the_passwords_is_ignored_by_git_and_by_the_image() -> None:
    assert ".env" in (APP.parent / ".gitignore").read_text().splitlines()
    assert ".env*" in (APP / ".dockerignore").read_text().splitlines()
