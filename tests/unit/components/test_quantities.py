from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.shared.quantities import (
    MAX_CPU_MILLICORES,
    MAX_MEMORY_MEBIBYTES,
    Cpu,
    Memory,
    Storage,
    cpu_text,
    mebibytes_text,
    parse_cpu,
    parse_memory,
    parse_storage,
)
from components.shared.resources import Resources
from tests.support.sections import accept, refusal


@pytest.mark.parametrize(
    ("written", "millicores", "normalised"),
    [
        ("250m", 250, "250m"),
        ("0.5", 500, "500m"),
        (1, 1000, "1"),
        (1.5, 1500, "1500m"),
        ("2000m", 2000, "2"),
        ("1m", 1, "1m"),
        (192, 192_000, "192"),
    ],
)
def test_cpu_is_read_in_every_notation_and_kept_in_one(
    written: object, millicores: int, normalised: str
) -> None:
    assert parse_cpu(written) == millicores
    assert accept(Cpu, written) == normalised


@pytest.mark.parametrize("written", ["", "m", "-1", "1 ", "1e3", "250M", True, None, "½", "١"])
def test_what_is_no_amount_of_cpu_is_refused(written: object) -> None:
    assert "no amount of CPU | Kubernetes would refuse the pod." in refusal(Cpu, written)


@pytest.mark.parametrize("written", ["0", 0, "0.5m", "0.0001", "193", 512, "192001m"])
def test_cpu_that_no_node_gives_is_refused(written: object) -> None:
    assert "not a whole number of millicores between 1m and 192 cores" in refusal(Cpu, written)


@pytest.mark.parametrize(
    ("written", "mebibytes", "normalised"),
    [
        ("512Mi", 512, "512Mi"),
        ("0.5Gi", 512, "512Mi"),
        ("1024Mi", 1024, "1Gi"),
        ("1G", 954, "954Mi"),
        ("2048Ki", 2, "2Mi"),
        ("1Ti", 1024**2, "1024Gi"),
        ("2000000k", 1908, "1908Mi"),
        ("1M", None, None),
    ],
)
def test_memory_is_read_in_every_notation_and_kept_in_one(
    written: str, mebibytes: int | None, normalised: str | None
) -> None:
    if mebibytes is None:
        assert "outside 1Mi to 1536Gi of memory" in refusal(Memory, written)
        return
    assert parse_memory(written) == mebibytes
    assert accept(Memory, written) == normalised


@pytest.mark.parametrize("written", [512, "512", "0.5", 1.5])
def test_memory_without_a_unit_is_refused_since_it_means_bytes(written: object) -> None:
    text = refusal(Memory, written)
    assert "an amount of memory without a unit | A number without a unit means bytes" in text
    assert "512Mi" in text


@pytest.mark.parametrize("written", ["", "Mi", "-1Mi", "1mi", "1 Gi", "1e3Mi", True, None, [], "1GiB"])
def test_what_is_no_amount_of_memory_is_refused(written: object) -> None:
    assert "no amount of memory | Kubernetes would refuse the object." in refusal(Memory, written)


@pytest.mark.parametrize("written", ["0Mi", "1023Ki", "1537Gi", "2Ti"])
def test_memory_that_no_node_gives_is_refused(written: str) -> None:
    assert "outside 1Mi to 1536Gi of memory | No node or volume can give it." in refusal(Memory, written)


def test_volumes_may_be_larger_than_memory_up_to_16_tebibytes() -> None:
    assert parse_storage("16Ti") == 16 * 1024 * 1024
    assert accept(Storage, "10240Mi") == "10Gi"
    assert "outside 1Mi to 16384Gi of storage" in refusal(Storage, "17Ti")
    assert "an amount of storage without a unit" in refusal(Storage, "10")


@given(st.integers(1, MAX_CPU_MILLICORES))
def test_a_normalised_cpu_is_read_back_as_the_same_amount(millicores: int) -> None:
    text = cpu_text(millicores)
    assert parse_cpu(text) == millicores
    assert accept(Cpu, text) == text


@given(st.integers(1, MAX_MEMORY_MEBIBYTES))
def test_normalised_memory_is_read_back_as_the_same_amount(mebibytes: int) -> None:
    text = mebibytes_text(mebibytes)
    assert parse_memory(text) == mebibytes
    assert accept(Memory, text) == text


@given(
    st.decimals("0.001", "100", places=3), st.sampled_from(["Ki", "Mi", "Gi", "k", "M", "G"]), st.booleans()
)
def test_normalising_memory_twice_changes_nothing_and_never_makes_it_less(
    number: Decimal, unit: str, storage: bool
) -> None:
    kind, parse = (Storage, parse_storage) if storage else (Memory, parse_memory)
    written = f"{number:f}{unit}"
    if refusal(kind, written):
        return
    once = accept(kind, written)
    assert accept(kind, once) == once
    factor = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "k": 1000, "M": 1000**2, "G": 1000**3}[unit]
    assert 0 <= parse(once) * 1024**2 - number * factor < 1024**2


def resources(request: tuple[str, str], limit: tuple[str, str]) -> dict[str, object]:
    return {
        "requests": dict(zip(("cpu", "memory"), request, strict=True)),
        "limits": dict(zip(("cpu", "memory"), limit, strict=True)),
    }


def test_a_request_may_equal_its_limit() -> None:
    found = accept(Resources, resources(("500m", "512Mi"), ("0.5", "0.5Gi")))
    assert (found.requests.cpu_millicores, found.limits.memory_mebibytes) == (500, 512)


@pytest.mark.parametrize(("request_", "name"), [(("501m", "1Mi"), "cpu"), (("1m", "513Mi"), "memory")])
def test_a_request_above_its_limit_is_refused(request_: tuple[str, str], name: str) -> None:
    text = refusal(Resources, resources(request_, ("500m", "512Mi")))
    assert f"the request of {name} is above its limit | Kubernetes refuses such a pod." in text
    assert f"Raise `limits.{name}` or lower `requests.{name}`." in text


@pytest.mark.parametrize("missing", ["requests", "limits"])
def test_requests_and_limits_are_both_required(missing: str) -> None:
    value = resources(("1m", "1Mi"), ("1m", "1Mi"))
    del value[missing]
    assert "Field required" in refusal(Resources, value)
