"""Every tool that is missing is named at once, with what to do, before anything is touched."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from facts.versions import PULUMI_OLDEST, PULUMI_VERSION
from slipway.operate.machine import Done, OperateError
from slipway.operate.tools import Needs, ToolsMissingError, find_tools, install_pulumi
from tests.support.machine import FakeMachine

PRIVATE = Path("/project/.slipway")
OWN = "/project/.slipway/bin/pulumi"
SOCKET = "unix:///var/run/docker.sock"
EVERYTHING = Needs(docker_hosts=(SOCKET,), kind=True)


def machine(*programs: str, version: str = "v3.259.0", **environment: str) -> FakeMachine:
    answers = {"pulumi version": version, "docker --host": "28.2.2\n"}
    return FakeMachine(programs, dict(answers), environment)


def test_all_missing_tools_are_named_at_once_each_with_a_remedy() -> None:
    with pytest.raises(ToolsMissingError) as caught:
        find_tools(machine(), PRIVATE, EVERYTHING)

    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines] == ["pulumi", "kubectl", "kind", "docker"]
    assert all("https://" in line for line in lines)


def test_what_is_there_is_found_by_its_path() -> None:
    found = find_tools(machine("pulumi", "kubectl", "docker", "kind"), PRIVATE, EVERYTHING)
    assert (found.pulumi, found.pulumi_version) == ("/bin/pulumi", "3.259.0")
    assert (found.kubectl, found.docker, found.kind) == ("/bin/kubectl", "/bin/docker", "/bin/kind")


def test_what_is_not_needed_is_not_missed() -> None:
    found = find_tools(machine("pulumi"), PRIVATE, Needs(kubectl=False))
    assert (found.kubectl, found.docker, found.kind) == ("", "", "")


def test_a_docker_daemon_that_does_not_answer_is_named_with_its_address() -> None:
    silent = machine("pulumi", "kubectl", "docker")
    silent.answers["docker --host"] = Done(1, error="Cannot connect to the Docker daemon")
    with pytest.raises(
        ToolsMissingError, match=f"daemon at {SOCKET} does not answer .*slipway:image.dockerHost"
    ):
        find_tools(silent, PRIVATE, Needs(docker_hosts=(SOCKET,)))


@pytest.mark.parametrize("version", ["v3.207.9", "3.9.0", "nonsense", ""])
def test_a_pulumi_that_is_too_old_is_refused_or_replaced(version: str) -> None:
    old = machine("pulumi", version=version)
    with pytest.raises(ToolsMissingError, match=rf"\(/bin/pulumi\) is older than {PULUMI_OLDEST}"):
        find_tools(old, PRIVATE, Needs(kubectl=False))
    assert find_tools(old, PRIVATE, Needs(kubectl=False, install=True)).pulumi == ""


def test_the_oldest_pulumi_that_serves_is_accepted() -> None:
    assert find_tools(machine("pulumi", version=f"v{PULUMI_OLDEST}"), PRIVATE, Needs(kubectl=False)).pulumi


def test_an_installed_pulumi_is_used_where_the_one_on_path_is_too_old_or_missing() -> None:
    both = machine("pulumi", OWN)
    both.answers = {f"{OWN} version": "v3.272.0", "/bin/pulumi version": "v3.9.0"}
    for found in (both, machine(OWN)):
        assert find_tools(found, PRIVATE, Needs(kubectl=False)).pulumi == OWN


def test_a_pulumi_that_is_named_but_not_there_is_an_error_even_if_it_could_be_installed() -> None:
    named = machine("pulumi", SLIPWAY_PULUMI="/opt/pulumi")
    with pytest.raises(ToolsMissingError, match="SLIPWAY_PULUMI names /opt/pulumi, which is not found"):
        find_tools(named, PRIVATE, Needs(kubectl=False, install=True))


def test_the_pinned_pulumi_is_installed_into_the_private_folder() -> None:
    calls: list[tuple[str, str]] = []
    path, version = install_pulumi(PRIVATE, lambda root, wanted: calls.append((root, wanted)))
    assert calls == [(str(PRIVATE), PULUMI_VERSION)]
    assert (path, version) == (OWN, PULUMI_VERSION)


def test_an_installation_that_fails_says_what_to_do_instead() -> None:
    def fail(root: str, wanted: str) -> None:
        raise OSError(f"no network for {wanted} in {root}")

    with pytest.raises(
        OperateError, match="could not be installed .*no network.* Nothing was created. Install"
    ):
        install_pulumi(PRIVATE, fail)


def test_the_sdks_own_installer_gets_folder_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from pulumi.automation import PulumiCommand

    calls: list[dict[str, object]] = []
    monkeypatch.setattr(PulumiCommand, "install", lambda **given: calls.append(given))
    install_pulumi(PRIVATE)
    assert [(call["root"], str(call["version"])) for call in calls] == [(str(PRIVATE), PULUMI_VERSION)]


def test_the_pinned_cli_is_the_version_of_the_sdk() -> None:
    assert importlib.metadata.version("pulumi") == PULUMI_VERSION
