"""What README.md tells is what the code has: every variable with its default, every path, every process."""

import re
from pathlib import Path

import pytest

from slipway_app.settings import ApiSettings, FrontendSettings

APP = Path(__file__).parent.parent
README = (APP / "README.md").read_text()
NOT_OURS = {"FORWARDED_ALLOW_IPS"}
"""uvicorn's own."""


def documented() -> dict[str, str]:
    table = README.split("## Settings", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", table, re.M))


def settings() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, field in {**ApiSettings.model_fields, **FrontendSettings.model_fields}.items():
        value = field.default
        value = getattr(value, "value", value)
        if field.is_required():
            found[name.upper()] = "required"
        elif value is None or value == ():
            found[name.upper()] = "none"
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found[name.upper()] = f"`{text}`"
    # None there; what it means is told instead.
    found["QUEUE_REDIS_URL"] = "`REDIS_URL`"
    return found


def test_every_variable_is_told_with_its_default_and_no_other() -> None:
    assert {name: value for name, value in documented().items() if name not in NOT_OURS} == settings()


def test_every_path_of_the_api_is_told() -> None:
    source = "".join(path.read_text() for path in sorted((APP / "slipway_app").glob("*.py")))
    routes = re.findall(r'@router\.(get|post|patch|delete|websocket)\(\s*"([^"]+)"', source)
    assert len(routes) > 10
    table = README.split("## HTTP", 1)[1].split("\n## ", 1)[0]
    for method, path in routes:
        simple = re.sub(r"\{\w+\}", "{id}", path)
        row = next(
            (line for line in table.splitlines() if re.search(rf"{re.escape(simple)}[`?]", line)), None
        )
        assert row is not None, f"{method} {path}"
        assert {"websocket": "WS"}.get(method, method.upper()) in table


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m (slipway_app\.\w+)", README))))
def test_every_process_that_is_told_is_there(module: str) -> None:
    path = APP / module.replace(".", "/")
    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_every_command_that_is_told_is_there() -> None:
    makefile = (APP / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    told = set(re.findall(r"(?:^|`|  )make ([a-z-]+)", README, re.M))
    assert told <= targets
    assert {"compose-up", "compose-down", "test", "image", "requirements", "migration"} <= told
