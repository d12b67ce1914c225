from typing import Any

import pytest

from components.certificates.authority import service_dns_names
from components.secrets.section import ConfiguredSecret, GeneratedSecret, SecretSource
from tests.support.sections import accept, refusal
from tests.support.stacks import recorded, shipped

PASSWORD = "random:index/randomPassword:RandomPassword"


def test_a_secret_is_generated_or_given() -> None:
    assert accept(SecretSource, {"generate": 48}) == GeneratedSecret(generate=48)
    assert accept(SecretSource, {"config": "apiKey"}) == ConfiguredSecret(config="apiKey")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "Field required"),
        ({"generate": 15}, "greater than or equal to 16"),
        ({"generate": 257}, "less than or equal to 256"),
        ({"config": "ApiKey"}, "should match pattern"),
        ({"config": "api-key"}, "should match pattern"),
        ({"config": "apiKey", "generate": 48}, "Extra inputs are not permitted"),
        ("plain", "valid dictionary"),
    ],
)
def test_a_secret_is_never_written_down(source: object, message: str) -> None:
    assert message in refusal(SecretSource, source)


def test_a_generated_secret_has_its_length_and_letters_that_need_no_quoting() -> None:
    password = recorded("dev", {"secrets.jwtSecret": {"generate": 64}}).one(PASSWORD, "jwtSecret")
    assert (password.get("length"), password.get("special")) == (64, False)
    assert "result" in password.additional_secret_outputs


def test_generated_passwords_of_the_stores_have_190_bits() -> None:
    found = {one.name: one.get("length") for one in shipped("local").of_type(PASSWORD)}
    assert found == {
        "jwtSecret": 48,
        "postgres-administrator": 32,
        "postgres-app": 32,
        "redis-cache-app": 32,
    }


def test_names_of_secrets_are_keyed_with_32_random_bytes_that_are_secret() -> None:
    key = shipped("local").one("random:index/randomBytes:RandomBytes", "secrets-name-key")
    assert key.get("length") == 32
    assert set(key.additional_secret_outputs) == {"base64", "hex"}


def test_a_server_is_named_as_pods_of_its_own_and_of_other_namespaces_call_it() -> None:
    assert service_dns_names("postgres", "chat-local") == [
        "postgres",
        "postgres.chat-local",
        "postgres.chat-local.svc",
        "postgres.chat-local.svc.cluster.local",
    ]


@pytest.mark.parametrize("server", ["postgres", "redis-cache"])
def test_a_server_has_a_certificate_of_the_stacks_authority_for_its_names(server: str) -> None:
    found = shipped("local")
    request = found.one("tls:index/certRequest:CertRequest", server)
    assert request.get("dnsNames") == service_dns_names(server, "chat-local")
    assert request.get("subject") == {"commonName": server}
    signed = found.one("tls:index/locallySignedCert:LocallySignedCert", server)
    assert signed.get("allowedUses") == ["digital_signature", "key_encipherment", "server_auth"]
    assert signed.get("validityPeriodHours") == 825 * 24
    assert signed.get("earlyRenewalHours") == 60 * 24
    authority = found.one("tls:index/selfSignedCert:SelfSignedCert", "authority")
    assert authority.urn in signed.dependencies
    assert ("caPrivateKeyPem",) in signed.secret_paths


def test_the_authority_lives_ten_years_and_signs_certificates_only() -> None:
    authority = shipped("local").one("tls:index/selfSignedCert:SelfSignedCert", "authority")
    assert authority.get("isCaCertificate") is True
    assert authority.get("allowedUses") == ["cert_signing", "crl_signing"]
    assert authority.get("validityPeriodHours") == 10 * 365 * 24
    assert authority.get("subject") == {"commonName": "chat internal authority", "organization": "chat"}


def test_every_key_is_elliptic_and_kept_as_a_secret() -> None:
    found = shipped("local")
    keys = found.of_type("tls:index/privateKey:PrivateKey")
    assert {one.name for one in keys} == {"authority-key", "postgres-key", "redis-cache-key"}
    for one in keys:
        assert (one.get("algorithm"), one.get("ecdsaCurve")) == ("ECDSA", "P256")
    users = [one for one in found.registrations if one.get("privateKeyPem") is not None]
    assert len(users) == 3
    for one in users:
        assert ("privateKeyPem",) in one.secret_paths


def test_clients_mount_the_certificate_of_the_authority_they_trust() -> None:
    spec: Any = shipped("local").one("kubernetes:apps/v1:Deployment", "api").get("spec", "template", "spec")
    for server in ("postgres", "redis-cache"):
        volume = {one["name"]: one for one in spec["volumes"]}[f"trust-{server}"]
        name = shipped("local").one("kubernetes:core/v1:ConfigMap", f"{server}-ca").get("metadata", "name")
        assert volume["configMap"] == {"name": name}
        mounts = {one["name"]: one for one in spec["containers"][0]["volumeMounts"]}
        assert mounts[f"trust-{server}"] == {
            "name": f"trust-{server}",
            "mountPath": f"/etc/slipway/tls/{server}",
            "readOnly": True,
        }
