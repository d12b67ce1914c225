"""Stack files for the tests: written into a folder, read back, their errors taken apart."""

from pathlib import Path
from typing import Any

import yaml

from stacks.config.problems import Problem, SettingsError
from stacks.load import load_stack_file
from stacks.settings import Settings

HERE = Path(__file__).parent
FULL = HERE / "full.yaml"
FORMS: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "forms.yaml").read_text())


def write(folder: Path, text: str | bytes, name: str = "Pulumi.dev.yaml") -> Path:
    """Write a stack file and return its path."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(folder: Path, text: str | bytes) -> Settings:
    """Return the settings of a text."""
    return load_stack_file(write(folder, text))[1]


def problems(folder: Path, text: str | bytes) -> list[Problem]:
    """Return every error of a text; none where it loads."""
    try:
        load(folder, text)
    except SettingsError as error:
        return list(error.problems)
    return []


def documents() -> dict[str, dict[str, Any]]:
    """Return the full example and its forms, as documents."""
    full = yaml.safe_load(FULL.read_text())
    found = {"full": full}
    for name, sections in FORMS.items():
        config = {**full["config"], **sections}
        if name == "none":
            # Without a database nothing may refer to one.
            config.pop("slipway:migrations")
            config["slipway:services"] = _without_database(config["slipway:services"])
        found[name] = {**full, "config": config}
    return found


def _without_database(services: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for name, service in services.items():
        env = service.get("env", {})
        assert isinstance(env, dict)
        kept = {key: value for key, value in env.items() if key != "DATABASE_URL"}
        others = {key: value for key, value in service.items() if key not in ("env", "pool", "requires")}
        found[name] = {**others, "env": kept}
    return found


def dump(document: object) -> str:
    """Return a document as YAML with one key a line."""
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=10_000)


def bomb(levels: int) -> str:
    """A list whose aliases grow tenfold with every level."""
    lines = ["config:", "  slipway:k:", "    - &a0 [x]"]
    lines += [f"    - &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels + 1)]
    return "\n".join(lines) + "\n"
