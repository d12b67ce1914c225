"""What a stack keeps on this machine is readable by its owner alone, and the tracked stack file stays as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slipway.operate import home as home_module
from slipway.operate.home import Choice, Home, shell_exports, with_values, write_private
from slipway.operate.machine import OperateError
from stacks.config.stackfile import read_stack_file

STACK_FILE = """\
# ours
config:
  slipway:environment: local   # here
  slipway:cluster: { kind: existing, context: "kind-slipway" }
  slipway:count: 0o17
  slipway:on: on
  slipway:long: %s
  secrets:token:
    secure: v1:abc=
encryptionsalt: v1:def=
""" % ("word " * 40)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "Pulumi.local.yaml").write_text(STACK_FILE)
    return Home(tmp_path, "local")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folders_and_passphrase_are_closed_to_everybody_else(home: Home) -> None:
    home.root.mkdir(mode=0o755)
    home.prepare()
    assert [mode(folder) for folder in (home.root, home.state, home.folder)] == [0o700] * 3
    assert mode(home.passphrase) == 0o600


def test_the_passphrase_is_made_once_and_is_long(home: Home) -> None:
    home.prepare()
    first = home.passphrase.read_text()
    home.prepare()
    assert home.passphrase.read_text() == first
    assert len(first.strip()) >= 40


def test_a_passphrase_that_is_gone_is_never_replaced_while_there_is_a_state(home: Home) -> None:
    home.prepare()
    (home.state / ".pulumi" / "stacks" / "slipway").mkdir(parents=True)
    (home.state / ".pulumi" / "stacks" / "slipway" / "local.json").touch()
    home.passphrase.unlink()
    with pytest.raises(OperateError, match="passphrase is gone[^$]*delete the stack's namespace"):
        home.prepare()
    assert not home.passphrase.exists()


def test_the_engine_gets_a_copy_in_which_the_choice_stands(home: Home) -> None:
    home.prepare()
    home.copy_stack_file({"slipway:cluster": '{"kind": "existing", "context": "mine"}'})
    copied, tracked = read_stack_file(home.stack_file), read_stack_file(home.tracked_file)
    chosen = {"slipway:cluster": '{"kind": "existing", "context": "mine"}'}
    assert copied.config == {**tracked.config, **chosen}
    assert copied.secret_keys == tracked.secret_keys
    assert "encryptionsalt: v1:def=" in home.stack_file.read_text()
    assert mode(home.stack_file) == 0o600
    assert home.tracked_file.read_text() == STACK_FILE


def test_without_a_choice_the_copy_is_the_file() -> None:
    assert with_values(STACK_FILE, {}) == STACK_FILE


def test_every_variable_leads_into_the_private_folder(home: Home) -> None:
    found = home.variables()
    assert found["PULUMI_BACKEND_URL"] == f"file://{home.root}/state"
    assert found["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(home.passphrase)
    assert found["PULUMI_OPTION_CONFIG_FILE"] == str(home.stack_file)
    assert found["PULUMI_STACK"] == "local"


def test_a_choice_is_remembered_until_it_is_forgotten(home: Home) -> None:
    home.prepare()
    assert home.choice() is None
    chosen = Choice("kind-slipway", "/k", "localhost:5001", "slipway")
    home.keep(chosen)
    assert home.choice() == chosen
    home.keep(None)
    assert home.choice() is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"context": "a"}', '{"context": "a", "kubeconfig": "b", "more": 1}']
)
def test_a_choice_that_cannot_be_read_is_none(home: Home, text: str) -> None:
    home.prepare()
    (home.folder / "choice.json").write_text(text)
    assert home.choice() is None


def test_a_private_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: str, target: Path) -> None:
        raise OSError(f"{source} -> {target}")

    monkeypatch.setattr(home_module.os, "replace", fail)
    with pytest.raises(OSError, match="passphrase"):
        write_private(tmp_path / "passphrase", "text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ['eval "$(cat {0})"', "eval $(cat {0})"], ids=["quoted", "as documented"])
def test_a_shell_can_evaluate_what_is_printed(tmp_path: Path, form: str) -> None:
    value = "/a b/$HOME'`x`"
    lines = tmp_path / "lines"
    lines.write_text(shell_exports({"ONE": value, "TWO": "2"}, unset=("PULUMI_CONFIG_PASSPHRASE",)))
    script = f'{form.format(lines)}; printf "%s|%s|%s" "$ONE" "$TWO" "${{PULUMI_CONFIG_PASSPHRASE-unset}}"'
    environment = {"PULUMI_CONFIG_PASSPHRASE": "x", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{value}|2|unset"
