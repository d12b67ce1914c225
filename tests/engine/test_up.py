"""`slipway up` on the real engine: stopped, killed, continued, left alone, taken over by hand, and removed."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from tests.engine.plugins.package import DELAYS
from tests.support.checkout import CONTEXT, OTHER, Checkout, simulated_tools
from tests.support.engine_secrets import leaks, written_files

SLOW = {DELAYS: json.dumps({"StatefulSet redis-cache": 3, "StatefulSet postgres": 6, "Deployment api": 60})}
BY_HAND = """
eval $(slipway env local)
pulumi stack ls --json
pulumi config get slipway:cluster
pulumi stack output namespace
pulumi config set slipway:scratch 1
"""


class _Life:
    """One checkout, from its first `up` to `down`."""

    def __init__(self, folder: Path) -> None:
        self.checkout = checkout = Checkout(folder, environment=simulated_tools(folder / "bin"))
        (checkout.project / "app").mkdir()
        (checkout.project / "app" / "Dockerfile").write_text("FROM busybox AS production\n")
        checkout.commit()
        self.refused = checkout.slipway("up", code=1)
        self.after_refusal = sorted(path.name for path in checkout.project.iterdir())

        stopped = checkout.start("up", "--context", CONTEXT, **SLOW)
        stopped.wait_for(lambda: "StatefulSet redis-cache" in stopped.text)
        stopped.process.send_signal(signal.SIGINT)
        self.stopped, self.stopped_code = stopped, stopped.end()

        killed = checkout.start("up", **SLOW)
        killed.wait_for(
            lambda: checkout.cloud.get("kubernetes:apps/v1:Deployment", "chat-local/api") is not None
        )
        checkout.kill(killed)
        self.killed = killed

        self.up = checkout.slipway("up")
        self.again = checkout.slipway("up")
        self.by_hand = checkout.shell(BY_HAND)
        self.secrets = self._secrets()
        self.passphrase = (checkout.project / ".slipway" / "passphrase").read_text().strip()
        self.files = written_files(checkout.project / ".slipway")
        self.modes = self._modes()
        self.changed = checkout.changed_files()
        self.moved = checkout.slipway("up", "--context", OTHER, code=1)
        self.down = checkout.slipway("down", "--yes")
        self.left = written_files(checkout.project / ".slipway" / "local")
        self.down_again = checkout.slipway("down", "--yes")

    def _secrets(self) -> dict[str, str]:
        exported = self.checkout.shell("eval $(slipway env local); pulumi stack export --show-secrets")
        found: dict[str, str] = {}
        for resource in json.loads(exported)["deployment"]["resources"]:
            result = (resource.get("outputs") or {}).get("result")
            if resource["type"].endswith(":RandomPassword") and isinstance(result, dict):
                found[resource["urn"].rpartition("::")[2]] = json.loads(result["plaintext"])
        return found

    def _modes(self) -> dict[str, int]:
        root = self.checkout.project / ".slipway"
        return {
            path.name: path.stat().st_mode & 0o777
            for path in (root, *root.iterdir(), *(root / "local").iterdir())
        }

    def printed(self) -> dict[str, str]:
        """What every command has printed."""
        runs = {"stopped": self.stopped.text, "killed": self.killed.text, "up": self.up, "again": self.again}
        return {
            **runs,
            "by hand": self.by_hand,
            "down": self.down,
            "refused": self.refused,
            "moved": self.moved,
        }


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> _Life:
    """The checkout, lived once; the tests read what happened."""
    return _Life(tmp_path_factory.mktemp("up"))


def test_what_is_missing_is_named_before_anything_is_touched(life: _Life) -> None:
    assert life.refused.startswith("kind is not found")
    assert life.after_refusal == [".git", ".gitignore", "Pulumi.local.yaml", "Pulumi.yaml", "app"]


def test_ctrl_c_ends_with_one_sentence(life: _Life) -> None:
    assert life.stopped_code == 130
    assert life.stopped.lines[-1].startswith("Stopped. What was made so far is kept")
    assert "Deployment api" not in life.stopped.text


def test_an_up_after_ctrl_c_creates_only_what_is_missing(life: _Life) -> None:
    assert "created   StatefulSet redis-cache" in life.stopped.text
    assert "StatefulSet redis-cache" not in life.killed.text
    assert "created   Job migrate" in life.killed.text


def test_an_up_after_a_kill_takes_over_what_was_under_way_and_goes_on(life: _Life) -> None:
    assert "the last run was interrupted: going on from there" in life.up
    assert "taken over" in life.up
    assert "created   HorizontalPodAutoscaler api" in life.up
    assert "Deployment api" not in life.up
    assert "local is up" in life.up


def test_a_second_up_changes_nothing(life: _Life) -> None:
    assert "local is up: nothing had to be changed" in life.again


def test_progress_is_readable_and_ends_with_the_next_three_commands(life: _Life) -> None:
    assert re.search(r"^  created   StatefulSet postgres  \d+ s$", life.stopped.text, re.M)
    commands = life.up[life.up.index("Next:") :].splitlines()[1:]
    assert [line.split("  ")[1] for line in commands] == [
        "slipway open frontend",
        "slipway logs api",
        "slipway psql",
    ]
    assert all("urn:" not in text and "Traceback" not in text for text in life.printed().values())


def test_pulumi_by_hand_sees_the_same_stack(life: _Life) -> None:
    listed, _, rest = life.by_hand.partition("]")
    (stack,) = json.loads(f"{listed}]")
    assert (stack["name"], stack["current"]) == ("local", True)
    assert stack["resourceCount"] > 60
    cluster, namespace = rest.strip().splitlines()
    assert json.loads(cluster)["context"] == CONTEXT
    assert namespace == "chat-local"


def test_no_tracked_file_is_changed_and_no_new_one_shows_up(life: _Life) -> None:
    assert life.changed == ""


def test_the_private_folder_is_closed_to_everybody_else(life: _Life) -> None:
    assert life.modes.pop(".slipway") == 0o700
    assert {name for name, mode in life.modes.items() if mode & 0o077} == set()


def test_neither_passphrase_nor_secret_is_printed_or_kept_in_clear(life: _Life) -> None:
    assert len(life.secrets) >= 4
    assert leaks(life.secrets, {**life.printed(), **life.files}) == []
    kept = {place: text for place, text in life.files.items() if not place.endswith("/passphrase")}
    assert leaks({"passphrase": life.passphrase}, {**life.printed(), **kept}) == []


def test_a_stack_that_is_up_does_not_move_to_another_cluster(life: _Life) -> None:
    assert f"stands in the cluster of the context {CONTEXT}" in life.moved


def test_down_leaves_nothing(life: _Life) -> None:
    assert "local is gone" in life.down
    assert list(life.checkout.cloud.objects()) == []
    assert life.left == {}
    assert life.down_again == "local is not up: there is nothing to remove."
