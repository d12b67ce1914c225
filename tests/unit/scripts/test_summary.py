"""What a job shows in its summary: the text as it is, and the exit code of the command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/summary"


def run(summary: Path | None, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "GITHUB_STEP_SUMMARY"}
    if summary is not None:
        environment["GITHUB_STEP_SUMMARY"] = str(summary)
    return subprocess.run(
        [SCRIPT, "A title", *command], env=environment, capture_output=True, text=True, check=False
    )


def test_the_text_goes_to_the_log_and_as_a_block_to_the_summary(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"

    done = run(file, "printf", "first\n```\nlast\n")

    assert done.returncode == 0
    assert done.stdout == "first\n```\nlast\n"
    assert file.read_text() == "### A title\n\n    first\n    ```\n    last\n\n"


def test_a_failure_stays_one_and_is_said(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"

    done = run(file, "sh", "-c", "echo went wrong >&2; exit 3")

    assert done.returncode == 3
    assert "Failed with exit code 3." in file.read_text()
    assert "    went wrong\n" in file.read_text()


def test_a_text_over_githubs_limit_is_shortened_in_the_summary_alone(tmp_path: Path) -> None:
    file = tmp_path / "summary.md"

    done = run(file, "sh", "-c", "yes | head -n 300000")

    assert done.stdout.count("\n") == 300_000
    assert file.stat().st_size < 1024 * 1024
    assert file.read_text().rstrip().endswith("the whole text is in the log of the job.")


def test_without_a_summary_the_command_just_runs() -> None:
    done = run(None, "sh", "-c", "echo out; exit 5")

    assert (done.returncode, done.stdout) == (5, "out\n")
