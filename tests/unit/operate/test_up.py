"""`up` touches nothing before everything it needs is there, and goes on where a run was interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation.events import DiagnosticEvent, EngineEvent

from slipway.operate import up as up_module
from slipway.operate.engine import IMAGES_ONLY, Engine, OnEvent, Program
from slipway.operate.home import Choice, Home
from slipway.operate.kind import KindCluster
from slipway.operate.lock import Lock, LockHeldError
from slipway.operate.machine import Done, EngineFailedError, InterruptedRunError, OperateError
from slipway.operate.resume import Completion
from slipway.operate.up import Options, StackView, Up, built_images, go_on
from tests.support.machine import Answer, FakeMachine
from tests.support.up import FakeCommand, FakeScreen

SOCKET = "unix:///var/run/docker.sock"
VIEW = json.dumps(
    {
        "clusters": [
            {"name": "near", "cluster": {"server": "https://127.0.0.1:6443"}},
            {"name": "far", "cluster": {"server": "https://192.0.2.9:6443"}},
        ],
        "contexts": [
            {"name": "near", "context": {"cluster": "near"}},
            {"name": "far", "context": {"cluster": "far"}},
        ],
    }
)
STATE = {
    "deployment": {
        "resources": [
            {"type": "docker:index/image:Image", "outputs": {"imageName": "chat-app:1", "skipPush": True}},
            {"type": "docker:index/image:Image", "outputs": {"imageName": "r/pushed:1", "skipPush": False}},
            {"type": "pulumi:pulumi:Stack"},
        ]
    }
}


class FakeEngine(Engine):
    """An engine that writes down what it is asked to do."""

    made: list[FakeEngine] = []  # noqa: RUF012 - emptied for each test

    def __init__(self, project: Path, stack: str, command: FakeCommand, variables: Mapping[str, str]) -> None:
        super().__init__(project, stack, command, variables)
        self.did: list[str] = []
        self.known = False
        FakeEngine.made.append(self)

    def exists(self) -> bool:
        return self.known

    def create(self) -> None:
        self.did.append("create")

    def up(self, program: Program, on_event: OnEvent, *, targets: Sequence[str] = ()) -> None:
        program()
        self.did.append(f"up {' '.join(targets)}".strip())
        on_event(EngineEvent(0, 0))

    def pulumi(self, arguments: Sequence[str], standard_input: str | None) -> str:  # noqa: ARG002
        if arguments[:2] == ("stack", "output"):
            return '{"namespace": "chat-local"}'
        return json.dumps(STATE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "Pulumi.yaml").write_text("name: slipway\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  slipway:cluster: { kind: existing }\n")
    monkeypatch.setattr(up_module, "Engine", FakeEngine)
    FakeEngine.made = []
    return Home(tmp_path, "local")


def _up(
    home: Home,
    *,
    context: str = "",
    registry: str = "",
    file_context: str = "near",
    pushes: bool = False,
    programs: Sequence[str] = ("pulumi", "kubectl", "docker", "kind"),
    kubeconfig: str = "/k",
    answers: Mapping[str, Answer] | None = None,
) -> tuple[Up, FakeMachine, FakeScreen]:
    given: dict[str, Answer] = {
        **(answers or {}),
        "config view": VIEW,
        "pulumi version": "v3.259.0",
        "docker --host": "28\n",
    }
    machine = FakeMachine(programs, given, {"KUBECONFIG": kubeconfig})
    view = StackView(
        file_context,
        "~/.kube/config",
        (SOCKET,),
        pushes,
        ("api",),
        lambda choice: {"slipway:cluster": json.dumps(vars(choice))},
    )
    screen = FakeScreen()
    return Up(machine, home, view, Options(context, registry), screen), machine, screen


def test_a_new_stack_is_created_and_brought_up(home: Home) -> None:
    up, _, _ = _up(home)
    ran: list[str] = []
    report = up.run(lambda: ran.append("program"))
    (engine,) = FakeEngine.made
    assert engine.did == ["create", "up"]
    assert ran == ["program"]
    assert report.outputs == {"namespace": "chat-local"}
    assert home.choice() == Choice("near", "/k")
    assert '"context\\": \\"near' in home.stack_file.read_text()


def test_a_stack_that_exists_is_not_created_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEngine, "exists", lambda _: True)
    up, _, _ = _up(home)
    up.run(lambda: None)
    assert FakeEngine.made[0].did == ["up"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"programs": ()}, "kubectl is not found"),
        ({"programs": ("pulumi", "kubectl")}, "docker is not found"),
        ({"file_context": "far"}, "not on this machine"),
        ({"context": "nowhere"}, "There is no context nowhere"),
        ({"answers": {"/readyz": Done(1, error="refused")}}, "does not answer: refused"),
        ({"context": "far"}, "the nodes of far cannot see it"),
        ({"file_context": "kind-x", "programs": ("pulumi", "kubectl", "docker")}, "kind is not found"),
    ],
)
def test_nothing_is_touched_where_something_is_missing(home: Home, given: dict[str, Any], said: str) -> None:
    up, _, _ = _up(home, **given)
    with pytest.raises(OperateError, match=said):
        up.run(lambda: None)
    assert not home.root.exists()
    assert FakeEngine.made == []


def test_without_kubectl_and_kubeconfig_kind_is_named_as_missing_too(home: Home) -> None:
    up, _, _ = _up(home, programs=(), file_context="kind-slipway", kubeconfig=str(home.project / "none"))
    with pytest.raises(OperateError, match=r"kubectl is not found[^$]*kind is not found"):
        up.run(lambda: None)


def test_a_distant_cluster_that_is_named_gets_the_image_by_a_registry(home: Home) -> None:
    up, machine, _ = _up(home, context="far", registry="r.example/team")
    up.run(lambda: None)
    assert home.choice() == Choice("far", "/k", "r.example/team")
    assert FakeEngine.made[0].did == ["create", "up"]
    assert machine.ran("load") == []


def test_a_registry_that_a_near_cluster_announces_is_used(home: Home) -> None:
    up, _, _ = _up(home, answers={"local-registry-hosting": 'host: "localhost:5001"'})
    up.run(lambda: None)
    assert home.choice() == Choice("near", "/k", "localhost:5001")


def test_without_a_registry_images_are_built_and_loaded_before_anything_runs_them(home: Home) -> None:
    up, machine, screen = _up(home, context="near")
    machine.environment = {**machine.environment, "SLIPWAY_IMAGE_LOAD": "bring it"}
    up.run(lambda: None)
    assert FakeEngine.made[0].did == ["create", f"up {IMAGES_ONLY}", "up"]
    assert machine.ran("bring it") == ["bring it chat-app:1"]
    assert "loading   chat-app:1" in screen.lines[-1]


def test_images_that_the_stack_file_pushes_are_not_loaded(home: Home) -> None:
    up, machine, _ = _up(home, pushes=True)
    machine.environment = {**machine.environment, "SLIPWAY_IMAGE_LOAD": "bring it"}
    up.run(lambda: None)
    assert FakeEngine.made[0].did == ["create", "up"]
    assert machine.ran("bring it") == []


def test_a_stack_stays_where_it_is(home: Home) -> None:
    home.prepare()
    home.keep(Choice("far", "/other"))
    stays, _, _ = _up(home)
    stays.run(lambda: None)
    assert home.choice() == Choice("far", "/other")
    moves, _, _ = _up(home, context="near")
    with pytest.raises(
        OperateError, match=r"stands in the cluster of the context far[^$]*make down[^$]*CONTEXT=near"
    ):
        moves.run(lambda: None)


def test_a_context_of_several_files_becomes_a_private_kubeconfig(home: Home) -> None:
    up, _, _ = _up(home, kubeconfig="/a:/b", answers={"--minify": "{}"})
    up.run(lambda: None)
    assert home.choice() == Choice("near", str(home.kubeconfig))


def test_a_kind_cluster_that_is_made_is_remembered_as_ours(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Choice | None] = []

    def make(cluster: KindCluster, tell: Callable[[str], None]) -> None:
        tell(f"making {cluster.name}")
        kept.append(home.choice())

    monkeypatch.setattr(up_module.KindCluster, "make", make)
    up, _, screen = _up(home, file_context="kind-slipway")
    up.run(lambda: None)
    ours = Choice("kind-slipway", str(home.kubeconfig), "localhost:5001", kind="slipway")
    assert kept == [ours]
    assert home.made_clusters() == ["slipway"]
    assert home.choice() == ours
    assert screen.lines == ["making slipway"]


def test_a_kind_cluster_that_was_there_before_is_not_ours(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up_module.KindCluster, "make", lambda *_: None)
    up, _, _ = _up(home, file_context="kind-slipway", answers={"get clusters": "slipway\n"})
    up.run(lambda: None)
    assert home.made_clusters() == []


def test_pulumi_is_installed_where_there_is_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_module, "install_pulumi", lambda root: (f"{root}/bin/pulumi", "3.272.0"))
    up, _, screen = _up(home, programs=("kubectl", "docker"))
    up.run(lambda: None)
    assert FakeEngine.made[0].command.command == f"{home.root}/bin/pulumi"
    assert "installing it into" in screen.lines[0]


# --- a run that fails, or was interrupted ---------------------------------------------------------------------


def test_a_failure_is_told_by_resource_reason_and_remedy(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(on_event: Callable[[EngineEvent], None]) -> None:
        urn = "urn:pulumi:local::slipway::kubernetes:apps/v1:Deployment::api"
        on_event(EngineEvent(0, 0, diagnostic_event=DiagnosticEvent("ErrImagePull", "raw", "error", urn=urn)))
        raise EngineFailedError("update failed")

    monkeypatch.setattr(FakeEngine, "up", lambda _, __, on_event, **___: fail(on_event))
    up, _, _ = _up(home)
    with pytest.raises(OperateError, match=r"Deployment api: ErrImagePull\n.*REGISTRY"):
        up.run(lambda: None)


def test_a_failure_before_any_resource_is_told_too(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise EngineFailedError("incorrect passphrase")

    monkeypatch.setattr(FakeEngine, "up", fail)
    up, _, _ = _up(home)
    with pytest.raises(OperateError, match=r"incorrect passphrase\n.*\.slipway/passphrase"):
        up.run(lambda: None)


def test_a_run_that_a_person_stopped_says_how_to_go_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: FakeEngine, *_: object, **__: object) -> None:
        self.stopped = 1
        raise EngineFailedError("update canceled")

    monkeypatch.setattr(FakeEngine, "up", stop)
    up, _, _ = _up(home)
    with pytest.raises(InterruptedRunError, match="`make up` goes on from there"):
        up.run(lambda: None)


def _fake_engine(tmp_path: Path) -> FakeEngine:
    return FakeEngine(tmp_path, "local", FakeCommand(), {})


def test_a_run_after_a_killed_one_says_that_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock(tmp_path, 1, "me", "here", None)
    monkeypatch.setattr(up_module, "clear_dead_locks", lambda *_, **__: (lock,))
    adopted = Completion(adopted=("urn",))
    monkeypatch.setattr(up_module, "finish_interrupted", lambda *_, **__: adopted)
    screen = FakeScreen()
    go_on(_fake_engine(tmp_path), "file:///x", screen)
    assert screen.lines == [
        "the last run was interrupted: going on from there",
        "  taken over  1 that it had created",
    ]


def test_a_lock_that_is_held_is_waited_for_and_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    answers: Iterator[object] = iter([LockHeldError("held"), ()])

    def clear(*_: object, **__: object) -> object:
        answer = next(answers, LockHeldError("held by process 7"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(up_module, "clear_dead_locks", clear)
    monkeypatch.setattr(up_module.time, "sleep", waits.append)
    screen = FakeScreen()
    go_on(_fake_engine(tmp_path), "file:///x", screen)
    assert waits == [1]
    with pytest.raises(LockHeldError, match="process 7"):
        go_on(_fake_engine(tmp_path), "file:///x", screen)
    assert len(screen.lines) == 2


def test_only_images_that_stay_in_docker_are_loaded(tmp_path: Path) -> None:
    assert built_images(_fake_engine(tmp_path)) == ["chat-app:1"]
