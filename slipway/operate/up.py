"""`up` from the first look to the running stack: everything is checked before anything is touched.

Handed the program and a view of the stack file by its caller: this package knows neither.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, cast

from slipway.offline.model import Json
from slipway.operate.clusters import (
    IMAGE_LOAD,
    announced_registry,
    decide,
    load_command,
    load_images,
    refuse_distant,
    require_answer,
)
from slipway.operate.engine import IMAGES_ONLY, CancellableCommand, Engine, Program
from slipway.operate.failures import explain
from slipway.operate.home import UNSET, Choice, Home
from slipway.operate.kind import PREFIX as KIND_PREFIX
from slipway.operate.kind import KindCluster
from slipway.operate.kubeconfig import docker_networks, is_on_this_machine, read_kubeconfig
from slipway.operate.lock import Lock, LockHeldError, clear_dead_locks
from slipway.operate.machine import EngineFailedError, InterruptedRunError, Machine, OperateError
from slipway.operate.progress import Problem, Progress
from slipway.operate.resume import finish_interrupted
from slipway.operate.tools import Needs, Tools, find_tools, install_pulumi

PROJECT = "slipway"
"""The project's name in Pulumi.yaml."""

_LOCK_SECONDS = 15
"""How long a lock that is held is waited for; an engine that is not in the middle of something ends within two."""

_IMAGE_TYPE = "docker:index/image:Image"


class Screen(Protocol):
    """Where a person sees what happens."""

    def tell(self, line: str) -> None:
        """Print a line."""
        ...

    def watch(self, progress: Progress) -> AbstractContextManager[None]:
        """Show what is under way as long as the block runs."""
        ...


@dataclass(frozen=True)
class StackView:
    """What `up` must know of a stack file.

    Attributes:
        context: the context of its cluster.
        kubeconfig: the kubeconfig that it names.
        docker_hosts: addresses of the Docker daemons that build its images.
        pushes: whether every image that it builds is pushed to a registry that it names.
        services: the names of its services.
        settled: gives the values that take the place of the file's, by full key, for a choice.
    """

    context: str
    kubeconfig: str
    docker_hosts: tuple[str, ...]
    pushes: bool
    services: tuple[str, ...]
    settled: Callable[[Choice], Mapping[str, str]]


@dataclass(frozen=True)
class Options:
    """What a person says on the command line: `CONTEXT=` and `REGISTRY=`, empty where nothing was said."""

    context: str = ""
    registry: str = ""


@dataclass(frozen=True)
class Report:
    """A stack that is up.

    Attributes:
        counts: how many resources were created, changed, replaced, deleted.
        seconds: how long the engine took.
        outputs: the stack's outputs, secrets as `[secret]`.
    """

    counts: Mapping[str, int]
    seconds: float
    outputs: Mapping[str, Json]


@dataclass
class Up:
    """One `up` of a stack that is kept on this machine.

    Attributes:
        machine: where it runs.
        home: the stack's private files.
        view: what its file says.
        options: what the person says.
        screen: what the person sees.
    """

    machine: Machine
    home: Home
    view: StackView
    options: Options
    screen: Screen
    _tools: Tools = field(default_factory=Tools)

    def run(self, program: Program) -> Report:
        """Bring the stack up.

        Raises:
            OperateError: when something is missing or failed; the text says what to do.
        """
        choice = self._look()
        self.home.prepare()
        tools = self._tools
        if not tools.pulumi:
            self.screen.tell(f"pulumi is not found: installing it into {self.home.root / 'bin'}")
            path, version = install_pulumi(self.home.root)
            tools = replace(tools, pulumi=path, pulumi_version=version)
        engine = Engine(
            self.home.project,
            self.home.stack,
            CancellableCommand(tools.pulumi, tools.pulumi_version, unset=(*UNSET, IMAGE_LOAD)),
            self.home.variables(),
        )
        choice = self._settle(choice)
        self.home.copy_stack_file(self.view.settled(choice))
        if not engine.exists():
            engine.create()
        go_on(engine, self.home.backend_url, self.screen)
        load = [] if choice.registry or self.view.pushes else load_command(self.machine, choice.context)
        return bring_up(self.machine, engine, program, self.screen, self.view.services, load)

    def _look(self) -> Choice:
        """Look at everything that `up` depends on; touch nothing."""
        machine, view, kept = self.machine, self.view, self.home.choice()
        kubectl = machine.which("kubectl") or ""
        kubeconfig = read_kubeconfig(machine, kubectl, view.kubeconfig)
        if not kubectl:
            # It raises; without kubectl nobody can say which contexts there are, unless there is no kubeconfig at all.
            alone = (
                not any(path.exists() for path in kubeconfig.paths)
                and not self.options.context
                and kept is None
            )
            kind = alone and view.context.startswith(KIND_PREFIX)
            find_tools(
                machine, self.home.root, Needs(docker_hosts=view.docker_hosts, kind=kind, install=True)
            )
        target = decide(self.options.context, kept, view.context, kubeconfig)
        needs = Needs(docker_hosts=view.docker_hosts, kind=bool(target.make_kind), install=True)
        self._tools = find_tools(machine, self.home.root, needs)
        self._refuse_move(kept, target.context)
        if target.make_kind:
            return Choice(
                target.context, str(self.home.kubeconfig), self.options.registry, kind=target.make_kind
            )
        if kept is not None and kept.context == target.context:
            choice = replace(kept, registry=self.options.registry or kept.registry)
            require_answer(machine, self._tools.kubectl, choice)
            return choice
        context = kubeconfig.contexts[target.context]
        networks = docker_networks(machine, machine.which("docker") or "")
        if not target.named:
            refuse_distant(context, networks)
        choice = Choice(context.name, str(kubeconfig.paths[0]), self.options.registry)
        if len(kubeconfig.paths) > 1:
            self.home.prepare()
            one = kubeconfig.single_file(machine, self._tools.kubectl, context.name, self.home.kubeconfig)
            choice = replace(choice, kubeconfig=str(one))
        require_answer(machine, self._tools.kubectl, choice)
        if self._built_here(choice) and is_on_this_machine(context, docker_networks=networks):
            choice = replace(choice, registry=announced_registry(machine, self._tools.kubectl, choice))
        elif self._built_here(choice) and not load_command(machine, choice.context):
            raise OperateError(
                f"The stack builds its image here, and the nodes of {choice.context} cannot see it.\n"
                f"Name a registry that both reach: make up CONTEXT={choice.context} REGISTRY=host/path.\n"
                f"Or name a command that brings an image there, in the variable {IMAGE_LOAD}."
            )
        return choice

    def _built_here(self, choice: Choice) -> bool:
        return bool(self.view.docker_hosts) and not self.view.pushes and not choice.registry

    def _refuse_move(self, kept: Choice | None, context: str) -> None:
        """Refuse to go to another cluster while the stack still stands in one."""
        if kept is None or kept.context == context:
            return
        raise OperateError(
            f"The stack {self.home.stack} stands in the cluster of the context {kept.context}. If it went to another "
            "one, everything in it would be left behind there.\n"
            f"Remove it first: make down. Then: make up CONTEXT={context}"
        )

    def _settle(self, choice: Choice) -> Choice:
        """Keep the choice, and make the cluster where there is none."""
        if not choice.kind:
            self.home.keep(choice)
            return choice
        cluster = KindCluster(self.machine, self._tools, choice.kind, self.home.kubeconfig)
        if not cluster.exists():
            # Before it is made: `down --cluster` can remove what an interrupted run has begun.
            self.home.mark_cluster(choice.kind)
        settled = replace(choice, registry=choice.registry or cluster.registry)
        self.home.keep(settled)
        cluster.make(self.screen.tell)
        return settled


