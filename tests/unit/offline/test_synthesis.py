import base64

import pytest

from slipway.offline.synthesis import UNKNOWABLE, Marker, find_markers, synthesise, token_for

URN = "urn:pulumi:dev::toy::random:index/randomPassword:RandomPassword::Api Password"


def markers_of(type: str, **inputs: str | bool) -> dict[str, Marker]:
    return {marker.text: marker for marker in synthesise(URN, type, "Api Password", inputs).markers}


def test_a_token_is_readable_and_safe_in_a_url() -> None:
    token = token_for(URN, "Api Password", "bcryptHash")
    assert token.startswith("unknown-api-password-bcrypthash-")
    assert all(letter.isalnum() or letter == "-" for letter in token)


def test_tokens_differ_between_resources_and_between_outputs() -> None:
    tokens = {token_for(urn, "a", output) for urn in ("urn:1", "urn:2") for output in ("x", "y")}
    assert len(tokens) == 4


@pytest.mark.parametrize("type", sorted(UNKNOWABLE))
def test_every_unknowable_output_is_found_again_inside_other_texts(type: str) -> None:
    made = synthesise(URN, type, "Api Password", {})
    known = {marker.text: marker for marker in made.markers}
    for output, value in made.outputs.items():
        found = find_markers(f"before:{value}?after=1", known)
        assert [marker.output for marker in found] == [output]


def test_outputs_that_a_provider_keeps_secret_are_secret() -> None:
    assert synthesise(URN, "random:index/randomPassword:RandomPassword", "a", {}).secret_outputs == {
        "result",
        "bcryptHash",
    }
    assert "certPem" not in synthesise(URN, "tls:index/selfSignedCert:SelfSignedCert", "a", {}).secret_outputs


def test_encoded_values_can_be_decoded_as_the_real_ones() -> None:
    outputs = synthesise(URN, "random:index/randomBytes:RandomBytes", "a", {}).outputs
    assert base64.b64decode(str(outputs["base64"]), validate=True).startswith(b"unknown-a-base64-")
    assert bytes.fromhex(str(outputs["hex"])).startswith(b"unknown-a-hex-")


def test_a_certificate_looks_like_one() -> None:
    lines = str(
        synthesise(URN, "tls:index/locallySignedCert:LocallySignedCert", "a", {}).outputs["certPem"]
    ).split("\n")
    assert (lines[0], lines[2]) == ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----")


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("registry.example:5000/team/app:1", "registry.example:5000/team/app"),
        ("registry.example:5000/team/app", "registry.example:5000/team/app"),
        ("app", "app"),
        ("app:1", "app"),
    ],
)
def test_a_pushed_image_has_a_digest_that_is_not_known_yet(name: str, repository: str) -> None:
    outputs = synthesise(URN, "docker:index/image:Image", "a", {"imageName": name}).outputs
    assert str(outputs["repoDigest"]).startswith(f"{repository}@sha256:unknown-a-repodigest-")


def test_an_image_that_stays_on_this_machine_has_its_name_and_no_digest() -> None:
    made = synthesise(URN, "docker:index/image:Image", "a", {"imageName": "app:1", "skipPush": True})
    assert made.outputs == {"baseImageName": "app:1"}
    assert not made.unknowable
    assert synthesise(URN, "docker:index/image:Image", "a", {"imageName": {"unknown": True}}).outputs == {}


def test_the_id_of_a_kubernetes_object_is_its_namespace_and_name() -> None:
    type = "kubernetes:core/v1:ConfigMap"
    assert synthesise(URN, type, "a", {"metadata": {"name": "x", "namespace": "n"}}).id == "n/x"
    assert synthesise(URN, type, "a", {"metadata": {"name": "x"}}).id == "x"
    assert synthesise(URN, type, "a", {"metadata": {}}).id is None
    assert synthesise(URN, type, "a", {}).id is None


def test_a_text_that_only_looks_like_a_token_is_none() -> None:
    assert find_markers("unknown-origin-abcdef and unknown-", {}) == []
    assert find_markers("756e6b6e6f776e2dzz", {}) == []
    known = markers_of("random:index/randomString:RandomString")
    assert find_markers("plain", known) == []
