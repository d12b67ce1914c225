"""The simulated providers, under the real engine, behave as the real ones do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from cryptography import x509

from tests.engine import toy
from tests.engine.conftest import ToyStacks
from tests.support.engine import EngineError, EngineStack, Result
from tests.support.engine_secrets import generated_secrets, leaks, written_files


class _Life:
    """One toy stack from its first preview to its end; the runs are shared by the tests that read them."""

    def __init__(self, stack: EngineStack) -> None:
        self.stack = stack
        self.runs: dict[str, Result] = {}
        self.secrets: dict[str, str] = {}
        self.outputs: dict[str, str] = {}

    def live(self) -> None:
        runs, stack = self.runs, self.stack
        runs["preview"] = stack.preview()
        runs["up"] = stack.up()
        self.secrets, self.outputs = generated_secrets(stack), stack.outputs()
        runs["second up"] = stack.up()
        stack.configure({"toy:version": "2", "toy:address": "10.96.0.11"})
        runs["changed"] = stack.up()
        runs["refresh"] = stack.refresh()
        self.files = written_files(stack.backend, stack.work)
        self.calls = stack.cloud.calls()
        runs["destroy"] = stack.destroy()


@pytest.fixture(scope="module")
def life(toys: ToyStacks) -> _Life:
    """A stack that was brought up, changed and taken down."""
    life = _Life(toys.make("life", toy.program, version="1"))
    life.live()
    return life


def test_up_creates_what_the_preview_announced(life: _Life) -> None:
    assert life.runs["up"].changes.keys() == life.runs["preview"].changes.keys()


def test_a_second_up_changes_nothing(life: _Life) -> None:
    assert life.runs["second up"].names() == set()


def test_a_refresh_finds_no_drift(life: _Life) -> None:
    assert life.runs["refresh"].names() == set()


def test_destroy_leaves_nothing(life: _Life) -> None:
    assert list(life.stack.cloud.objects()) == []
    assert life.stack.export().get("resources", []) == []


def test_a_change_touches_exactly_what_it_should(life: _Life) -> None:
    changed = life.runs["changed"]

    assert changed.names("update") == {"Image image", "Deployment api"}
    assert changed.names("replace") == {"ConfigMap settings", "Job job", "Service service"}
    assert changed.names("create") | changed.names("delete") == set()


def test_a_detailed_diff_names_the_path_that_changed(life: _Life) -> None:
    paths = {change.name: set(change.paths) for change in life.runs["changed"].changes.values()}

    assert paths["job"] == {"spec.template.spec.containers[0].command[1]"}
    assert paths["service"] == {"spec.clusterIP"}
    assert paths["settings"] == {"data.VERSION", "metadata.name"}


def _order(life: _Life, name: str) -> Iterator[str]:
    """What was done to a resource after it had been created first."""
    done = [call.method for call in life.calls if call.urn.endswith(f"::{name}") and call.phase == "end"]
    assert done[0] == "create"
    yield from done[1:]


@pytest.mark.parametrize("name", ["job", "service"])
def test_an_object_that_keeps_its_name_is_deleted_before_its_replacement(life: _Life, name: str) -> None:
    assert list(_order(life, name)) == ["delete", "create"]


def test_an_object_with_a_new_name_is_created_before_the_old_one_goes(life: _Life) -> None:
    assert list(_order(life, "settings")) == ["create", "delete"]


def test_no_generated_secret_is_printed_or_written_in_clear(life: _Life) -> None:
    printed = {name: run.text for name, run in life.runs.items()}

    assert {source.split(".")[0] for source in life.secrets} == {"password", "key"}
    assert leaks(life.secrets, {**printed, **life.files}) == []


def test_the_search_for_secrets_finds_one_in_every_disguise() -> None:
    secret = {"password": 'p"ss/w+rd ümlaut'}
    disguises = {
        "plain": 'x p"ss/w+rd ümlaut x',
        "json": '{"url": "p\\"ss/w+rd \\u00fcmlaut"}',
        "url": "postgresql://app:p%22ss%2Fw%2Brd%20%C3%BCmlaut@db",
        "base64": "eHBcInNzcCJzcy93K3JkIMO8bWxhdXR4",
        "base64 inside": "YXBwOnAic3MvdytyZCDDvG1sYXV0QGRi",
    }

    assert leaks(secret, disguises) == [f"password stands in {place}" for place in disguises]
    assert leaks(secret, {"other": "p'ss/w+rd"}) == []


def test_certificates_are_real_and_signed_by_their_authority(life: _Life) -> None:
    authority, certificate = (
        x509.load_pem_x509_certificate(life.outputs[name].encode()) for name in ("authority", "certificate")
    )
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    certificate.verify_directly_issued_by(authority)
    assert names.get_values_for_type(x509.DNSName) == ["api.toy.svc"]


def test_what_exists_is_refused(toys: ToyStacks) -> None:
    stack = toys.make("exists", toy.program)
    stack.cloud.create("kubernetes:core/v1:Namespace", toy.NAMESPACE, {"made": "by somebody else"})

    with pytest.raises(EngineError, match='namespaces "toy" already exists'):
        stack.up()
    assert stack.cloud.get("kubernetes:core/v1:Namespace", toy.NAMESPACE) == {"made": "by somebody else"}


def test_an_object_in_a_namespace_that_does_not_exist_is_refused(toys: ToyStacks) -> None:
    with pytest.raises(EngineError, match='namespaces "toy" not found'):
        toys.make("nowhere", toy.broken, namespace="false").up()


def test_a_pod_without_its_secret_never_gets_ready(toys: ToyStacks) -> None:
    stack = toys.make("unready", toy.broken, namespace="true")
    stack.environment["SLIPWAY_SIMULATED_PATIENCE"] = "0.5"

    with pytest.raises(EngineError, match=r"failed to fully initialize.*secret \"credentials\" not found"):
        stack.up()
    (deployment,) = [r for urn, r in stack.resources().items() if "Deployment" in urn]
    assert deployment["id"] == "toy/api"
    assert re.search("secret .* not found", deployment["initErrors"][0])


def test_protected_data_outlives_destroy_and_a_program_without_it(toys: ToyStacks) -> None:
    stack = toys.make("protect", toy.program, protect="true")
    stack.up()

    with pytest.raises(EngineError, match="protect"):
        stack.destroy()
    stack.program = toy.empty
    with pytest.raises(EngineError, match="protect"):
        stack.up()
    assert stack.cloud.get("kubernetes:core/v1:PersistentVolumeClaim", "toy/claim")
