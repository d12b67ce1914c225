import pytest

from slipway.offline.checks import warnings
from slipway.offline.kubernetes import mebibytes, millicores, workloads
from slipway.offline.model import Json, LogLine, Record, Registration
from slipway.offline.summary import summarise
from slipway.offline.text import Style, preview_text, short_image, table, tree_text
from tests.unit.offline.toy import SECRET_VALUE, recorded

PLAIN = Style(colour=False)
ROOT = "urn:pulumi:dev::toy::pulumi:pulumi:Stack::toy-dev"


@pytest.fixture(scope="module")
def toy() -> Record:
    return recorded()


def a_workload(kind: str, spec: dict[str, Json], *containers: dict[str, Json]) -> Record:
    pod: Json = {"spec": {"containers": list(containers)}}
    template: dict[str, Json] = (
        {"jobTemplate": {"spec": {"template": pod}}} if kind == "CronJob" else {"template": pod}
    )
    inputs: dict[str, Json] = {
        "kind": kind,
        "metadata": {"name": "x", "namespace": "default"},
        "spec": {**spec, **template},
    }
    return Record(
        "toy", "dev", (Registration("urn::x", f"kubernetes:v1:{kind}", "x", ROOT, True, inputs),), {}
    )


def test_the_preview_shows_parts_workloads_warnings_outputs_and_what_is_unknown(toy: Record) -> None:
    text = preview_text(summarise(toy), PLAIN)
    image = "registry.example/toy@sha256:"
    assert text.startswith("dev  12 resources  1 warning\n")
    assert f"  api    6  2-6 pods x 100m/128Mi, image {image}" in text
    assert "Deployment  api  2-6   100m/128Mi  -/256Mi  " in text
    assert "the key of the vendor is [secret]" in text
    assert "    namespace            toy\n" in text
    assert "    status               (known after `up`)\n" in text
    assert "not known before `up`: " in text
    assert "(slipway preview dev --unknown)" in text
    assert all(line == line.rstrip() for line in text.split("\n"))


def test_the_preview_prints_no_secret(toy: Record) -> None:
    assert SECRET_VALUE not in preview_text(summarise(toy), PLAIN, unknown=True) + tree_text(toy, PLAIN)
    assert SECRET_VALUE not in str(summarise(toy).to_json())


def test_each_unknown_value_is_listed_on_request(toy: Record) -> None:
    text = preview_text(summarise(toy), PLAIN, unknown=True)
    assert "Secret api-env" in text
    assert "stringData.DATABASE_URL" in text
    assert "(slipway preview dev --unknown)" not in text


def test_colour_is_written_only_where_asked_for(toy: Record) -> None:
    assert "\x1b[" in preview_text(summarise(toy), Style(colour=True))
    assert "\x1b[" not in preview_text(summarise(toy), PLAIN)


def test_the_tree_puts_every_resource_below_its_parent(toy: Record) -> None:
    lines = tree_text(toy, PLAIN).split("\n")
    assert "  api  toy:service:Service" in lines
    assert "    api  apps/v1:Deployment" in lines


def test_parts_count_what_a_provider_creates_and_the_stack_holds_the_rest(toy: Record) -> None:
    parts = {part.name: part for part in summarise(toy).parts}
    assert sum(part.resources for part in parts.values()) == summarise(toy).resources
    assert parts["stack"].kinds == {"Image": 1, "Namespace": 1, "PrivateKey": 1, "docker provider": 1,
                                    "kubernetes provider": 1, "tls provider": 1}  # fmt: skip


def test_the_parts_of_a_program_in_one_component_are_its_children() -> None:
    def component(name: str, parent: str) -> Registration:
        return Registration(f"urn::{name}", "toy:index:Part", name, parent, False, {})

    loose = Registration("urn::loose", "kubernetes:core/v1:Service", "loose", ROOT, True, {})
    record = Record(
        "toy",
        "dev",
        (component("all", ROOT), component("a", "urn::all"), component("b", "urn::all"), loose),
        {},
    )
    assert [part.name for part in summarise(record).parts] == ["a", "b", "stack"]


def test_a_quiet_stack_has_a_short_preview() -> None:
    assert preview_text(summarise(Record("toy", "dev", (), {})), PLAIN) == "dev  0 resources\n"


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("250m", 250), ("0.5", 500), (2, 2000), ("1e3", 1_000_000), ("x", None), (True, None), (None, None)],
)  # fmt: skip
def test_cpu_is_read_in_every_notation(quantity: Json, amount: int | None) -> None:
    assert millicores(quantity) == amount


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("512Mi", 512), ("0.5Gi", 512), ("1G", 954), (2**20, 1), ("1048576k", 1000), ("", None)],
)
def test_memory_is_read_in_every_notation(quantity: Json, amount: int | None) -> None:
    assert mebibytes(quantity) == amount


def test_requests_are_those_of_all_containers_and_open_where_one_says_nothing() -> None:
    says: dict[str, Json] = {
        "name": "a",
        "image": "a:1",
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
    }
    (both,) = workloads(a_workload("Job", {"parallelism": 3}, says, says))
    assert (both.cpu_request, both.memory_request, both.pods_min, both.pods_max) == (2000, 2048, 3, 3)
    (open_,) = workloads(a_workload("Job", {}, says, {"name": "b", "image": {"unknown": True}}))
    assert (open_.cpu_request, open_.images) == (None, ("a:1", "known after `up`"))
    (none,) = workloads(a_workload("Deployment", {"replicas": 2}))
    assert (none.cpu_request, none.pods_max) == (None, 2)


def test_a_cron_job_shows_its_schedule() -> None:
    record = a_workload("CronJob", {"schedule": "0 3 * * *"}, {"name": "a", "image": "a:1"})
    assert "CronJob   x  1 at 0 3 * * *  -/-       -/-     a:1" in preview_text(summarise(record), PLAIN)


def test_what_is_doubtful_in_a_workload_is_said() -> None:
    found = warnings(
        a_workload(
            "Deployment", {}, {"name": "a", "image": "registry:5000/app"}, {"name": "b", "image": "b:latest"}
        )
    )
    assert found == (
        "x (kubernetes:v1:Deployment) has no explicit provider. `up` would refuse it.",
        "Deployment x: image registry:5000/app may change under its name. Name a version or a digest.",
        "Deployment x: image b:latest may change under its name. Name a version or a digest.",
        "Deployment x: container a has no requests or no memory limit. One pod could take the memory of its node.",
        "Deployment x: container b has no requests or no memory limit. One pod could take the memory of its node.",
        "Deployment x is in the namespace `default`, without quota and policies.",
    )


def test_a_sound_program_gives_no_warning_but_its_own(toy: Record) -> None:
    assert warnings(toy) == ("the key of the vendor is [secret]",)


def test_a_message_is_shown_once_with_the_resource_it_concerns() -> None:
    line = LogLine("warning", "tired", "urn:pulumi:dev::toy::t::pet")
    record = Record("toy", "dev", (), {}, (line, line, LogLine("info", "hello")))
    assert warnings(record) == ("pet: tired",)


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("docker.io/library/postgres:16", "docker.io/library/postgres:16"),
        (f"registry.example.com/team/app@sha256:{'5f70bf18' * 8}", "team/app@sha256:5f70bf185f70…"),
        (f"localhost:5000/app@sha256:{'5f70bf18' * 8}", "app@sha256:5f70bf185f70…"),
        (f"team/app@sha256:{'5f70bf18' * 8}", "team/app@sha256:5f70bf185f70…"),
        ("app@sha256:unknown-app-digest-123456", "app@sha256:unknown-app-digest-123456"),
    ],
)
def test_an_image_is_shortened_where_nothing_is_lost(image: str, shown: str) -> None:
    assert short_image(image) == shown


def test_a_workload_whose_name_only_up_decides_is_called_as_the_program_calls_it() -> None:
    record = a_workload("Job", {})
    one = record.registrations[0]
    unknown = Registration(**{**vars(one), "name": "logical", "unknown_paths": (("metadata", "name"),)})
    assert workloads(Record("toy", "dev", (unknown,), {}))[0].name == "logical"


def test_a_part_of_many_kinds_is_cut_short() -> None:
    part = Registration("urn::p", "toy:index:Part", "part", ROOT, False, {})
    members = [
        Registration(f"urn::{kind}", f"toy:index:{kind}", kind, "urn::p", True, {}) for kind in "ABCDEFGH"
    ]
    text = preview_text(summarise(Record("toy", "dev", (part, *members), {})), PLAIN)
    assert "  part  8  A, B, C, D, E, F, 2 more kinds\n" in text


def test_a_table_of_nothing_is_empty() -> None:
    assert table([]) == []


def test_kinds_are_counted_in_english() -> None:
    kinds = ["NetworkPolicy", "NetworkPolicy", "Ingress", "Ingress", "Secret", "Secret"]
    members = [
        Registration(f"urn::{index}", f"kubernetes:v1:{kind}", str(index), "urn::p", True, {})
        for index, kind in enumerate(kinds)
    ]
    record = Record(
        "toy", "dev", (Registration("urn::p", "toy:index:Part", "part", ROOT, False, {}), *members), {}
    )
    assert "2 Ingresses, 2 NetworkPolicies, 2 Secrets" in preview_text(summarise(record), PLAIN)
    long = Record("toy", "dev", (), {"data": {"key": [{"x": "x" * 300}]}})
    assert "…" in preview_text(summarise(long), PLAIN)


def test_an_output_that_is_a_map_has_a_line_for_each_entry() -> None:
    record = Record(
        "toy", "dev", (), {"urls": {"api": ["https://a", "https://c"], "web": "https://b"}, "none": {}}
    )
    assert preview_text(summarise(record), PLAIN).endswith(
        "    none      none\n    urls.api  https://a, https://c\n    urls.web  https://b\n"
    )
