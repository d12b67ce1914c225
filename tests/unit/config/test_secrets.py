"""`slipway secrets` sets one value and changes no other line; no value is ever shown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slipway.cli import secret_values, secrets_commands
from slipway.cli.app import CommandError
from slipway.cli.main import app
from slipway.cli.secret_values import SecretError, spliced
from stacks.config.stackfile import read_stack_file
from tests.unit.config.files import write

VALUE = "hunter2-hunter2-hunter2"
STACK = """\
# note at the top
config:
    # an odd indentation stays
    slipway:environment: dev   # so does this
    slipway:app: { name: alfred, owner: "x" }

    slipway:aws:
        accountId: "123456789012"
        n: 0x1f

    # the secrets
    slipway:secrets:
        jwt: { generate: 48 }
        apiKey: { config: anthropicApiKey }
        token: { config: token }
# at the end
"""

PULUMI = """\
import pathlib, sys
arguments = sys.argv[1:]
assert arguments[:3] == ["config", "set", "--secret"], arguments
assert "--non-interactive" in arguments
key, stack = arguments[3], arguments[arguments.index("--stack") + 1]
value = sys.stdin.read()
if stack == "nope":
    sys.exit("error: no stack named 'nope' found")
if stack == "echo":
    sys.exit(f"error: cannot encrypt {value}")
