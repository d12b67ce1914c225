"""A process refuses to start without what it needs, and never prints a value."""

import subprocess
import sys

import pytest

from slipway_app.presets import CachePreset
from slipway_app.settings import ApiSettings, DatabaseSettings, FrontendSettings, ProcessSettings, load
from tests.conftest import APP

GOOD = {
    "DATABASE_URL": "postgresql://app:hunter2@postgres:5432/app?sslmode=verify-full",
    "REDIS_URL": "rediss://app:hunter2@redis-cache:6379/0",
    "JWT_SECRET": "0123456789abcdef0123456789abcdef",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ApiSettings.model_fields | FrontendSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_full_environment_is_accepted_with_the_promised_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = load(ApiSettings)
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert (settings.rate_limit_per_minute, settings.rate_limit_per_hour) == (100, 1000)
    assert (settings.jwt_expiration_minutes, settings.websocket_idle_seconds) == (60, 300)
    assert (settings.drain_seconds, settings.web_concurrency, settings.database_pool_size) == (5, 1, 5)
    assert settings.queue_url == settings.redis_url
    assert settings.cors_origins == ()
    assert not settings.enable_work
    assert "hunter2" not in repr(settings)
    environment.setenv("QUEUE_REDIS_URL", "redis://queue:6379/0")
    environment.setenv("CACHE_PRESET", "ai-production")
    settings = load(ApiSettings)
    assert settings.queue_url.get_secret_value() == "redis://queue:6379/0"
    assert settings.cache_preset is CachePreset.AI_PRODUCTION


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_each_required_variable_is_named_when_missing_or_empty(
    name: str, value: str | None, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv(name) if value is None else environment.setenv(name, value)
    with pytest.raises(SystemExit) as exit_:
        load(ApiSettings)
    assert exit_.value.code == 2
    assert f"{name}: Field required" in capsys.readouterr().err


def test_all_that_is_wrong_is_named_at_once(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv("JWT_SECRET")
    environment.setenv("REDIS_URL", "hunter2")
    environment.setenv("DRAIN_SECONDS", "hunter2")
    with pytest.raises(SystemExit):
        load(ApiSettings)
    text = capsys.readouterr().err
    assert [line.partition(":")[0] for line in text.splitlines()[:3]] == [
        "REDIS_URL", "JWT_SECRET", "DRAIN_SECONDS",
    ]  # fmt: skip
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE_URL", "mysql://app:hunter2@db/app", "must begin with postgresql:// or postgres://"),
        ("REDIS_URL", "http://app:hunter2@redis", "must begin with rediss:// or redis://"),
        ("QUEUE_REDIS_URL", "http://app:hunter2@redis", "must begin with rediss:// or redis://"),
        ("JWT_SECRET", "hunter2", "at least 32"),
        ("CACHE_PRESET", "hunter2", "'ai-production'"),
        ("RESILIENCE_PRESET", "hunter2", "'simple'"),
        ("LOG_LEVEL", "loud", "should match"),
        ("ENVIRONMENT", "production", "'prod'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "should match"),
        ("WEBSOCKET_IDLE_SECONDS", "120", "greater than 120"),
        ("LLM_FAILURE_RATE", "1.1", "less than or equal to 1"),
        ("RATE_LIMIT_PER_MINUTE", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_refused_without_printing_it(
    name: str, value: str, message: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SystemExit):
        load(ApiSettings)
    text = capsys.readouterr().err
    assert text.startswith(f"{name}: ")
    assert message in text
    assert "hunter2" not in text


def test_origins_are_a_list_with_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CORS_ORIGINS", "https://chat.example.com, http://localhost:8501/ ,")
    assert load(ApiSettings).cors_origins == ("https://chat.example.com", "http://localhost:8501")


@pytest.mark.parametrize(
    "value", ["chat.example.com", "https://chat.example.com/path", "https://*.example.com"]
)
def test_what_is_no_origin_is_refused(
    value: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("CORS_ORIGINS", value)
    with pytest.raises(SystemExit):
        load(ApiSettings)
    assert "CORS_ORIGINS.0: String should match" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "accepted"), [("local", True), ("dev", True), ("staging", False), ("prod", False)]
)
def test_any_origin_is_accepted_only_where_nobody_can_be_harmed(
    name: str, accepted: bool, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("CORS_ORIGINS", "*")
    environment.setenv("ENVIRONMENT", name)
    if accepted:
        assert load(ApiSettings).cors_origins == ("*",)
        return
    with pytest.raises(SystemExit):
        load(ApiSettings)
    assert "CORS_ORIGINS: * would let any website call the API" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        (ProcessSettings, {}),
        (DatabaseSettings, {"DATABASE_URL": GOOD["DATABASE_URL"]}),
        (FrontendSettings, {"API_BASE_URL": "http://api:8000"}),
    ],
)
def test_a_process_needs_no_more_than_it_uses(
    kind: type[ProcessSettings], needed: dict[str, str], environment: pytest.MonkeyPatch
) -> None:
    for name in GOOD:
        environment.delenv(name)
    for name, value in needed.items():
        environment.setenv(name, value)
    assert load(kind).log_level == "info"


def test_the_server_ends_with_2_and_one_line_a_variable_when_settings_are_missing() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "python:slipway_app.server"],
        env={"PYTHONPATH": str(APP), "JWT_SECRET": "hunter2"},
        cwd=APP, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "DATABASE_URL: Field required\nREDIS_URL: Field required\nJWT_SECRET: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr
