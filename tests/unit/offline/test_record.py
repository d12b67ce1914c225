import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pulumi
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes
import pulumi_random as random
import pytest
from pulumi import Output, ResourceOptions

from slipway.offline import loop
from slipway.offline.loop import RecordError
from slipway.offline.model import SECRET, Record, format_path, value_at
from slipway.offline.record import record
from slipway.offline.synthesis import FUNCTIONS
from tests.unit.offline.toy import CONFIG, SECRET_VALUE, program, recorded

ROOT = Path(__file__).parents[3]
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SECRET_TYPE = "kubernetes:core/v1:Secret"


@pytest.fixture(scope="module")
def toy() -> Record:
    return recorded()


def run(program_: object, **config: str) -> Record:
    return record(program_, project="toy", stack="dev", config=config)  # pyright: ignore[reportArgumentType]


def test_two_records_of_one_program_are_equal(toy: Record) -> None:
    assert recorded() == toy


def test_a_record_does_not_depend_on_the_hash_seed_or_the_process(toy: Record) -> None:
    code = "import json; from tests.unit.offline.toy import recorded; print(json.dumps(recorded().to_json()))"
    environment = {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert Record.from_json(json.loads(result.stdout)) == toy


def test_a_record_survives_the_way_through_json(toy: Record) -> None:
    assert Record.from_json(json.loads(json.dumps(toy.to_json()))) == toy


def test_a_record_of_another_format_is_refused(toy: Record) -> None:
    with pytest.raises(ValueError, match="has format 99, expected 1"):
        Record.from_json({**toy.to_json(), "format": 99})


def test_registrations_keep_the_order_of_the_program(toy: Record) -> None:
    order = [(one.type, one.name) for one in toy.registrations]
    assert order.index(("toy:service:Service", "api")) < order.index((SECRET_TYPE, "api-env"))
    assert order.index((SECRET_TYPE, "api-env")) < order.index((DEPLOYMENT, "api"))


def test_urns_carry_the_types_of_all_ancestors_as_the_engine_writes_them() -> None:
    class Outer(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("toy:index:Outer", "outer")
            inner = pulumi.ComponentResource("toy:index:Inner", "inner", opts=ResourceOptions(parent=self))
            pulumi.ComponentResource("toy:index:Leaf", "leaf", opts=ResourceOptions(parent=inner))

    assert [one.urn for one in run(Outer).registrations] == [
        "urn:pulumi:dev::toy::toy:index:Outer::outer",
        "urn:pulumi:dev::toy::toy:index:Outer$toy:index:Inner::inner",
        "urn:pulumi:dev::toy::toy:index:Outer$toy:index:Inner$toy:index:Leaf::leaf",
    ]


def test_the_tree_is_found_from_the_root_down(toy: Record) -> None:
    (service,) = toy.of_type("toy:service:Service")
    assert service.is_component
    assert service in toy.children(toy.root)
    assert {one.name for one in toy.descendants(service.urn)} >= {"api", "api-env", "api-password"}
    assert toy.by_urn(service.urn) is service
    deployment = toy.one(DEPLOYMENT, "api")
    assert toy.by_urn(deployment.provider).is_provider
    assert deployment.parent == service.urn


def test_asking_for_a_resource_that_is_not_there_names_what_is(toy: Record) -> None:
    with pytest.raises(
        LookupError, match=r"0 resources .*Deployment named 'apy'; of this type there are \['api'\]"
    ):
        toy.one(DEPLOYMENT, "apy")


def test_no_secret_value_is_in_the_record(toy: Record) -> None:
    text = json.dumps(toy.to_json())
    assert SECRET_VALUE not in text
    assert toy.outputs["secret"] == {"API_KEY": SECRET, "DATABASE_URL": SECRET}
    assert ("secret", "API_KEY") in toy.output_secret_paths
    assert toy.log[0].message == f"the key of the vendor is {SECRET}"


def test_secret_inputs_are_replaced_and_their_paths_kept(toy: Record) -> None:
    secret = toy.one(SECRET_TYPE, "api-env")
    assert secret.get("stringData") == {"API_KEY": SECRET, "DATABASE_URL": SECRET}
    assert set(secret.secret_paths) == {("stringData", "API_KEY"), ("stringData", "DATABASE_URL")}


def test_data_of_a_secret_is_hidden_even_when_the_program_does_not_mark_it() -> None:
    def careless() -> None:
        provider = kubernetes.Provider("kubernetes", kubeconfig="x")
        kubernetes.core.v1.Secret(
            "plain", string_data={"A": "in the clear"}, opts=ResourceOptions(provider=provider)
        )

    assert run(careless).one(SECRET_TYPE, "plain").get("stringData", "A") == SECRET


def test_a_generated_secret_in_a_plain_input_is_reported() -> None:
    def careless() -> None:
        password = random.RandomPassword("password", length=20)
        random.RandomPet("pet", prefix=Output.unsecret(password.result))

    messages = [line.message for line in run(careless).log]
    assert messages == ["prefix holds a secret in the clear: `result` of password."]


def test_a_configured_secret_in_a_plain_input_is_removed_and_reported() -> None:
    def careless() -> None:
        value = pulumi.Config("secrets").require("apiKey")
        random.RandomShuffle("shuffle", inputs=["first", f"key={value}"])

    made = record(careless, project="toy", stack="dev", config=CONFIG, secret_keys=["secrets:apiKey"])
    shuffle = made.registrations[0]
    assert shuffle.get("inputs") == ["first", f"key={SECRET}"]
    assert shuffle.secret_paths == (("inputs", 1),)
    assert made.log[0].message == "inputs[1] holds a secret of the configuration in the clear."


def test_values_that_only_up_decides_are_marked(toy: Record) -> None:
    deployment, secret = toy.one(DEPLOYMENT, "api"), toy.one(SECRET_TYPE, "api-env")
    image = ("spec", "template", "spec", "containers", 0, "image")
    assert image in deployment.unknown_paths
    assert str(deployment.get(*image)).startswith("registry.example/toy@sha256:unknown-image-repodigest-")
    assert ("stringData", "DATABASE_URL") in secret.unknown_paths
    assert ("stringData", "API_KEY") not in secret.unknown_paths
    assert toy.outputs["status"] == {"unknown": True}
    assert ("caPublicKey",) in toy.output_unknown_paths


def test_a_name_made_from_unknown_values_is_marked_wherever_it_stands(toy: Record) -> None:
    deployment, secret = toy.one(DEPLOYMENT, "api"), toy.one(SECRET_TYPE, "api-env")
    use = ("spec", "template", "spec", "containers", 0, "envFrom", 0, "secretRef", "name")
    assert deployment.get(*use) == secret.get("metadata", "name")
    assert use in deployment.unknown_paths
    assert ("metadata", "name") in secret.unknown_paths
    assert ("metadata", "name") not in deployment.unknown_paths


def test_an_unknown_input_is_a_mark_and_never_a_text() -> None:
    def uses_a_status() -> None:
        provider = kubernetes.Provider("kubernetes", kubeconfig="x")
        service = kubernetes.core.v1.Service("a", opts=ResourceOptions(provider=provider))
        random.RandomPet(
            "pet", prefix=service.status.apply(str), separator=Output.secret(service.status.apply(str))
        )

    pet = run(uses_a_status).one("random:index/randomPet:RandomPet", "pet")
    assert pet.get("prefix") == {"unknown": True}
    assert pet.get("separator") == SECRET
    assert set(pet.unknown_paths) == {("prefix",), ("separator",)}


def test_without_preview_what_no_provider_answers_is_none() -> None:
    assert recorded(preview=False).outputs.get("status") is None


def test_numbers_arrive_as_they_were_written() -> None:
    def numbers() -> None:
        random.RandomInteger("n", min=1, max=2**40, keepers={"ratio": 0.5, "on": True, "nothing": None})  # type: ignore[dict-item]

    inputs = run(numbers).registrations[0].inputs
    assert json.dumps(inputs, sort_keys=True) == (
        '{"keepers": {"nothing": null, "on": true, "ratio": 0.5}, "max": 1099511627776, "min": 1}'
    )


def test_assets_and_resources_among_inputs_are_readable() -> None:
    def unusual() -> None:
        pet = random.RandomPet("pet")
        inputs = {"file": pulumi.StringAsset("text"), "pet": pet, "hidden": Output.secret([1, True])}
        pulumi.CustomResource("toy:index:Thing", "thing", inputs)

    thing = run(unusual).one("toy:index:Thing", "thing")
    assert thing.get("file", "asset", "text") == "text"
    assert str(thing.get("pet")).endswith("::pet")
    assert thing.get("hidden") == [SECRET, SECRET]


def test_options_of_a_resource_are_kept() -> None:
    def protected() -> None:
        first = random.RandomPet("first")
        options = ResourceOptions(
            protect=True,
            depends_on=[first],
            ignore_changes=["length"],
            replace_on_changes=["prefix"],
            delete_before_replace=True,
            retain_on_delete=True,
            deleted_with=first,
            aliases=[pulumi.Alias(name="old")],
            custom_timeouts=pulumi.CustomTimeouts(create="5m"),
            additional_secret_outputs=["separator"],
            import_="an-id",
        )
        random.RandomPet("pet", opts=options)

    made = run(protected)
    first, pet = made.registrations
    assert (pet.protect, pet.delete_before_replace, pet.retain_on_delete) == (True, True, True)
    assert (pet.ignore_changes, pet.replace_on_changes) == (("length",), ("prefix",))
    assert (pet.dependencies, pet.deleted_with) == ((first.urn,), first.urn)
    assert (pet.custom_timeouts, pet.import_id) == ({"create": "5m"}, "an-id")
    assert pet.additional_secret_outputs == ("separator",)
    assert len(pet.aliases) == 1
    assert Record.from_json(made.to_json()) == made


def test_two_resources_of_one_urn_are_refused() -> None:
    def twice() -> None:
        random.RandomPet("pet")
        random.RandomPet("pet")

    with pytest.raises(RecordError, match=r"Two resources have the URN .*::pet"):
        run(twice)


def test_what_the_program_raises_comes_out_unchanged_and_the_next_run_is_clean(toy: Record) -> None:
    def fails() -> None:
        random.RandomPet("pet")
        raise LookupError("no such service")

    with pytest.raises(LookupError, match="no such service"):
        run(fails)
    assert recorded() == toy


def test_a_failing_apply_comes_out() -> None:
    def fails() -> None:
        pet = random.RandomPet("pet")
        random.RandomPet("second", prefix=pet.id.apply(lambda text: text[1000]))

    with pytest.raises(IndexError):
        run(fails)


def test_a_program_that_waits_for_itself_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "IDLE_SECONDS", 0.05)

    def waits() -> None:
        never: asyncio.Future[str] = asyncio.Future()
        random.RandomPet("pet", prefix=Output.from_input(never))

    with pytest.raises(RecordError, match="waits for a value that never comes"):
        run(waits)


def test_a_provider_function_without_an_answer_is_refused_by_name() -> None:
    with pytest.raises(RecordError, match=r"toy:index:lookup, which has no answer without a provider"):
        run(lambda: pulumi.runtime.invoke("toy:index:lookup", {}))


def test_a_provider_function_is_answered_from_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, "toy:index:lookup", lambda arguments: {"zone": f"{arguments['region']}a"})  # type: ignore[arg-type]

    def looks_up() -> None:
        pulumi.export("answer", pulumi.runtime.invoke_output("toy:index:lookup", {"region": "eu"}))

    assert run(looks_up).outputs["answer"] == {"zone": "eua"}


def test_a_resource_read_from_elsewhere_is_no_registration() -> None:
    def reads() -> None:
        pet = random.RandomPet.get("pet", "calm-otter")
        pulumi.export("id", pet.id)
        pulumi.export("prefix", pet.prefix)

    made = run(reads)
    assert made.registrations == ()
    assert made.outputs == {"id": "calm-otter", "prefix": {"unknown": True}}


def test_configuration_comes_from_the_arguments_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PULUMI_CONFIG", '{"toy:replicas": "9", "toy:missing": "9", "secrets:apiKey": "wrong"}'
    )
    monkeypatch.setenv("PULUMI_CONFIG_TOY_MISSING", "9")
    monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", '["toy:replicas"]')
    seen: list[str | None] = []

    def reads() -> None:
        config = pulumi.Config("toy")
        seen.extend([config.get("replicas"), config.get("missing")])

    record(reads, project="toy", stack="dev", config=CONFIG, secret_keys=["secrets:apiKey"])
    assert seen == ["2", None]


def test_a_hostile_environment_does_not_change_the_record(
    toy: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_REGION": "mars-north-1",
        "AWS_PROFILE": "nobody",
        "KUBECONFIG": "/wrong/kubeconfig",
        "DOCKER_HOST": "tcp://wrong:1",
        "PULUMI_CONFIG": '{"toy:replicas": "9"}',
        "PULUMI_ENABLE_LEGACY_APPLY": "true",
        "PULUMI_STACK": "wrong",
    }.items():
        monkeypatch.setenv(name, value)
    assert recorded() == toy


