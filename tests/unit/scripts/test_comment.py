"""The script that comments on a pull request, run with a `gh` that only writes down what it is asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/pull-request.yaml").read_text(encoding="utf-8"))
SCRIPT = WORKFLOW["jobs"]["comment"]["steps"][-1]["run"]
GH = """#!/bin/sh
echo "$@" >> asked.txt
case "$*" in *--paginate*) cat there.txt ;; esac
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gh").write_text(GH)
    (tmp_path / "bin/gh").chmod(0o755)
    (tmp_path / "there.txt").write_text("")
    (tmp_path / "previews").mkdir()
    return tmp_path


def run(job: Path) -> str:
    environment = {
        "PATH": f"{job / 'bin'}:{os.environ['PATH']}",
        "GH_REPO": "acme/slipway",
        "NUMBER": "7",
        "COMMIT": "abc123",
        "RUN": "https://ci/run",
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", SCRIPT]
    return subprocess.run(
        command, cwd=job, env=environment, capture_output=True, text=True, check=True
    ).stdout


def asked(job: Path) -> list[str]:
    file = job / "asked.txt"
    return file.read_text().splitlines() if file.exists() else []


def test_the_first_preview_becomes_a_comment(job: Path) -> None:
    (job / "previews/preview-dev.txt").write_text("+ create\n")

    run(job)

    assert (
        asked(job)[-1]
        == "api --silent --method POST repos/acme/slipway/issues/7/comments --field body=@comment.md"
    )
    comment = (job / "comment.md").read_text()
    assert comment.startswith("<!-- pulumi preview -->\n")
    assert "<summary>dev</summary>" in comment
    assert "    + create" in comment


def test_a_later_one_renews_that_comment(job: Path) -> None:
    (job / "previews/preview-dev.txt").write_text("nothing\n")
    (job / "there.txt").write_text("4711\n")

    run(job)

    assert (
        asked(job)[-1]
        == "api --silent --method PATCH repos/acme/slipway/issues/comments/4711 --field body=@comment.md"
    )


def test_previews_of_any_length_fit_and_are_shown_as_they_are(job: Path) -> None:
    for stack in ("dev", "staging", "prod"):
        (job / f"previews/preview-{stack}.txt").write_text("@somebody\n</details>\n" * 20_000 + "the end\n")

    run(job)

    comment = (job / "comment.md").read_text()
    assert len(comment) < 65_536
    assert comment.count("    the end\n") == 3
    assert comment.count("\n</details>\n") == 3
    assert "\n@somebody" not in comment


def test_without_a_preview_nothing_is_written(job: Path) -> None:
    assert "no preview" in run(job)
    assert asked(job) == []
