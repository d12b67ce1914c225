"""A context leads to this machine only where its address can be nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.operate.kubeconfig import (
    Context,
    contexts_of,
    docker_networks,
    is_on_this_machine,
    read_kubeconfig,
)
from slipway.operate.machine import Done, OperateError
from tests.support.machine import FakeMachine

VIEW = json.dumps(
    {
        "clusters": [
            {"name": "near", "cluster": {"server": "https://127.0.0.1:6443"}},
            {
                "name": "far",
                "cluster": {"server": "https://10.1.2.3", "proxy-url": "socks5://localhost:1080"},
            },
        ],
        "contexts": [
            {"name": "here", "context": {"cluster": "near", "user": "me"}},
            {"name": "there", "context": {"cluster": "far", "user": "me"}},
            {"name": "lost", "context": {"cluster": "gone"}},
        ],
    }
)


@pytest.mark.parametrize(
    "server",
    [
        "https://127.0.0.1:6443",
        "https://127.9.9.9",
        "https://[::1]:6443",
        "https://localhost:6443",
        "https://0.0.0.0:34567",
        "https://kubernetes.docker.internal:6443",
        "https://172.18.0.2:6443",
        "https://192.168.7.7:6443",
    ],
)
def test_addresses_of_this_machine_are_accepted(server: str) -> None:
    context = Context("c", server, proxied=False)
    mine = {"192.168.7.7"}.__contains__
    assert is_on_this_machine(context, docker_networks=["172.18.0.0/16", "fc00::/64"], mine=mine)


@pytest.mark.parametrize(
    ("server", "proxied"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://10.0.0.5:6443", False),
        ("https://api.example.com", False),
        ("https://localhost.example.com", False),
        ("https://[2001:db8::1]", False),
        ("", False),
    ],
)
def test_any_other_address_is_not_this_machine(server: str, proxied: bool) -> None:
    context = Context("c", server, proxied=proxied)
    assert not is_on_this_machine(context, docker_networks=["172.18.0.0/16"], mine=lambda _: False)


def test_the_kernel_knows_the_addresses_of_this_machine() -> None:
    # 192.0.2.0/24 and 2001:db8::/32 are for documentation: no interface has one.
    for address in ("192.0.2.1", "[2001:db8::1]"):
        assert not is_on_this_machine(Context("c", f"https://{address}", proxied=False))


def test_contexts_are_read_with_the_server_of_their_cluster() -> None:
    found = contexts_of(VIEW)
    assert found["here"] == Context("here", "https://127.0.0.1:6443", proxied=False)
    assert found["there"].proxied
    assert found["lost"].server == ""
    assert contexts_of('{"clusters": null, "contexts": null}') == {}


def test_kubeconfig_of_the_shell_goes_before_the_default_but_not_before_one_that_is_named() -> None:
    machine = FakeMachine(
        answers={"config view": VIEW}, environment={"KUBECONFIG": "/a:/b", "HOME": "/home/me"}
    )
    assert read_kubeconfig(machine, "/bin/kubectl").paths == (Path("/a"), Path("/b"))
    assert read_kubeconfig(machine, "/bin/kubectl", "/named").paths == (Path("/named"),)
    assert [given["KUBECONFIG"] for given in machine.given] == ["/a:/b", "/named"]


def test_without_kubectl_there_are_no_contexts() -> None:
    assert read_kubeconfig(FakeMachine(), "").contexts == {}


def test_a_kubeconfig_that_cannot_be_read_is_named() -> None:
    machine = FakeMachine(
        answers={"config view": Done(1, error="error: yaml: line 3")}, environment={"KUBECONFIG": "/k"}
    )
    with pytest.raises(OperateError, match="The kubeconfig /k cannot be read: error: yaml: line 3"):
        read_kubeconfig(machine, "/bin/kubectl")


def test_a_context_of_several_files_is_copied_into_a_private_one(tmp_path: Path) -> None:
    answers = {"--minify": '{"kind": "Config"}', "config view": VIEW}
    one = FakeMachine(answers=dict(answers), environment={"KUBECONFIG": "/a"})
    several = FakeMachine(answers=dict(answers), environment={"KUBECONFIG": "/a:/b"})
    copy = tmp_path / "kubeconfig"

    assert read_kubeconfig(one, "/bin/kubectl").single_file(one, "/bin/kubectl", "here", copy) == Path("/a")
    assert not copy.exists()
    assert read_kubeconfig(several, "/bin/kubectl").single_file(several, "/bin/kubectl", "here", copy) == copy
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "--context=here" in several.commands[-1]


def test_a_context_that_cannot_be_copied_is_an_error(tmp_path: Path) -> None:
    machine = FakeMachine(
        answers={"--minify": Done(1, error="no such user"), "config view": VIEW},
        environment={"KUBECONFIG": "/a:/b"},
    )
    with pytest.raises(OperateError, match="context here cannot be read .*no such user"):
        read_kubeconfig(machine, "k").single_file(machine, "k", "here", tmp_path / "copy")


def test_the_subnets_of_docker_are_asked_of_docker() -> None:
    machine = FakeMachine(
        answers={"network ls": "a1\nb2\n", "network inspect": "172.17.0.0/16\n\n172.18.0.0/16\n"}
    )
    assert docker_networks(machine, "/bin/docker") == ("172.17.0.0/16", "172.18.0.0/16")
    assert docker_networks(FakeMachine(), "/bin/docker") == ()
    assert docker_networks(FakeMachine(), "") == ()
