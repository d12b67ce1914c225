import socket
import subprocess
import sys
from typing import Any

import pytest

from tests.support.stacks import CRON_JOB, JOB, recorded, shipped


@pytest.mark.parametrize("environment", ["local", "prod"])
def test_a_scheduled_program_runs_once_at_a_time_in_utc(environment: str) -> None:
    spec: Any = dict(shipped(environment).one(CRON_JOB, "purge").inputs["spec"])  # pyright: ignore
    template = spec.pop("jobTemplate")["spec"]
    assert spec == {
        "schedule": "0 3 * * *",
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 300,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
    }
    assert (template["backoffLimit"], template["activeDeadlineSeconds"]) == (1, 3600)
    assert template["template"]["spec"]["restartPolicy"] == "Never"
    command = template["template"]["spec"]["containers"][0]["command"]
    assert command == ["python", "-m", "slipway_app.purge", "--older-than-days", "30"]


def test_retries_and_time_limits_of_jobs_are_the_stack_files() -> None:
    changes = {
        "migrations.retries": 0,
        "migrations.timeoutSeconds": 30,
        "cronJobs.purge.retries": 4,
        "cronJobs.purge.timeoutSeconds": 60,
    }
    found = recorded("prod", changes)
    migration = found.one(JOB, "migrate")
    assert (migration.get("spec", "backoffLimit"), migration.get("spec", "activeDeadlineSeconds")) == (0, 30)
    # The engine waits longer than Kubernetes, so that the Job's own failure is what a person sees.
    assert migration.custom_timeouts == {"create": "90s"}
    job: Any = found.one(CRON_JOB, "purge").get("spec", "jobTemplate", "spec")
    assert (job["backoffLimit"], job["activeDeadlineSeconds"]) == (4, 60)


def test_a_job_may_belong_to_a_worker() -> None:
    found = recorded("prod", {"migrations.service": "worker"}).one(JOB, "migrate")
    assert found.get("spec", "template", "spec", "serviceAccountName") == "worker"


def test_a_job_has_resources_of_its_own_and_its_waiting_counts_no_extra() -> None:
    found = shipped("local").one(JOB, "migrate").get("spec", "template", "spec")
    assert isinstance(found, dict)
    containers: Any = found["containers"]
    init: Any = found["initContainers"]
    assert (
        containers[0]["resources"]
        == init[0]["resources"]
        == {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        }
    )


def test_the_wait_for_stores_ends_once_they_answer_and_not_before() -> None:
    script: Any = (
        shipped("local")
        .one(JOB, "migrate")
        .get("spec", "template", "spec", "initContainers", 0, "command", 2)
    )
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))  # reserved, but nobody answers yet
        endpoint = f"127.0.0.1:{server.getsockname()[1]}"
        with subprocess.Popen([sys.executable, "-c", script, endpoint], stdout=subprocess.PIPE) as waiting:
            assert waiting.stdout is not None
            assert endpoint in waiting.stdout.readline().decode()
            assert waiting.poll() is None
            server.listen()
            assert waiting.wait(timeout=20) == 0
