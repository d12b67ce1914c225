"""An `up` that was killed half way is finished by the next."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from slipway.operate.lock import clear_dead_locks
from slipway.operate.resume import Completion, ForeignObjectsError, finish_interrupted
from tests.engine import toy
from tests.engine.conftest import ToyStacks
from tests.engine.plugins.package import DELAYS
from tests.support.engine import EngineStack, Result
from tests.support.engine_child import ChildUp
from tests.support.engine_secrets import generated_secrets, leaks, written_files


def _kill_while_creating(stack: EngineStack, label: str, kind: str, identity: str) -> None:
    """Kill an `up` at a moment when the object exists and the engine has not been told yet."""
    child = ChildUp(stack, {DELAYS: json.dumps({label: 60})})
    child.kill_when(lambda: stack.cloud.get(f"kubernetes:core/v1:{kind}", identity) is not None)


def _finish(stack: EngineStack) -> Completion:
    """What the product does before an `up`."""
    (lock,) = clear_dead_locks(stack.backend.as_uri(), project=stack.project, stack=stack.name)
    return finish_interrupted(stack.pulumi, since=lock.since)


@dataclass
class _Story:
    """What happened to a stack whose first `up` was killed."""

    stack: EngineStack
    torn: Result
    while_locked: Result
    without_help: Result
    completion: Completion
    finished: Result
    again: Result


@pytest.fixture(scope="module")
def story(toys: ToyStacks) -> _Story:
    """A first `up` that was killed, and every attempt to go on."""
    stack = toys.make("first", toy.program)
    _kill_while_creating(stack, "Secret credentials", "Secret", "toy/credentials")
    # A kill at the worst moment tears the file beside the state; whether it did is chance, so here it is done.
    attributes = stack.backend / ".pulumi" / "stacks" / stack.project / f"{stack.name}.json.attrs"
    attributes.write_text("")
    torn = stack.up(check=False)
    attributes.write_text("{}")
    while_locked = stack.up(check=False)
    attributes.write_text("")
    (lock,) = clear_dead_locks(stack.backend.as_uri(), project=stack.project, stack=stack.name)
    without_help = stack.up(check=False)
    completion = finish_interrupted(stack.pulumi, since=lock.since)
    return _Story(stack, torn, while_locked, without_help, completion, stack.up(), stack.up())


def test_a_killed_up_leaves_a_lock_which_the_engine_does_not_clear(story: _Story) -> None:
    assert "the stack is currently locked by 1 lock" in story.while_locked.error


def test_a_torn_file_beside_the_state_stops_the_engine_until_it_is_dropped(story: _Story) -> None:
    assert "failed to load checkpoint" in story.torn.error
    assert "failed to load checkpoint" not in story.without_help.error


def test_without_help_the_next_up_is_refused_what_the_killed_one_created(story: _Story) -> None:
    assert "already exists" in story.without_help.error


def test_what_the_killed_up_created_is_adopted(story: _Story) -> None:
    assert "credentials" in {urn.rsplit("::", 1)[-1] for urn in story.completion.adopted}
    assert story.completion.unknown == ()


def test_the_next_up_creates_only_what_was_missing(story: _Story) -> None:
    assert "Secret credentials" not in story.finished.names()
    assert "Deployment api" in story.without_help.names("create") | story.finished.names("create")
    assert story.finished.names("replace") | story.finished.names("update") == set()
    assert story.again.names() == set()


def test_adopting_keeps_secrets_encrypted(story: _Story) -> None:
    secrets = generated_secrets(story.stack)
    runs = (story.while_locked, story.without_help, story.finished)
    printed = {f"run {number}": run.text for number, run in enumerate(runs)}

    assert len(secrets) == 5
    assert leaks(secrets, {**written_files(story.stack.backend), **printed}) == []


def test_a_killed_replacement_is_finished_by_the_next(toys: ToyStacks) -> None:
    stack = toys.make("replacement", toy.program, version="1")
    stack.up()
    stack.configure({"toy:version": "2"})
    _kill_while_creating(stack, "ConfigMap settings", "ConfigMap", "toy/settings-2")

    _finish(stack)
    stack.up()

    settings = [identity for token, identity in stack.cloud.objects() if token.endswith("ConfigMap")]
    assert settings == ["toy/settings-2"]
    assert stack.up().names() == set()
    stack.destroy()
    assert list(stack.cloud.objects()) == []


def test_an_object_somebody_else_made_earlier_is_not_taken_over(toys: ToyStacks) -> None:
    stack = toys.make("foreign", toy.program)
    _kill_while_creating(stack, "Secret credentials", "Secret", "toy/credentials")
    kind, identity = "kubernetes:core/v1:Secret", "toy/credentials"
    ours = stack.cloud.get(kind, identity) or {}
    stack.cloud.put(
        kind,
        identity,
        {**ours, "metadata": {"name": "credentials", "creationTimestamp": "2020-01-01T00:00:00Z"}},
    )

    with pytest.raises(ForeignObjectsError, match="Secret toy/credentials"):
        _finish(stack)
    assert not any("Secret" in urn for urn in stack.resources())
