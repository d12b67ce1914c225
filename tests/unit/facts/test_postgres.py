import pytest

from facts.postgres import MAX_CONNECTIONS, MEMORY_GIB, max_connections


@pytest.mark.parametrize(
    ("instance_class", "connections"),
    [("db.t4g.micro", 81), ("db.t4g.medium", 403), ("db.r7g.large", 1694), ("db.r7g.2xlarge", 5000)],
)
def test_an_instance_takes_as_many_connections_as_its_memory_allows(
    instance_class: str, connections: int
) -> None:
    assert max_connections(instance_class) == connections


def test_more_memory_never_takes_fewer_connections_and_none_takes_more_than_the_ceiling() -> None:
    by_memory = sorted(MEMORY_GIB, key=MEMORY_GIB.__getitem__)
    found = [max_connections(name) or 0 for name in by_memory]
    assert found == sorted(found)
    assert found[-1] == MAX_CONNECTIONS == 5000


def test_a_class_that_is_not_in_the_table_is_not_guessed() -> None:
    assert max_connections("db.x2g.large") is None
