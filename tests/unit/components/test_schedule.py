import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.jobs.section import CronJob, Migrations, Schedule
from tests.support.sections import accept, refusal


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "0 3 * * *",
        "*/15 * * * *",
        "0-29/10 8-18 1,15 * 1-5",
        "59 23 31 12 6",
        "0 0 1 1 0",
        "5/10 * * * *",
    ],
)
def test_five_fields_of_cron_are_a_schedule(schedule: str) -> None:
    assert accept(Schedule, schedule) == schedule


def test_spaces_are_normalised_so_that_they_change_no_object() -> None:
    assert accept(Schedule, "  0  3 * *   * ") == "0 3 * * *"


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "0 3 * *",
        "0 3 * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 0 *",
        "* * * 13 *",
        "* * * * 7",
        "30-10 * * * *",
        "*/0 * * * *",
        "*/60 * * * *",
        "1, * * * *",
        "1-2-3 * * * *",
        "-1 * * * *",
        "1.5 * * * *",
        "٣ * * * *",
        "@daily",
        "every day",
    ],
)
def test_another_text_is_no_schedule(schedule: str) -> None:
    text = refusal(Schedule, schedule)
    assert "no schedule in cron's notation | Kubernetes would refuse the CronJob" in text
    assert '"0 3 * * *" for 03:00 UTC every day' in text


@given(st.integers(-5, 65), st.integers(-5, 30), st.integers(-2, 35), st.integers(-2, 15), st.integers(-2, 9))
def test_a_moment_is_a_schedule_exactly_when_the_calendar_has_it(
    minute: int, hour: int, day: int, month: int, weekday: int
) -> None:
    exists = (
        0 <= minute <= 59 and 0 <= hour <= 23 and 1 <= day <= 31 and 1 <= month <= 12 and 0 <= weekday <= 6
    )
    assert (refusal(Schedule, f"{minute} {hour} {day} {month} {weekday}") == "") == exists


def test_a_job_belongs_to_the_api_is_retried_and_has_a_time_limit_unless_said_otherwise() -> None:
    migration = accept(Migrations, {"command": ("alembic", "upgrade", "head")})
    assert (migration.service, migration.retries, migration.timeout_seconds) == ("api", 2, 600)
    job = accept(CronJob, {"schedule": "0 3 * * *", "command": ("purge",)})
    assert (job.service, job.retries, job.timeout_seconds) == ("api", 1, 3600)
    assert job.resources.limits.memory == "512Mi"


def test_a_command_is_a_list_and_never_empty() -> None:
    assert "Input should be a valid tuple" in refusal(Migrations, {"command": "alembic upgrade head"})
    assert "at least 1 item" in refusal(Migrations, {"command": ()})
    assert "at least 1 character" in refusal(Migrations, {"command": ("",)})
