"""The tls provider: real keys and certificates, made with `cryptography`.

As with the real one, any changed input but the renewal window makes a new certificate, and what
holds a private key is secret.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from collections.abc import Mapping
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.engine.plugins.package import ALL, ProviderError, ResourceType, TablePackage
from tests.engine.plugins.values import Object, Value, is_list, is_object

type _Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_CURVES = {"P224": ec.SECP224R1, "P256": ec.SECP256R1, "P384": ec.SECP384R1, "P521": ec.SECP521R1}
_SUBJECT = {
    "commonName": NameOID.COMMON_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "country": NameOID.COUNTRY_NAME,
}
_USES = {"server_auth": ExtendedKeyUsageOID.SERVER_AUTH, "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH}
_RENEWAL = frozenset({"earlyRenewalHours"})


def _key(inputs: Object) -> Object:
    algorithm = inputs.get("algorithm")
    key: _Key
    if algorithm == "RSA":
        key = rsa.generate_private_key(65537, int(str(inputs.get("rsaBits", 2048))))
    elif algorithm == "ECDSA":
        key = ec.generate_private_key(_CURVES[str(inputs.get("ecdsaCurve", "P224"))]())
    elif algorithm == "ED25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        raise ProviderError(f"no key algorithm {algorithm!r}: RSA, ECDSA, ED25519")
    encoding, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    classic = (
        serialization.PrivateFormat.PKCS8
        if algorithm == "ED25519"
        else serialization.PrivateFormat.TraditionalOpenSSL
    )
    public = key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    supported = algorithm != "ECDSA" or inputs.get("ecdsaCurve") not in (None, "P224")
    return {
        "id": hashlib.sha1(public, usedforsecurity=False).hexdigest(),
        "privateKeyPem": key.private_bytes(encoding, classic, clear).decode(),
        "privateKeyPemPkcs8": key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, clear).decode(),
        "privateKeyOpenssh": key.private_bytes(encoding, serialization.PrivateFormat.OpenSSH, clear).decode()
        if supported
        else "",
        "publicKeyPem": public.decode(),
        "publicKeyOpenssh": key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
        + "\n"
        if supported
        else "",
        "publicKeyFingerprintMd5": "",
        "publicKeyFingerprintSha256": "",
    }


def _load(pem: Value) -> _Key:
    key = serialization.load_pem_private_key(str(pem).encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise ProviderError("a private key of an unknown kind")
    return key


def _algorithm(key: _Key) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "ED25519"


def _digest(key: _Key) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _texts(value: Value) -> list[str]:
    return [str(item) for item in value] if is_list(value) else []


def _subject(value: Value) -> x509.Name:
    members = value if is_object(value) else {}
    return x509.Name(
        [x509.NameAttribute(oid, str(members[k])) for k, oid in _SUBJECT.items() if k in members]
    )


def _names(inputs: Object) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in _texts(inputs.get("dnsNames"))]
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in _texts(inputs.get("ipAddresses"))]
    return names + [x509.UniformResourceIdentifier(text) for text in _texts(inputs.get("uris"))]


def _request(inputs: Object) -> Object:
    key = _load(inputs["privateKeyPem"])
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(inputs.get("subject")))
    if names := _names(inputs):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = builder.sign(key, _digest(key)).public_bytes(serialization.Encoding.PEM)
    identity = hashlib.sha1(pem, usedforsecurity=False).hexdigest()
    return {"id": identity, "certRequestPem": pem.decode(), "keyAlgorithm": _algorithm(key)}


def _certificate(
    inputs: Object,
    subject: x509.Name,
    names: list[x509.GeneralName],
    of: CertificatePublicKeyTypes,
    issuer: x509.Name,
    by: _Key,
) -> Object:
    start = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    end = start + datetime.timedelta(hours=float(str(inputs["validityPeriodHours"])))
    authority = bool(inputs.get("isCaCertificate"))
    uses = _texts(inputs.get("allowedUses"))
    serial = x509.random_serial_number()
    builder = (
        x509.CertificateBuilder(issuer, subject, of, serial, start, end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(of), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature="digital_signature" in uses,
                content_commitment=False,
                key_encipherment="key_encipherment" in uses,
                data_encipherment=False,
                key_agreement="key_agreement" in uses,
                key_cert_sign="cert_signing" in uses,
                crl_sign="crl_signing" in uses,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if extended := [oid for use, oid in _USES.items() if use in uses]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = builder.sign(by, _digest(by)).public_bytes(serialization.Encoding.PEM)
    return {
        "id": str(serial),
        "certPem": pem.decode(),
        "readyForRenewal": False,
        "validityStartTime": start.isoformat().replace("+00:00", "Z"),
        "validityEndTime": end.isoformat().replace("+00:00", "Z"),
    }


def _self_signed(inputs: Object) -> Object:
    key = _load(inputs["privateKeyPem"])
    subject = _subject(inputs.get("subject"))
    made = _certificate(inputs, subject, _names(inputs), key.public_key(), subject, key)
    return {**made, "keyAlgorithm": _algorithm(key)}


def _signed(inputs: Object) -> Object:
    request = x509.load_pem_x509_csr(str(inputs["certRequestPem"]).encode())
    authority = x509.load_pem_x509_certificate(str(inputs["caCertPem"]).encode())
    by = _load(inputs["caPrivateKeyPem"])
    try:
        names = list(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        names = []
    made = _certificate(inputs, request.subject, names, request.public_key(), authority.subject, by)
    return {**made, "caKeyAlgorithm": _algorithm(by)}


class TlsPackage(TablePackage):
    """Keys, requests and certificates; they live in Pulumi's state alone."""

    name = "tls"
    types: ClassVar[Mapping[str, ResourceType]] = {
        "tls:index/privateKey:PrivateKey": ResourceType(
            (
                "privateKeyPem",
                "privateKeyPemPkcs8",
                "privateKeyOpenssh",
                "publicKeyPem",
                "publicKeyOpenssh",
                "publicKeyFingerprintMd5",
                "publicKeyFingerprintSha256",
            ),
            _key,
            ALL,
            frozenset({"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"}),
        ),
        "tls:index/certRequest:CertRequest": ResourceType(
            ("certRequestPem", "keyAlgorithm"), _request, ALL, frozenset({"privateKeyPem"})
        ),
        "tls:index/selfSignedCert:SelfSignedCert": ResourceType(
            ("certPem", "keyAlgorithm", "readyForRenewal", "validityStartTime", "validityEndTime"),
            _self_signed,
            ALL,
            frozenset({"privateKeyPem"}),
            in_place=_RENEWAL,
        ),
        "tls:index/locallySignedCert:LocallySignedCert": ResourceType(
            ("certPem", "caKeyAlgorithm", "readyForRenewal", "validityStartTime", "validityEndTime"),
            _signed,
            ALL,
            frozenset({"caPrivateKeyPem"}),
            in_place=_RENEWAL,
        ),
    }
