"""A program that fails, hangs or is not there is an answer, never an exception."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from slipway.operate.machine import NOT_STARTED, Done, ThisMachine

MACHINE = ThisMachine()


def test_a_program_gets_input_folder_and_variables_and_its_output_comes_back(tmp_path: Path) -> None:
    script = 'cat; pwd; echo "$GIVEN" >&2; exit 3'
    done = MACHINE.run(["/bin/sh", "-c", script], stdin="in\n", environment={"GIVEN": "yes"}, folder=tmp_path)
    assert done == Done(3, f"in\n{tmp_path}\n", "yes\n")


def test_a_program_that_is_not_there_or_never_ends_is_an_answer() -> None:
    assert MACHINE.run(["/no/such/program"]).code == NOT_STARTED
    assert MACHINE.run(["/bin/sleep", "30"], seconds=0.01).said == "no answer within 0 s"


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (Done(1, "out", "first\nlast\n"), "last"),
        (Done(1, "out\n", ""), "out"),
        (Done(4), "it ended with 4"),
    ],
)
def test_the_last_line_that_was_said_is_told(done: Done, said: str) -> None:
    assert done.said == said


def test_programs_are_found_by_their_absolute_path() -> None:
    assert MACHINE.which("sh") in ("/bin/sh", "/usr/bin/sh")
    assert MACHINE.which("no-such-program") is None
    assert MACHINE.environment is os.environ


def test_ctrl_c_is_the_foreground_programs_to_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen[bytes].wait
    waits: list[int] = []

    def wait(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        waits.append(process.pid)
        if len(waits) == 1:
            raise KeyboardInterrupt
        return real(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", wait)
    assert MACHINE.foreground(["/bin/sh", "-c", "exit 5"], environment={}) == 5
    assert len(waits) == 2


def test_a_foreground_program_ends_with_the_one_that_started_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    script = f"kill -TERM {os.getpid()}; exec sleep 30"
    assert MACHINE.foreground(["/bin/sh", "-c", script]) == -signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_while_the_program_starts_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen

    def start(*given: Any, **named: Any) -> object:  # noqa: ANN401 - as Popen has them
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*given, **named)

    monkeypatch.setattr(subprocess, "Popen", start)
    assert MACHINE.foreground(["/bin/sleep", "30"]) == -signal.SIGTERM