def test_debug_chatter_is_no_part_of_the_log(toy: Record) -> None:
    assert [line.severity for line in toy.log] == ["warning", "info"]


def test_a_message_about_a_resource_carries_its_urn() -> None:
    def speaks() -> None:
        pulumi.log.warn("tired", resource=random.RandomPet("pet"))

    (line,) = run(speaks).log
    assert line.urn.endswith("::pet")


def test_paths_read_as_people_write_them() -> None:
    assert format_path(("spec", "containers", 0, "env")) == "spec.containers[0].env"
    assert (
        format_path(("metadata", "labels", "app.kubernetes.io/name"))
        == 'metadata.labels["app.kubernetes.io/name"]'
    )
    assert value_at({"a": [1]}, ("a", 0)) == 1
    assert value_at({"a": [1]}, ("a", 3)) is None
    assert value_at({"a": [1]}, ("a", "b")) is None


def test_the_program_may_be_run_twice_in_one_process_with_different_stacks() -> None:
    names = [
        record(program, project="toy", stack=stack, config=CONFIG, secret_keys=["secrets:apiKey"])
        .registrations[0]
        .urn
        for stack in ("one", "two")
    ]
    assert [name.split("::")[0] for name in names] == ["urn:pulumi:one", "urn:pulumi:two"]


