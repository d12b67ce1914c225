"""What runs: every pod restricted and Ready, after its migration, with nothing that it does not need."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest
import requests

from tests.support.cluster import Json, KubectlError, wait_for
from tests.support.cluster_chat import Chat
from tests.support.cluster_pods import pod
from tests.support.cluster_stack import JOBS, PARTS, LiveStack, is_ready

PROCESS = """
import json, os, pathlib
def writable(folder):
    try:
        pathlib.Path(folder, "probe").write_text("x")
    except OSError as error:
        return type(error).__name__ + " " + os.strerror(error.errno)
    return "written"
folders = ("/", "/app", "/opt/venv", "/etc", "/var/tmp", "/tmp")
print(json.dumps({"uid": os.getuid(), "gid": os.getgid(), "folders": {each: writable(each) for each in folders}}))
"""
PURGE_SECONDS = 60


def _labels(entry: Json) -> str:
    return str(entry["metadata"]["labels"]["app.kubernetes.io/name"])


def test_every_pod_is_ready_or_completed_and_none_was_restarted(stack: LiveStack) -> None:
    found = stack.pods()

    assert {_labels(entry) for entry in found} == {*PARTS, *JOBS}
    for entry in found:
        name = entry["metadata"]["name"]
        if _labels(entry) in JOBS:
            assert entry["status"]["phase"] == "Succeeded", name
        else:
            assert is_ready(entry), name
    assert set(stack.restarts().values()) == {0}


def test_the_namespace_enforces_the_restricted_standard(stack: LiveStack) -> None:
    labels = stack.cluster.get("namespace", stack.cluster.namespace)["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("security", "named"),
    [
        ({"privileged": True, "allowPrivilegeEscalation": True}, "privileged"),
        ({"runAsNonRoot": False, "runAsUser": 0}, "runAsNonRoot"),
        ({"capabilities": {"add": ["NET_ADMIN"]}}, "unrestricted capabilities"),
    ],
)
def test_admission_refuses_a_pod_that_asks_for_more(
    stack: LiveStack, security: dict[str, object], named: str
) -> None:
    with pytest.raises(KubectlError, match=r'violates PodSecurity "restricted:latest"') as refused:
        stack.cluster.apply(pod("intruder", stack.image, security=security), dry_run=True)
    assert named in str(refused.value)


def test_admission_takes_a_restricted_pod(stack: LiveStack) -> None:
    assert "created" in stack.cluster.apply(pod("guest", stack.image), dry_run=True)


def test_the_migration_ran_once_and_was_done_before_the_api_began(stack: LiveStack) -> None:
    (job,) = stack.cluster.items("jobs", "app.kubernetes.io/name=migrate")
    replica_sets = stack.cluster.items("replicasets", "app.kubernetes.io/name=api")
    begun = [entry["metadata"]["creationTimestamp"] for entry in (*replica_sets, *stack.pods("api"))]

    assert job["status"]["succeeded"] == 1
    assert job["status"].get("failed", 0) == 0
    assert len(stack.pods("migrate")) == 1
    # RFC 3339 in UTC with seconds, which sorts as text.
    assert job["status"]["completionTime"] <= min(begun)
    assert stack.sql("SELECT count(*) FROM alembic_version") == "1"


@pytest.mark.parametrize("part", PARTS)
def test_no_pod_holds_a_service_account_token(stack: LiveStack, part: str) -> None:
    spec = stack.pods(part)[0]["spec"]
    listing = "ls /var/run/secrets/kubernetes.io 2>&1 || true"

    assert spec["automountServiceAccountToken"] is False
    assert [volume["name"] for volume in spec["volumes"] if "projected" in volume] == []
    assert "No such file" in stack.cluster.inside(stack.pod(part), "sh", "-c", listing)


@pytest.mark.parametrize("part", ["api", "worker", "frontend"])
def test_a_process_is_user_1000_and_writes_only_to_tmp(stack: LiveStack, part: str) -> None:
    found = json.loads(stack.cluster.inside(stack.pod(part), "python", "-c", PROCESS))

    assert (found["uid"], found["gid"]) == (1000, 1000)
    assert found["folders"].pop("/tmp") == "written"
    assert set(found["folders"].values()) == {"OSError Read-only file system"}


@pytest.mark.parametrize("part", ["postgres", "redis-cache"])
def test_a_store_has_a_read_only_root_and_is_not_root(stack: LiveStack, part: str) -> None:
    script = "id -u; touch /probe 2>&1 || true"
    user, written = stack.cluster.inside(stack.pod(part), "sh", "-c", script).splitlines()

    assert int(user) > 0
    assert "Read-only file system" in written


def test_the_cron_job_run_by_hand_deletes_what_is_old_and_nothing_else(stack: LiveStack, chat: Chat) -> None:
    old, new = chat.conversation("Old"), chat.conversation("New")
    stack.sql(
        "UPDATE conversations SET created_at = created_at - interval '31 days',"
        " updated_at = updated_at - interval '31 days' WHERE id = :'old'",
        old=old,
    )

    stack.cluster.run("create", "job", "purge-by-hand", "--from=cronjob/purge")
    wait_for("the purge", lambda: _succeeded(stack, "purge-by-hand"), seconds=PURGE_SECONDS)

    left = stack.sql("SELECT id FROM conversations WHERE id IN (:'old', :'new')", old=old, new=new)
    assert left == str(new)
    stack.cluster.run("delete", "job", "purge-by-hand")


def _succeeded(stack: LiveStack, job: str) -> bool:
    return stack.cluster.get("job", job)["status"].get("succeeded") == 1


def test_the_commands_that_up_prints_show_the_pods_and_open_the_api(stack: LiveStack) -> None:
    commands: dict[str, str] = stack.engine.outputs()["commands"]
    status = subprocess.run(shlex.split(commands["status"]), capture_output=True, text=True, check=True)
    # A port that is free here, instead of the one that somebody's own service may have.
    forward = commands["open-api"].replace(" 8000:8000", " :8000")

    with subprocess.Popen(shlex.split(forward), stdout=subprocess.PIPE, text=True) as forwarding:
        try:
            said = forwarding.stdout.readline() if forwarding.stdout else ""
            port = said.partition("127.0.0.1:")[2].split()[0]
            answer = requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=10)
        finally:
            forwarding.terminate()

    assert "pod/postgres-0" in status.stdout
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