def go_on(engine: Engine, backend_url: str, screen: Screen) -> None:
    """Finish what an interrupted run has left: its lock, and creations that were under way.

    Raises:
        LockHeldError: when another run works on the stack.
        ForeignObjectsError: when an object is in the way that somebody else made.
    """
    locks = _clear_locks(engine, backend_url, screen)
    since: datetime | None = min((lock.since for lock in locks if lock.since), default=None)
    if locks:
        screen.tell("the last run was interrupted: going on from there")
    completion = finish_interrupted(engine.pulumi, since=since)
    if completion.adopted:
        screen.tell(f"  taken over  {len(completion.adopted)} that it had created")


def _clear_locks(engine: Engine, backend_url: str, screen: Screen) -> tuple[Lock, ...]:
    """Clear dead locks; an engine whose slipway was killed needs a moment to notice, and is waited for."""
    for attempt in range(_LOCK_SECONDS):
        try:
            return clear_dead_locks(backend_url, project=PROJECT, stack=engine.stack)
        except LockHeldError:
            if not attempt:
                screen.tell("another run holds the stack: waiting whether it ends")
            time.sleep(1)
    return clear_dead_locks(backend_url, project=PROJECT, stack=engine.stack)


def bring_up(
    machine: Machine,
    engine: Engine,
    program: Program,
    screen: Screen,
    services: Sequence[str],
    load: Sequence[str] = (),
) -> Report:
    """Run the engine until the stack is as the program describes it.

    Args:
        machine: runs `load`.
        engine: the stack.
        program: what it shall be.
        screen: what the person sees.
        services: names of services, for errors.
        load: a command that brings an image into the cluster; then images are built and brought there first.

    Raises:
        OperateError: when it failed or was stopped.
    """
    progress = Progress(screen.tell, time.monotonic)
    began = time.monotonic()

    def up(*targets: str) -> None:
        with told(engine, progress, services), screen.watch(progress):
            engine.up(program, progress.on_event, targets=targets)

    if load:
        up(IMAGES_ONLY)
        images = built_images(engine)
        if images:
            screen.tell(f"  loading   {', '.join(images)} into the cluster")
            load_images(machine, load, images)
    up()
    outputs = cast("dict[str, Json]", json.loads(engine.pulumi(("stack", "output", "--json"), None)))
    return Report(progress.counts, time.monotonic() - began, outputs)


def built_images(engine: Engine) -> list[str]:
    """Return the names of the images in the stack's state that stay in the Docker daemon."""
    names: list[str] = []
    for resource in engine.resources():
        outputs = resource.get("outputs")
        if resource.get("type") == _IMAGE_TYPE and isinstance(outputs, dict) and outputs.get("skipPush"):
            names.append(str(outputs["imageName"]))
    return names


@contextmanager
def told(engine: Engine, progress: Progress, services: Sequence[str]) -> Generator[None]:
    """Turn a failed run of the engine into an error that a person can act on.

    Args:
        engine: what runs.
        progress: its events.
        services: names of services.
    """
    try:
        yield
    except EngineFailedError as error:
        if engine.stopped:
            raise InterruptedRunError(
                "Stopped. What was made so far is kept: `make up` goes on from there, `make down` removes it."
            ) from None
        problems = progress.problems or [Problem("", str(error))]
        raise OperateError(f"The run failed:\n{explain(problems, services)}") from None
