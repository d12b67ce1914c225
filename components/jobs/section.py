"""The sections `slipway:migrations` and `slipway:cronJobs`."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from components.shared.names import Name
from components.shared.refusal import refuse
from components.shared.resources import Amounts, Resources
from components.shared.section import Section
from components.workload.section import Command

# Kubernetes takes Sunday as 0 only, other than crontab (github.com/robfig/cron v3, spec.go: bounds of `dow`).
_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_PART = re.compile(r"(?:\*|([0-9]+)(?:-([0-9]+))?)(?:/([0-9]+))?")


def _cron_field(text: str, low: int, high: int) -> bool:
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return False
        numbers = [int(number) for number in match.group(1, 2) if number is not None]
        if any(not low <= number <= high for number in numbers) or numbers != sorted(numbers):
            return False
        if match[3] is not None and not 1 <= int(match[3]) <= high:
            return False
    return True


def _schedule(value: str) -> str:
    fields = value.split()
    if len(fields) != len(_RANGES) or not all(
        _cron_field(text, low, high) for text, (low, high) in zip(fields, _RANGES, strict=True)
    ):
        raise refuse(
            "no schedule in cron's notation",
            why="Kubernetes would refuse the CronJob, or it would run at another time than was meant.",
            remedy='Write minute, hour, day, month and weekday in quotes, such as "0 3 * * *" for 03:00 UTC every day.',
        )
    return " ".join(fields)


Schedule = Annotated[str, AfterValidator(_schedule)]
"""Five fields of cron: minute, hour, day of month, month, weekday; always in UTC."""

_JOB_RESOURCES = Resources(
    requests=Amounts(cpu="100m", memory="256Mi"), limits=Amounts(cpu="1", memory="512Mi")
)


class Migrations(Section):
    """The Job that brings the database's schema to the image's state before any pod of it starts."""

    service: Name = Field(default="api", description="The service whose image and environment it uses.")
    command: Command = Field(description="Program and arguments, such as [alembic, upgrade, head].")
    timeout_seconds: int = Field(
        default=600,
        ge=10,
        le=86_400,
        description="Seconds after which it is stopped and the rollout with it.",
    )
    retries: int = Field(default=2, ge=0, le=10, description="How often it is tried again after a failure.")
    resources: Resources = Field(default=_JOB_RESOURCES, description="Requests and limits of CPU and memory.")


class CronJob(Section):
    """A program of the application that runs on a schedule, one run at a time."""

    service: Name = Field(default="api", description="The service whose image and environment it uses.")
    schedule: Schedule = Field(description="Five fields of cron in UTC, in quotes.")
    command: Command = Field(description="Program and arguments.")
    timeout_seconds: int = Field(
        default=3600, ge=10, le=86_400, description="Seconds after which a run is stopped."
    )
    retries: int = Field(
        default=1, ge=0, le=10, description="How often a run is tried again after a failure."
    )
    resources: Resources = Field(default=_JOB_RESOURCES, description="Requests and limits of CPU and memory.")
