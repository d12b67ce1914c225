"""A stack never lands in a cluster that nobody meant, and its image gets to the nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.operate.clusters import (
    Target,
    announced_registry,
    decide,
    load_command,
    load_images,
    refuse_distant,
    require_answer,
)
from slipway.operate.home import Choice
from slipway.operate.kubeconfig import Context, Kubeconfig
from slipway.operate.machine import Done, OperateError
from tests.support.machine import FakeMachine

HERE = Context("here", "https://127.0.0.1:6443", proxied=False)
THERE = Context("there", "https://10.1.2.3:6443", proxied=False)
KUBECONFIG = Kubeconfig((Path("/k"),), {"here": HERE, "there": THERE})
CHOICE = Choice("here", "/k")


def test_a_context_that_a_person_names_is_taken_and_counts_as_meant() -> None:
    assert decide("there", None, "here", KUBECONFIG) == Target("there", named=True)


def test_the_context_of_the_stack_file_is_taken_but_does_not_count_as_meant() -> None:
    assert decide("", None, "there", KUBECONFIG) == Target("there", named=False)


def test_where_the_stack_stands_it_stays() -> None:
    kept = Choice("there", "/k", kind="")
    assert decide("", kept, "here", KUBECONFIG) == Target("there", named=True)
    assert decide("", Choice("kind-slipway", "/p", kind="slipway"), "here", KUBECONFIG).make_kind == "slipway"


def test_a_kind_context_that_is_missing_is_made() -> None:
    assert decide("", None, "kind-slipway", KUBECONFIG) == Target("kind-slipway", make_kind="slipway")


@pytest.mark.parametrize(("option", "file_context"), [("kind-other", "here"), ("", "team")])
def test_a_context_that_is_missing_is_refused_with_those_that_there_are(
    option: str, file_context: str
) -> None:
    with pytest.raises(OperateError, match="There is no context .* in /k. Contexts there: here, there"):
        decide(option, None, file_context, KUBECONFIG)


def test_a_kubeconfig_without_contexts_says_so() -> None:
    with pytest.raises(OperateError, match="It has none"):
        decide("x", None, "here", Kubeconfig((Path("/k"),), {}))


def test_a_distant_cluster_is_refused_with_the_command_that_means_it() -> None:
    refuse_distant(HERE, ())
    refuse_distant(THERE, ["10.1.0.0/16"])
    with pytest.raises(
        OperateError,
        match=r"leads to https://10\.1\.2\.3:6443, which is not on this machine[^$]*CONTEXT=there",
    ):
        refuse_distant(THERE, ())
    with pytest.raises(OperateError, match="through a proxy"):
        refuse_distant(Context("p", "https://127.0.0.1", proxied=True), ())


def test_a_cluster_that_does_not_answer_is_an_error() -> None:
    machine = FakeMachine()
    require_answer(machine, "/bin/kubectl", CHOICE)
    assert machine.commands[0].startswith("/bin/kubectl --kubeconfig=/k --context=here get --raw /readyz")
    dead = FakeMachine(answers={"/readyz": Done(1, error="connection refused")})
    with pytest.raises(OperateError, match="context here does not answer: connection refused"):
        require_answer(dead, "/bin/kubectl", CHOICE)


def test_a_registry_that_the_cluster_announces_is_found() -> None:
    said = 'host: "localhost:5001"\nhelp: "https://example"\n'
    assert announced_registry(FakeMachine(answers={"hosting": said}), "k", CHOICE) == "localhost:5001"
    for answer in ("help: x\n", Done(1, error="NotFound")):
        assert announced_registry(FakeMachine(answers={"hosting": answer}), "k", CHOICE) == ""


@pytest.mark.parametrize(
    ("context", "command"),
    [
        ("kind-mine", "kind load docker-image --name mine"),
        ("k3d-mine", "k3d image import --cluster mine"),
        ("minikube", "minikube image load"),
        ("docker-desktop", ""),
    ],
)
def test_each_kind_of_cluster_gets_images_its_own_way(context: str, command: str) -> None:
    assert " ".join(load_command(FakeMachine(), context)) == command
    named = FakeMachine(environment={"SLIPWAY_IMAGE_LOAD": "bring 'it in'"})
    assert load_command(named, context) == ["bring", "it in"]


def test_an_image_that_does_not_get_there_is_an_error_with_two_ways_out() -> None:
    machine = FakeMachine()
    load_images(machine, ["load"], ["a:1", "b:2"])
    assert machine.commands == ["load a:1", "load b:2"]
    broken = FakeMachine(answers={"load": Done(1, error="no space left")})
    with pytest.raises(
        OperateError, match="`load a:1` failed: no space left[^$]*REGISTRY=[^$]*SLIPWAY_IMAGE_LOAD"
    ):
        load_images(broken, ["load"], ["a:1"])
