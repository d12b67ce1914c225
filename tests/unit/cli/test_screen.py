"""On a terminal what is waited for moves in the last line; in a log it is said only where nothing else is."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from slipway.cli import screen as screen_module
from slipway.cli.screen import TerminalScreen
from slipway.operate.progress import Progress


class Waiting(Progress):
    """A progress that waits for one thing, and says when it was asked the second time."""

    def under_way(self, most: int = 3) -> str:
        self.counts["asked"] = self.counts.get("asked", 0) + most
        if self.counts["asked"] > most:
            self.show("")
        return "Deployment api 12 s"


def _watched(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, silence: float) -> str:
    monkeypatch.setattr(screen_module, "_REFRESH_SECONDS", 0.001)
    monkeypatch.setattr(screen_module, "_SILENCE_SECONDS", silence)
    text, asked = io.StringIO(), threading.Event()
    console = Console(file=text, force_terminal=terminal, highlight=False, markup=False, soft_wrap=True)
    screen = TerminalScreen(console)
    with screen.watch(Waiting(lambda _: asked.set(), lambda: 0.0)):
        assert asked.wait(10)
    screen.tell("  created   Deployment api")
    return text.getvalue()


def test_a_terminal_shows_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    text = _watched(monkeypatch, terminal=True, silence=1000)
    assert "created   Deployment api" in text
    assert "waiting" not in text


def test_a_log_says_what_is_waited_for_after_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "  waiting   Deployment api 12 s\n" in _watched(monkeypatch, terminal=False, silence=-1)
    assert _watched(monkeypatch, terminal=False, silence=1000) == "  created   Deployment api\n"