def test_what_is_named_after_an_unknown_name_is_unknown_too() -> None:
    def chain() -> None:
        options = ResourceOptions(provider=kubernetes.Provider("kubernetes", kubeconfig="x"))
        key = random.RandomString("key", length=20)

        def named(name: Output[str]) -> kubernetes.meta.v1.ObjectMetaArgs:
            return kubernetes.meta.v1.ObjectMetaArgs(
                name=name.apply(lambda text: f"x-{text.encode().hex()[-10:]}")
            )

        first = kubernetes.core.v1.ConfigMap("first", metadata=named(key.result), opts=options)
        name = first.metadata.apply(lambda metadata: metadata.name or "")
        kubernetes.core.v1.ConfigMap("second", metadata=named(name), opts=options)

    for one in run(chain).of_type("kubernetes:core/v1:ConfigMap"):
        assert one.unknown_paths == (("metadata", "name"),)


def test_a_secret_computed_from_an_unknown_one_is_unknown_too() -> None:
    def hashes() -> None:
        options = ResourceOptions(provider=kubernetes.Provider("kubernetes", kubeconfig="x"))
        password = random.RandomPassword("password", length=20)
        digest = password.result.apply(lambda text: str(len(text)))
        kubernetes.core.v1.Secret("hashed", string_data={"ACL": digest}, opts=options)

    secret = run(hashes).one(SECRET_TYPE, "hashed")
    assert secret.unknown_paths == secret.secret_paths == (("stringData", "ACL"),)


def test_what_a_provider_reads_from_the_environment_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder hides nothing that the engine's run would not: a provider left to its environment shows."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://wrong:1")
    assert run(lambda: docker.Provider("docker")).registrations[0].get("host") == "tcp://wrong:1"
