"""The pages say only what is true: their example loads, their commands and files exist."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from slipway.cli.main import app
from stacks.load import load_stack_file

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def code_of(page: Path) -> str:
    """What stands in code blocks and between backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", text, re.M | re.S)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


def test_the_readme_example_is_a_stack_file_without_errors(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", PAGES[0].read_text(encoding="utf-8"), re.M | re.S)
    file = tmp_path / "Pulumi.example.yaml"
    file.write_text(example, encoding="utf-8")
    _, settings = load_stack_file(file)
    assert settings.environment == "dev"
    assert set(settings.services) == {"api"}


@each_page
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = {
        folder: set(re.findall(r"^([a-z-]+):", (ROOT / folder / "Makefile").read_text(), re.M))
        for folder in (".", "app", "toolbox")
    }
    for folder, target in re.findall(r"(?<![\w./])make (?:-C (\w+) )?([a-z-]+)", code_of(page)):
        assert target in targets[folder or "."], target


@each_page
def test_every_slipway_command_that_a_page_names_exists(page: Path) -> None:
    commands = set(getattr(get_command(app), "commands"))  # noqa: B009 - typer's type does not say it
    for command in re.findall(r"(?:^|`)slipway ([a-z]+)\b", code_of(page), re.M):
        assert command in commands


@each_page
def test_every_link_to_a_file_leads_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