import yaml
path = pathlib.Path(arguments[arguments.index("--config-file") + 1])
document = yaml.safe_load(path.read_text())
document["config"][key] = {"secure": f"v1:{len(value)}:{value[::-1].encode().hex()}"}
document.setdefault("encryptionsalt", "v1:salt")
path.write_text(yaml.safe_dump(document, indent=2))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one stack and a stand-in for the Pulumi CLI, which encrypts by writing backwards."""
    write(tmp_path, STACK)
    program = tmp_path / "pulumi"
    program.write_text(f"#!{sys.executable}\n{PULUMI}")
    program.chmod(0o755)
    monkeypatch.setenv("SLIPWAY_PULUMI", str(program))
    return tmp_path


def secrets(project: Path, *arguments: str, value: str = VALUE + "\n") -> tuple[int, str]:
    run = CliRunner().invoke(app, ["secrets", *arguments, "-C", str(project)], input=value)
    if isinstance(run.exception, CommandError):
        return run.exception.code, str(run.exception)
    return run.exit_code, run.output


def test_a_value_is_encrypted_and_every_other_line_stays_as_it_was(project: Path) -> None:
    code, said = secrets(project, "set", "apiKey")
    assert (code, said.startswith("secrets:anthropicApiKey is set in")) == (0, True)
    path = project / "Pulumi.dev.yaml"
    after = path.read_text().splitlines()
    added = [line for line in after if line not in STACK.splitlines()]
    assert [line.partition(": v1")[0] for line in added] == [
        "encryptionsalt",
        "    secrets:anthropicApiKey:",
        "      secure",
    ]
    assert [line for line in after if line not in added] == STACK.splitlines()
    assert read_stack_file(path).secret_keys == {"secrets:anthropicApiKey"}
    assert VALUE not in path.read_text() + said


def test_a_value_is_replaced_in_its_place(project: Path) -> None:
    secrets(project, "set", "anthropicApiKey")
    secrets(project, "set", "secrets:token", value="other")
    before = (project / "Pulumi.dev.yaml").read_text().splitlines()
    assert secrets(project, "set", "apiKey", value="a-new-one")[0] == 0
    after = (project / "Pulumi.dev.yaml").read_text().splitlines()
    changed = [index for index, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert len(changed) == 1
    assert "secrets:anthropicApiKey:" in after[changed[0] - 1]


def test_the_permissions_of_the_file_stay(project: Path) -> None:
    path = project / "Pulumi.dev.yaml"
    path.chmod(0o600)
    secrets(project, "set", "apiKey")
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(project)) == ["Pulumi.dev.yaml", "pulumi"]


def test_a_value_of_several_lines_keeps_them(project: Path) -> None:
    secrets(project, "set", "token", value="-----BEGIN\nabc\n-----END\n")
    cipher = (
        (project / "Pulumi.dev.yaml").read_text().partition("secrets:token:\n      secure: ")[2].split()[0]
    )
    assert bytes.fromhex(cipher.split(":")[2]).decode()[::-1] == "-----BEGIN\nabc\n-----END"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("apikey", "Did you mean `apiKey`?"),
        ("nothing", "There are: `apiKey`, `token`."),
        ("jwt", "generates `jwt` itself"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(project: Path, name: str, said: str) -> None:
    code, text = secrets(project, "set", name)
    assert (code, said in text) == (2, True)
    assert (project / "Pulumi.dev.yaml").read_text() == STACK


def test_a_stack_without_named_secrets_says_how_to_name_one(project: Path) -> None:
    write(project, "config:\n  slipway:environment: dev\n")
    assert (
        "Name it first: `slipway:secrets: { token: { config: token } }`"
        in secrets(project, "set", "token")[1]
    )
    assert "names no secrets" in secrets(project, "list")[1]


@pytest.mark.parametrize("value", ["", "\n", "  \n"])
def test_an_empty_value_is_refused(project: Path, value: str) -> None:
    code, said = secrets(project, "set", "apiKey", value=value)
    assert (code, "is empty" in said) == (2, True)


@pytest.mark.parametrize(
    ("stack", "said"),
    [("nope", "Create it first: `pulumi stack init nope`"), ("echo", "cannot encrypt [secret]")],
)
def test_what_pulumi_refuses_is_said_without_the_value(project: Path, stack: str, said: str) -> None:
    write(project, STACK, f"Pulumi.{stack}.yaml")
    code, text = secrets(project, "set", "apiKey", "--stack", stack)
    assert (code, said in text, VALUE in text) == (2, True, False)
    assert (project / f"Pulumi.{stack}.yaml").read_text() == STACK


def test_a_missing_pulumi_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PULUMI", "no-such-program")
    code, said = secrets(project, "set", "apiKey")
    assert (code, "`no-such-program` is not found" in said) == (2, True)


def test_the_stack_must_be_named_where_there_are_several(project: Path) -> None:
    write(project, STACK, "Pulumi.prod.yaml")
    assert "The stacks are: dev, prod." in secrets(project, "list")[1]
    assert secrets(project, "list", "-s", "prod")[0] == 0
    assert secrets(project, "list", "--config-file", str(project / "Pulumi.prod.yaml"))[0] == 0
    (project / "Pulumi.dev.yaml").unlink()
    (project / "Pulumi.prod.yaml").unlink()
    assert "slipway init" in secrets(project, "list")[1]


def test_the_list_says_what_is_missing_and_never_a_value(project: Path) -> None:
    secrets(project, "set", "token")
    code, said = secrets(project, "list")
    assert code == 0
    assert said.splitlines() == [
        "apiKey  missing   slipway secrets set apiKey",
        "jwt     generated by the stack",
        "token   set",
    ]


def test_a_broken_file_is_refused_with_its_place(project: Path) -> None:
    write(project, "config:\n\tslipway:app: 1\n")
    for command in (["list"], ["set", "apiKey"]):
        code, said = secrets(project, *command)
        assert (code, "A tab in the indentation" in said) == (2, True)


def test_a_file_in_one_line_is_refused_rather_than_rewritten(project: Path) -> None:
    text = "config: { slipway:secrets: { apiKey: { config: apiKey } } }\n"
    write(project, text)
    code, said = secrets(project, "set", "apiKey")
    assert (code, "Write each key in a line of its own" in said) == (2, True)
    assert (project / "Pulumi.dev.yaml").read_text() == text


def test_a_change_that_cannot_be_proven_is_not_written(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(original: str, *_: object) -> str:
        return original.replace("alfred", "other")

    monkeypatch.setattr(secret_values, "spliced", broken)
    assert "nothing was changed" in secrets(project, "set", "apiKey")[1]
    monkeypatch.setattr(secret_values, "spliced", lambda *_: "{")
    assert "nothing was changed" in secrets(project, "set", "apiKey")[1]
    assert (project / "Pulumi.dev.yaml").read_text() == STACK


def test_an_interrupted_write_leaves_the_old_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        secret_values.set_secret(
            project / "Pulumi.dev.yaml", stack="dev", project=project, key="secrets:token", value=VALUE
        )
    assert (project / "Pulumi.dev.yaml").read_text() == STACK
    assert sorted(os.listdir(project)) == ["Pulumi.dev.yaml", "pulumi"]


def test_pulumis_own_keys_are_replaced_where_they_changed(project: Path) -> None:
    text = (
        "secretsprovider: passphrase\nencryptionsalt: old\nconfig:\n  slipway:secrets: { a: { config: a } }\n"
    )
    path = write(project, text)
    own = "encryptionsalt: new\nencryptedkey: k\nsecretsprovider: passphrase\n"
    rewritten = f"{own}config:\n  secrets:a:\n    secure: c\n"
    assert spliced(text, rewritten, "secrets:a", read_stack_file(path)) == (
        "secretsprovider: passphrase\nencryptionsalt: new\nencryptedkey: k\nconfig:\n"
        "  slipway:secrets: { a: { config: a } }\n  secrets:a:\n    secure: c\n"
    )


def test_a_person_types_the_value_twice_and_does_not_see_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets_commands, "_can_ask", lambda: True)
    code, said = secrets(project, "set", "apiKey", value=f"{VALUE}\n{VALUE}\n")
    assert (code, VALUE in said) == (0, False)
    assert secrets(project, "set", "token", value=f"{VALUE}\nanother\n")[0] != 0
    assert read_stack_file(project / "Pulumi.dev.yaml").secret_keys == {"secrets:anthropicApiKey"}


def test_the_value_is_in_no_argument_of_the_process(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    run = subprocess.run

    def spy(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.append((command, options.get("env")))
        return run(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", spy)
    assert secrets(project, "set", "apiKey")[0] == 0
    assert seen
    assert VALUE not in repr(seen)


def test_an_error_is_no_traceback() -> None:
    assert issubclass(SecretError, Exception)
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from slipway.cli.main import main; main()",
            "secrets",
            "list",
            "-s",
            "nowhere",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "There is no such file" in run.stderr
    assert "Traceback" not in run.stderr
