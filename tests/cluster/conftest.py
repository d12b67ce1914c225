"""The `local` stack, brought up once for all tests of this folder, and gone when they end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster import Cluster, require_cluster, require_docker
from tests.support.cluster_chat import Chat
from tests.support.cluster_door import open_doors
from tests.support.cluster_load import set_up_generator
from tests.support.cluster_pods import IdlePod, client_policies, pod, start_pods
from tests.support.cluster_stack import API_PODS_UNDER_LOAD, APPLICATION, LiveStack, prepare
from tests.support.engine import pulumi_binary

ORDER = ("pods", "data", "live", "flows", "scaling", "load", "rollout", "recovery", "destroy")
"""The files by what they do to the stack: first those that only look, at last the one that ends it."""

CLIENT = "client"
FIGURES = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of this folder in that order, whatever order they were named in."""
    places = {f"test_{name}.py": place for place, name in enumerate(ORDER)}
    items.sort(key=lambda item: places.get(item.path.name, -1) if item.path.parent.name == "cluster" else -1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    for figure in config.stash.get(FIGURES, []):
        terminalreporter.write_line(figure)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    """What was measured, a line each; printed at the end."""
    return pytestconfig.stash.setdefault(FIGURES, [])


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The cluster of KUBECONFIG; without it, Docker or pulumi the whole tier is skipped with a sentence."""
    pulumi_binary()
    require_docker()
    return require_cluster(tmp_path_factory.mktemp("kubeconfig"))


@pytest.fixture(scope="session")
def stack(
    cluster: Cluster, figures: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveStack]:
    """The stack, up."""
    engine, namespace = prepare(tmp_path_factory.mktemp("stack"), cluster)
    try:
        first = engine.up()
        figures.append(f"up: {len(first.changes)} resources in {first.seconds:.0f} s")
        yield LiveStack(namespace, engine, engine.outputs()["images"]["api"])
    finally:
        # Nothing is left behind, even where `destroy` fails.
        try:
            engine.destroy()
        finally:
            cluster.run("delete", "namespace", namespace.namespace, "--ignore-not-found", seconds=180)


@pytest.fixture(scope="session")
def client(stack: LiveStack) -> IdlePod:
    """A pod that may call the API."""
    stack.cluster.apply(*client_policies(APPLICATION, CLIENT))
    (started,) = start_pods(stack.cluster, pod(CLIENT, stack.image))
    return started


@pytest.fixture(scope="session")
def doors(stack: LiveStack) -> dict[str, str]:
    """The URLs at which this machine reaches the API and the frontend."""
    return open_doors(stack.cluster, APPLICATION, "api", "frontend")


@pytest.fixture(scope="session")
def anybody(doors: dict[str, str]) -> Chat:
    """A client of the API without an account."""
    return Chat(doors["api"])


@pytest.fixture(scope="session")
def chat(anybody: Chat) -> Chat:
    """A client of the API with an account."""
    return anybody.registered()


@pytest.fixture(scope="session")
def generator() -> None:
    """The load generator can be started."""
    set_up_generator()


@pytest.fixture(scope="session")
def held(stack: LiveStack, generator: None) -> LiveStack:  # noqa: ARG001
    """The stack with few API pods at the most, ready for load."""
    # The load keeps the autoscaler at its maximum; it would take five quiet minutes to go below.
    for bound, pods in (("min", 1), ("max", API_PODS_UNDER_LOAD)):
        stack.engine.configure({f"slipway:services.api.scaling.{bound}": str(pods)}, path=True)
    stack.engine.up()
    stack.wait_settled("api", at_most=API_PODS_UNDER_LOAD)
    return stack
