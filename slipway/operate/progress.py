"""What the engine does, in words for a person who waits: what was made and how long it took, what is under way.

A function of the engine's events and of a clock; printing is the caller's.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pulumi.automation.events import DiagnosticEvent, EngineEvent, StepEventMetadata

_VERBS = {
    "create": "created",
    "update": "changed",
    "replace": "replaced",
    "create-replacement": "replaced",
    "delete": "deleted",
    "import": "taken over",
}
"""The engine's operations that change something, as past participles. `replace` is the logical end of a replacement."""

_QUIET_TYPES = ("pulumi:pulumi:Stack", "pulumi:providers:", "slipway:")
"""Types that exist for the engine only: a person waits for what they hold."""

_NOT_COUNTED = ("replace", "delete-replaced", "discard-replaced")
_COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
_NOISE = re.compile(r"^(update|destroy|up) failed$|^one or more (errors|operations)|were? cancelled$", re.I)


@dataclass(frozen=True)
class Problem:
    """An error that the engine reported.

    Attributes:
        resource: `Kind name`, empty where it belongs to no resource.
        text: what was said.
    """

    resource: str
    text: str


@dataclass
class Progress:
    """The events of one run.

    Attributes:
        show: is given each line that a person should see at once.
        clock: seconds, monotonic.
        counts: how often each of `created`, `changed`, `replaced`, `deleted` happened.
        problems: the errors so far, each once.
    """

    show: Callable[[str], None]
    clock: Callable[[], float]
    counts: dict[str, int] = field(default_factory=dict[str, int])
    problems: list[Problem] = field(default_factory=list[Problem])
    _begun: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    _warned: set[str] = field(default_factory=set[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on_event(self, event: EngineEvent) -> None:
        """Take an event; the SDK calls this in a thread of its own."""
        with self._lock:
            if event.resource_pre_event is not None:
                self._begin(event.resource_pre_event.metadata)
            elif event.res_outputs_event is not None:
                self._end(event.res_outputs_event.metadata)
            elif event.res_op_failed_event is not None:
                self._begun.pop(_key(event.res_op_failed_event.metadata), None)
            elif event.diagnostic_event is not None:
                self._diagnose(event.diagnostic_event)

    def under_way(self, most: int = 3) -> str:
        """Return what is being done now, the longest first, such as `Deployment api 12 s`; empty where nothing is.

        Args:
            most: how many are named; the others are counted.
        """
        with self._lock:
            now = self.clock()
            waiting = sorted((began, label(urn)) for (urn, _), began in self._begun.items())
        named = [f"{name} {now - began:.0f} s" for began, name in waiting[:most]]
        more = [f"{len(waiting) - most} more"] if len(waiting) > most else []
        return ", ".join(named + more)

    def _begin(self, step: StepEventMetadata) -> None:
        if step.op.value in _VERBS and not _quiet(step.type):
            self._begun[_key(step)] = self.clock()

    def _end(self, step: StepEventMetadata) -> None:
        began = self._begun.pop(_key(step), None)
        if began is None or step.op.value in _NOT_COUNTED:
            return
        verb = _VERBS[step.op.value]
        self.counts[verb] = self.counts.get(verb, 0) + 1
        seconds = self.clock() - began
        took = f"  {seconds:.0f} s" if seconds >= 1 else ""
        self.show(f"  {verb:<8}  {label(step.urn)}{took}")

    def _diagnose(self, event: DiagnosticEvent) -> None:
        # The engine repeats the program's own error under this name.
        text = _COLOUR.sub("", event.message).strip().removeprefix("an unhandled error occurred: ")
        if event.severity == "warning" and not event.ephemeral and text not in self._warned:
            self._warned.add(text)
            self.show(f"  warning   {text}")
        if not event.severity.startswith("error") or not text or _NOISE.search(text):
            return
        urn = event.urn or ""
        found = Problem("" if not urn or _quiet(_type(urn)) else label(urn), text)
        if found not in self.problems:
            self.problems.append(found)


def label(urn: str) -> str:
    """Return `Kind name` of a resource, such as `Deployment api`."""
    return f"{_type(urn).rpartition(':')[2]} {urn.rpartition('::')[2]}"


def _type(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _quiet(resource_type: str) -> bool:
    return resource_type.startswith(_QUIET_TYPES)


def _key(step: StepEventMetadata) -> tuple[str, str]:
    return (step.urn, step.op.value)
