"""One command to a running stack on a real cluster: its addresses open, its commands work, and one more ends it."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.checkout import ROOT, Checkout
from tests.support.cluster import LOAD, Cluster, image_load_command, wait_for

NOT_COPIED = shutil.ignore_patterns(".venv", ".*_cache", "__pycache__")
OPEN_SECONDS = 60


class Life:
    """One checkout that is up."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.cluster = cluster
        self.namespace = f"chat-up-{secrets.token_hex(3)}"
        environment = {
            "KUBECONFIG": str(cluster.kubeconfig),
            "SLIPWAY_SIMULATED_LIVE": "1",
            LOAD: image_load_command(cluster.context),
        }
        self.checkout = Checkout(folder, environment=environment, namespace=self.namespace)
        shutil.copytree(ROOT / "app", self.checkout.project / "app", ignore=NOT_COPIED)
        self.checkout.commit()
        self.up = self.checkout.slipway("up", "--context", cluster.context)

    @contextmanager
    def opened(self, service: str) -> Iterator[str]:
        """The address of a service as long as the block runs."""
        run = self.checkout.start("open", service, "--no-browser")
        try:
            run.wait_for(lambda: "Forwarding from" in run.text)
            (address,) = re.findall(rf"^{service}: (\S+)", run.text, re.M)
            yield address
        finally:
            run.process.terminate()
            run.end()


@pytest.fixture(scope="module")
def life(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """The stack, up, and gone when the tests end."""
    life = Life(tmp_path_factory.mktemp("up"), cluster)
    yield life
    cluster.run("delete", "namespace", life.namespace, "--ignore-not-found", seconds=180)


def _status(address: str) -> int:
    """The status of an HTTP answer; 0 where none came."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - an address of this machine
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize(("service", "path"), [("frontend", "/"), ("api", "/health/ready")])
def test_each_address_that_is_printed_opens(life: Life, service: str, path: str) -> None:
    assert "slipway open frontend" in life.up
    with life.opened(service) as address:
        assert wait_for(service, lambda: _status(address + path) == 200, seconds=OPEN_SECONDS)


def test_psql_shows_that_the_migrations_ran_and_asks_for_no_password(life: Life) -> None:
    newest = max(path.name[:4] for path in (ROOT / "app" / "migrations" / "versions").glob("0*.py"))
    assert life.checkout.slipway("psql", "-At", "-c", "select version_num from alembic_version") == newest


def test_logs_are_those_of_the_service(life: Life) -> None:
    lines = [line for line in life.checkout.slipway("logs", "api", "--no-follow").splitlines() if "{" in line]
    assert all(line.startswith("[pod/api-") for line in lines)
    assert {json.loads(line[line.index("{") :])["process"] for line in lines} == {"api"}


def test_a_shell_is_in_a_pod_of_the_service(life: Life) -> None:
    assert life.checkout.slipway("shell", "worker", "id", "-u") == "1000"
    assert life.checkout.slipway("shell", "worker", "--", "sh", "-c", "exit 3", code=3)


def test_a_second_up_changes_nothing_and_no_tracked_file_is_touched(life: Life) -> None:
    assert "nothing had to be changed" in life.checkout.slipway("up")
    assert life.checkout.changed_files() == ""


def test_down_leaves_no_namespace(life: Life) -> None:
    assert "local is gone" in life.checkout.slipway("down", "--yes")
    assert life.namespace not in life.cluster.run("get", "namespaces", "--output=name")
