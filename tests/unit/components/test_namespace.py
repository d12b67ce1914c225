import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.namespace.namespace import PodDemand, quota_for
from components.shared.quantities import parse_cpu, parse_memory
from components.shared.resources import Amounts, Resources
from stacks.demands import pod_demands
from tests.support.stacks import ALONE, REMOVED, settings_of, shipped

QUOTA = "kubernetes:core/v1:ResourceQuota"


def resources(cpu: int, memory: int) -> Resources:
    amounts = Amounts(cpu=f"{cpu}m", memory=f"{memory}Mi")
    return Resources(requests=amounts, limits=amounts)


@given(
    st.lists(
        st.tuples(st.integers(1, 500), st.integers(1, 4000), st.integers(1, 4096)), min_size=1, max_size=8
    )
)
def test_a_quota_admits_all_demands_at_once_and_not_a_millicore_more(
    demands: list[tuple[int, int, int]],
) -> None:
    found = quota_for([PodDemand(pods, resources(cpu, memory)) for pods, cpu, memory in demands])
    assert found["pods"] == str(sum(pods for pods, _, _ in demands))
    for kind in ("requests", "limits"):
        cpu, memory = found[f"{kind}.cpu"], found[f"{kind}.memory"]
        # More than one node can give, so not by the parser of a container's amounts.
        millicores = int(cpu[:-1]) if cpu.endswith("m") else int(cpu) * 1000
        mebibytes = int(memory[:-2]) * (1024 if memory.endswith("Gi") else 1)
        assert millicores == sum(pods * amount for pods, amount, _ in demands)
        assert mebibytes == sum(pods * amount for pods, _, amount in demands)


@pytest.mark.parametrize(
    ("environment", "hard"),
    [
        (
            "local",
            {
                "pods": "23",
                "requests.cpu": "1850m",
                "requests.memory": "3936Mi",
                "limits.cpu": "18500m",
                "limits.memory": "7872Mi",
            },
        ),
        (
            "prod",
            {
                "pods": "71",
                "requests.cpu": "15800m",
                "requests.memory": "25344Mi",
                "limits.cpu": "58",
                "limits.memory": "50688Mi",
            },
        ),
    ],
)
def test_the_quota_of_a_stack_is_its_maximum_and_the_surge_of_every_part(
    environment: str, hard: dict[str, str]
) -> None:
    assert shipped(environment).one(QUOTA, "quota").get("spec", "hard") == hard


def pods(changes: dict[str, object]) -> int:
    return sum(demand.pods for demand in pod_demands(settings_of("local", changes)))


def test_a_service_may_have_all_its_pods_twice_and_one_more_while_it_rolls() -> None:
    alone = {**ALONE, "services.web.scaling": {"min": 1, "max": 7}}
    assert pods(alone) == 2 * 7 + 1


@pytest.mark.parametrize(
    ("changes", "fewer"),
    [
        ({"migrations": REMOVED}, 2),
        ({"cronJobs": REMOVED}, 2),
        ({"redis.cache": {"kind": "external", "host": "r.example.com", "password": "jwtSecret"}}, 1),
        ({"database": {"kind": "external", "host": "d.example.com", "password": "jwtSecret"}}, 3),
    ],
    ids=["migration", "cron job", "redis", "postgres and its roles"],
)
def test_every_part_counts(changes: dict[str, object], fewer: int) -> None:
    assert pods({}) - pods(changes) == fewer


def test_a_quota_is_written_as_kubernetes_writes_it() -> None:
    found = quota_for([PodDemand(2, resources(500, 512))])
    assert found == {
        "pods": "2",
        "requests.cpu": "1",
        "requests.memory": "1Gi",
        "limits.cpu": "1",
        "limits.memory": "1Gi",
    }
    assert (parse_cpu(found["limits.cpu"]), parse_memory(found["limits.memory"])) == (1000, 1024)
