"""The offline reader of stack files against Pulumi's own: the same text for every value, or an error of ours.

The golden table of the unit tests is measured again with the real binary, and the shipped stack files are compared.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from stacks.config.problems import SettingsError
from stacks.config.stackfile import read_stack_file
from tests.support.tools import require_tool
from tests.unit.config.files import bomb
from tests.unit.config.golden import NESTED_SURPRISES, SCALARS, STRUCTURES, SURPRISES

ROOT = Path(__file__).resolve().parents[2]


class Pulumi:
    """A project with one stack in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._binary = require_tool(
            "pulumi", variable="SLIPWAY_PULUMI", why="compare with Pulumi's own parser"
        )
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of the tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        self._run("stack", "init", "t")
        self._salt = (folder / "Pulumi.t.yaml").read_text()

    def config(self, text: str | bytes) -> dict[str, str] | None:
        """What a program would get of a stack file; None where Pulumi refuses it."""
        content = text if isinstance(text, bytes) else text.encode()
        (self._folder / "Pulumi.t.yaml").write_bytes(self._salt.encode() + content)
        run = self._run("config", "--json", "--show-secrets", "--stack", "t")
        return (
            {key: value["value"] for key, value in json.loads(run.stdout).items()}
            if run.returncode == 0
            else None
        )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self._binary, *arguments, "--non-interactive"]
        return subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Pulumi:
    return Pulumi(tmp_path_factory.mktemp("parity"))


def test_the_golden_scalars_are_what_the_engine_hands_over(engine: Pulumi) -> None:
    texts = [*SCALARS, *(text for text, value in SURPRISES.items() if value is not None)]
    lines = [
        f"  slipway:t{number}: {text}\n  slipway:l{number}:\n    - {text}\n"
        for number, text in enumerate(texts)
    ]
    given = engine.config("config:\n" + "".join(lines))
    assert given is not None
    measured = {text: (given[f"slipway:t{n}"], given[f"slipway:l{n}"]) for n, text in enumerate(texts)}
    expected = {text: value for text, value in {**SCALARS, **SURPRISES}.items() if value is not None}
    assert measured == {text: (top, f"[{nested}]") for text, (top, nested) in expected.items()}


@pytest.mark.parametrize("text", [text for text, value in SURPRISES.items() if value is None])
def test_the_engine_refuses_what_the_table_says_it_refuses(engine: Pulumi, text: str) -> None:
    assert engine.config(f"config:\n  slipway:k: {text}\n") is None


@pytest.mark.parametrize("text", NESTED_SURPRISES)
def test_the_engine_rounds_large_numbers_inside_a_list_only(engine: Pulumi, text: str) -> None:
    given = engine.config(f"config:\n  slipway:k: {text}\n  slipway:l: [{text}]\n")
    assert given is not None
    assert given["slipway:k"] == text
    assert given["slipway:l"] not in (f"[{text}]", f'["{text}"]')


@pytest.mark.parametrize("text", STRUCTURES)
def test_the_golden_structures_are_what_the_engine_hands_over(engine: Pulumi, text: str) -> None:
    assert engine.config(f"config:\n{text}\n") == STRUCTURES[text]


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_shipped_stack_files_read_the_same_here_and_there(engine: Pulumi, path: Path) -> None:
    assert read_stack_file(path).config == engine.config(path.read_text())


@pytest.mark.parametrize(
    ("name", "content"),
    {
        "unknown alias": "config:\n  slipway:k: *x\n",
        "alias in itself": "config:\n  slipway:k: &x [*x]\n",
        "duplicated key": "config:\n  slipway:k: {a: 1, a: 2}\n",
        "duplicated section": "config:\n  slipway:k: 1\n  slipway:k: 2\n",
        "duplicated config": "config: {}\nconfig: {}\n",
        "map as a key": "config:\n  slipway:k: {{a: 1}: b}\n",
        "merge of a number": "config:\n  slipway:k: {<<: 3}\n",
        "list for config": "config: [a]\n",
        "text for config": "config: a\n",
        "four parts": "config:\n  a:b:c:d: 1\n",
        "tab": "config:\n\tslipway:k: 1\n",
        "latin-1": b"config:\n  slipway:k: caf\xe9\n",
        "control character": "config:\n  slipway:k: a\x01b\n",
        "environment": "environment: [a]\nconfig: {}\n",
        "unclosed": "config:\n  slipway:k: {a: 1\n",
        "aliases of aliases": bomb(4),
    }.items(),
    ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "",
)
def test_what_the_engine_refuses_is_refused_here(
    engine: Pulumi, tmp_path: Path, name: str, content: str | bytes
) -> None:
    assert engine.config(content) is None, name
    path = tmp_path / "Pulumi.t.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError):
        read_stack_file(path)
