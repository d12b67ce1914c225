"""The `local` stack on a real cluster, in a namespace of its own, with the questions that tests ask of it."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from stacks.program import run
from tests.support.cluster import ROOT, Cluster, Json, image_load_command, wait_for
from tests.support.cluster_pods import TEST_POD
from tests.support.engine import EngineStack

APPLICATION = "chat"
PARTS = ("api", "worker", "frontend", "postgres", "redis-cache")
"""The parts whose pods keep running."""

SETTLED_SECONDS = 120
"""A pod may take its whole grace period to go."""

JOBS = ("migrate", "postgres-roles")

API_PODS_MINIMUM = 2
"""More than the stack file has: a pod that is killed leaves another one."""
API_PODS_MAXIMUM = 6
"""More than the stack file has: where the autoscaler is impatient, a pod's own start already brings it another."""
API_PODS_UNDER_LOAD = 2
"""The maximum for the tests under load: they are about what happens to pods, not about how many there are."""

SETTINGS = {
    "api.scaling.min": API_PODS_MINIMUM,
    "api.scaling.max": API_PODS_MAXIMUM,
    # All load comes from one address, and few users make it.
    "api.env.RATE_LIMIT_PER_MINUTE": 1_000_000,
    "api.env.RATE_LIMIT_PER_HOUR": 1_000_000,
    # Models take their time: whenever a worker is killed, it is at work on some jobs.
    "worker.env.LLM_LATENCY_SECONDS": 1,
    "worker.env.WORKER_CONCURRENCY": 16,
    # One that was at work without a signal of the queue is taken over after this time.
    "worker.env.JOB_TIMEOUT_SECONDS": 20,
}
"""What is otherwise than in the shipped stack file, below `slipway:services`."""


def part_selector(part: str | None = None) -> str:
    """Return the labels of the stack's own pods, of one part or of all."""
    named = f",app.kubernetes.io/name={part}" if part else ""
    return f"app.kubernetes.io/part-of={APPLICATION},!{TEST_POD}{named}"


@dataclass
class LiveStack:
    """A stack that is up.

    Attributes:
        cluster: its namespace.
        engine: what brings it up, changes and destroys it.
        image: the image that it has built.
    """

    cluster: Cluster
    engine: EngineStack
    image: str

    def pods(self, part: str | None = None) -> list[Json]:
        """Return the stack's own pods, of one part or of all, without those that are going."""
        found = self.cluster.items("pods", part_selector(part))
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def pod(self, part: str) -> str:
        """Return the name of a part's oldest pod."""
        return str(self.pods(part)[0]["metadata"]["name"])

    def ready_pods(self, part: str) -> list[str]:
        """Return the identity (UID) of each pod of a part that is ready."""
        return [pod["metadata"]["uid"] for pod in self.pods(part) if is_ready(pod)]

    def wait_settled(self, part: str, *, at_most: int) -> None:
        """Wait until a part has only pods that are ready, at most so many, and none that is going."""

        def settled() -> bool:
            found = self.cluster.items("pods", part_selector(part))
            return len(found) <= at_most and all(
                is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in found
            )

        wait_for(f"the pods of {part} to settle", settled, seconds=SETTLED_SECONDS)

    def connections(self, pod: str, port: int) -> int:
        """Return how many connections to a port of a pod are open, whoever made them."""
        # Linux: Documentation/networking/proc_net_tcp.rst; local address in the second column, state 01: established.
        table = self.cluster.inside(pod, "cat", "/proc/net/tcp", "/proc/net/tcp6")
        rows = [line.split() for line in table.splitlines()]
        return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)

    def restarts(self) -> dict[str, int]:
        """Return how often the containers of each running pod were restarted."""
        running = [pod for part in PARTS for pod in self.pods(part)]
        return {
            pod["metadata"]["name"]: sum(
                entry["restartCount"] for entry in pod["status"]["containerStatuses"]
            )
            for pod in running
        }

    def sql(self, statement: str, **values: object) -> str:
        """Run a statement as PostgreSQL's administrator, inside its pod.

        Args:
            statement: SQL; `:'name'` stands for a value.
            values: the values by name.

        Returns:
            The rows, columns parted by `|`.
        """
        command = (
            'PGPASSWORD="$POSTGRES_PASSWORD" exec psql -X -U postgres -d "$0" -Atq -v ON_ERROR_STOP=1 "$@"'
        )
        variables = [part for name, value in values.items() for part in ("-v", f"{name}={value}")]
        shell = ("sh", "-c", command, APPLICATION, *variables)
        return self.cluster.inside(self.pod("postgres"), *shell, stdin=statement).strip()


def is_ready(pod: Json) -> bool:
    """Return whether a pod's condition `Ready` holds."""
    conditions = pod["status"].get("conditions") or ()
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def prepare(folder: Path, cluster: Cluster) -> tuple[EngineStack, Cluster]:
    """Return the `local` stack, not yet up, and the namespace that nobody has where it will stand.

    Args:
        folder: where the engine keeps its state.
        cluster: the cluster.
    """
    namespace = f"{APPLICATION}-test-{secrets.token_hex(3)}"
    stack = EngineStack(
        folder,
        run,
        stack="local",
        stack_file=ROOT / "Pulumi.local.yaml",
        live=True,
        environment={"SLIPWAY_IMAGE_LOAD": image_load_command(cluster.context)},
    )
    app = {"name": APPLICATION, "owner": "tests", "namespace": namespace}
    where = {"kind": "existing", "context": cluster.context, "kubeconfig": str(cluster.kubeconfig)}
    stack.configure({"slipway:app": json.dumps(app), "slipway:cluster": json.dumps(where)})
    stack.configure({f"slipway:services.{key}": str(value) for key, value in SETTINGS.items()}, path=True)
    return stack, cluster.within(namespace)
