"""A person sees what was done and how long it took, what is waited for, and each error once."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from pulumi.automation import events
from pulumi.automation.events import EngineEvent, OpType

from slipway.operate.progress import Problem, Progress, label

API = "urn:pulumi:local::slipway::slipway:workload:Workload$kubernetes:apps/v1:Deployment::api"
WORKER = "urn:pulumi:local::slipway::slipway:workload:Workload$kubernetes:apps/v1:Deployment::worker"
IMAGE = "urn:pulumi:local::slipway::docker:index/image:Image::app"
COMPONENT = "urn:pulumi:local::slipway::slipway:workload:Workload::api"
PROVIDER = "urn:pulumi:local::slipway::pulumi:providers:kubernetes::kubernetes"
STACK = "urn:pulumi:local::slipway::pulumi:pulumi:Stack::slipway-local"


@dataclass
class Run:
    """A run whose clock and events the test gives."""

    now: float = 0
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.progress = Progress(self.lines.append, lambda: self.now)

    def _step(self, urn: str, op: str) -> events.StepEventMetadata:
        kind = urn.split("::")[2].rpartition("$")[2]
        return events.StepEventMetadata(op=OpType(op), urn=urn, type=kind, provider="")

    def begin(self, urn: str, op: str = "create") -> None:
        pre = events.ResourcePreEvent(self._step(urn, op))
        self.progress.on_event(EngineEvent(0, 0, resource_pre_event=pre))

    def end(self, urn: str, op: str = "create") -> None:
        out = events.ResOutputsEvent(self._step(urn, op))
        self.progress.on_event(EngineEvent(0, 0, res_outputs_event=out))

    def fail(self, urn: str, op: str = "create") -> None:
        failed = events.ResOpFailedEvent(self._step(urn, op), 1, 1)
        self.progress.on_event(EngineEvent(0, 0, res_op_failed_event=failed))

    def say(self, text: str, severity: str = "error", urn: str = "") -> None:
        said = events.DiagnosticEvent(text, "raw", severity, urn=urn)
        self.progress.on_event(EngineEvent(0, 0, diagnostic_event=said))


@pytest.fixture
def run() -> Run:
    return Run()


def test_what_is_done_is_shown_with_the_time_it_took(run: Run) -> None:
    run.begin(API)
    run.now = 12.4
    run.end(API)
    run.begin(IMAGE, "update")
    run.end(IMAGE, "update")
    assert run.lines == ["  created   Deployment api  12 s", "  changed   Image app"]
    assert run.progress.counts == {"created": 1, "changed": 1}


def test_what_does_not_change_and_what_exists_for_the_engine_only_is_not_shown(run: Run) -> None:
    for urn, op in (
        (API, "same"),
        (STACK, "create"),
        (COMPONENT, "create"),
        (PROVIDER, "create"),
        (API, "read"),
    ):
        run.begin(urn, op)
        run.end(urn, op)
    assert run.lines == []
    assert run.progress.counts == {}


def test_a_replacement_counts_once(run: Run) -> None:
    for op in ("create-replacement", "replace", "delete-replaced"):
        run.begin(API, op)
        run.end(API, op)
    assert run.progress.counts == {"replaced": 1}


def test_the_longest_wait_is_named_first_and_many_are_counted(run: Run) -> None:
    for second, urn in enumerate((API, WORKER, IMAGE)):
        run.now = second
        run.begin(urn)
    run.now = 10
    assert run.progress.under_way() == "Deployment api 10 s, Deployment worker 9 s, Image app 8 s"
    assert run.progress.under_way(most=1) == "Deployment api 10 s, 2 more"


def test_what_failed_is_not_waited_for(run: Run) -> None:
    run.begin(API)
    run.fail(API)
    assert run.progress.under_way() == ""
    assert run.progress.counts == {}


def test_an_error_is_kept_once_with_its_resource(run: Run) -> None:
    run.say("<{%reset%}>boom<{%reset%}>\n", urn=API)
    run.say("boom", urn=API)
    run.say("the program says no", urn=STACK)
    run.say("an unhandled error occurred: the program says no", urn=STACK)
    run.say("no resource")
    run.say("update failed", urn=STACK)
    run.say("fine", severity="info")
    assert run.progress.problems == [
        Problem("Deployment api", "boom"),
        Problem("", "the program says no"),
        Problem("", "no resource"),
    ]


def test_a_warning_is_shown_at_once_and_only_once(run: Run) -> None:
    run.say("jwtSecret has no value", severity="warning")
    run.say("jwtSecret has no value", severity="warning")
    assert run.lines == ["  warning   jwtSecret has no value"]


def test_a_label_names_kind_and_name() -> None:
    assert label(API) == "Deployment api"
    assert label(IMAGE) == "Image app"
