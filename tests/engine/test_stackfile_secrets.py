"""`slipway secrets set` with Pulumi's own encryption: the engine decrypts the value, and no other line has changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.config.stackfile import read_stack_file
from tests.support.tools import require_tool

VALUE = "hunter2-hunter2-hunter2"
STACK = """\
config:
    # an odd indentation and a number in base 16 stay as they are
    slipway:environment: dev   # so does this
    slipway:aws: { n: 0x1f }
    slipway:secrets:
        apiKey: { config: anthropicApiKey }
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stack `dev` is in a backend of its own."""
    binary = require_tool("pulumi", variable="SLIPWAY_PULUMI", why="encrypt a value")
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n")
    monkeypatch.setenv("SLIPWAY_PULUMI", binary)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "state").as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the tests")
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    pulumi(tmp_path, "stack", "init", "dev")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK)
    return tmp_path


def pulumi(folder: Path, *arguments: str) -> str:
    command = [os.environ["SLIPWAY_PULUMI"], *arguments, "--non-interactive"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def slipway(folder: Path, *arguments: str, value: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from slipway.cli.main import main; main()",
        *arguments,
        "-C",
        str(folder),
    ]
    return subprocess.run(command, input=value, capture_output=True, text=True, check=False)


def test_the_engine_decrypts_what_was_set_and_other_lines_stay(project: Path) -> None:
    run = slipway(project, "secrets", "set", "apiKey", value=VALUE)
    assert run.returncode == 0, run.stderr
    path = project / "Pulumi.dev.yaml"
    assert pulumi(project, "config", "get", "secrets:anthropicApiKey", "--stack", "dev").strip() == VALUE
    assert [line for line in STACK.splitlines() if line not in path.read_text().splitlines()] == []
    assert VALUE not in path.read_text() + run.stdout + run.stderr
    assert read_stack_file(path).secret_keys == {"secrets:anthropicApiKey"}


def test_a_second_value_replaces_the_first_under_the_same_salt(project: Path) -> None:
    slipway(project, "secrets", "set", "apiKey", value="first")
    before = (project / "Pulumi.dev.yaml").read_text().splitlines()
    assert slipway(project, "secrets", "set", "apiKey", value=VALUE).returncode == 0
    after = (project / "Pulumi.dev.yaml").read_text().splitlines()
    assert len([line for line in after if line not in before]) == 1
    assert pulumi(project, "config", "get", "secrets:anthropicApiKey", "--stack", "dev").strip() == VALUE


def test_a_wrong_passphrase_changes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slipway(project, "secrets", "set", "apiKey", value="first")
    before = (project / "Pulumi.dev.yaml").read_text()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    run = slipway(project, "secrets", "set", "apiKey", value=VALUE)
    assert run.returncode == 2
    assert "PULUMI_CONFIG_PASSPHRASE" in run.stderr
    assert (project / "Pulumi.dev.yaml").read_text() == before
