"""The service refuses to start without what it needs, and never prints a value."""

import pytest

from slipway_app.settings import ApiSettings, DatabaseSettings, load

GOOD = {
    "DATABASE_URL": "postgresql://app:hunter2@postgres:5432/app?sslmode=verify-full",
    "REDIS_URL": "rediss://app:hunter2@redis-cache:6379/0",
    "JWT_SECRET": "0123456789abcdef0123456789abcdef",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_a_full_environment_is_accepted() -> None:
    settings = load(ApiSettings)
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert settings.cache_seconds == 60
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("name", GOOD)
def test_each_required_variable_is_named_when_missing(
    name: str, environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.delenv(name)
    with pytest.raises(SystemExit) as exit_:
        load(ApiSettings)
    assert exit_.value.code == 2
    assert f"{name}: Field required" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE_URL", "mysql://app:hunter2@db/app", "must begin with postgresql:// or postgres://"),
        ("REDIS_URL", "http://app:hunter2@redis", "must begin with rediss:// or redis://"),
        ("JWT_SECRET", "hunter2", "at least 32"),
        ("CACHE_SECONDS", "0", "greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "should match"),
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


def test_migrations_need_only_the_database(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("REDIS_URL")
    environment.delenv("JWT_SECRET")
    assert load(DatabaseSettings).database_pool_size == 5
