"""The one table of outputs that providers compute: what an offline run and unit tests see instead.

A value that nobody can know before `up` becomes a unique token (`unknown-<name>-<output>-<6 hex>`), so that
the program's own arithmetic runs, names stay consistent, and the recorder can say where such a value ended
up. An output that is absent here is simply unknown, as in the engine's own preview.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from slipway.offline.model import Json

Encoding = Literal["text", "base64", "hex", "openssh", "certificate", "key", "public-key", "request"]

_PEM_LABELS: Mapping[Encoding, str] = {
    "certificate": "CERTIFICATE",
    "key": "PRIVATE KEY",
    "public-key": "PUBLIC KEY",
    "request": "CERTIFICATE REQUEST",
}


@dataclass(frozen=True)
class Unknowable:
    """An output known only after `up`: the form its token takes, and whether the provider marks it secret."""

    encoding: Encoding = "text"
    secret: bool = False

    def write(self, token: str) -> str:
        """The token in the form in which the real provider returns the value."""
        match self.encoding:
            case "text":
                return token
            case "base64":
                return base64.b64encode(token.encode()).decode()
            case "hex":
                return token.encode().hex()
            case "openssh":
                return f"ssh-ed25519 {token}"
            case "certificate" | "key" | "public-key" | "request":
                label = _PEM_LABELS[self.encoding]
                return f"-----BEGIN {label}-----\n{token}\n-----END {label}-----\n"


@dataclass(frozen=True)
class Marker:
    """One synthesised value: its exact text, the output it stands for, and whether that is secret."""

    text: str
    urn: str
    output: str
    secret: bool


@dataclass(frozen=True)
class Synthesis:
    """What a provider would have answered: the id (None is unknown), more outputs, the markers among them."""

    id: str | None
    outputs: Mapping[str, Json]
    markers: tuple[Marker, ...] = ()

    @property
    def secret_outputs(self) -> frozenset[str]:
        """Names of outputs that the provider returns as secrets."""
        return frozenset(marker.output for marker in self.markers if marker.secret)

    @property
    def unknowable(self) -> bool:
        """Whether anything but the id exists only after `up`."""
        return any(marker.output in self.outputs for marker in self.markers)


_PLAIN = Unknowable()
_SECRET = Unknowable(secret=True)

UNKNOWABLE: Mapping[str, Mapping[str, Unknowable]] = {
    "random:index/randomPassword:RandomPassword": {"result": _SECRET, "bcryptHash": _SECRET},
    "random:index/randomBytes:RandomBytes": {
        "base64": Unknowable("base64", secret=True),
        "hex": Unknowable("hex", secret=True),
    },
    "random:index/randomString:RandomString": {"result": _PLAIN},
    "random:index/randomId:RandomId": {
        "b64Std": Unknowable("base64"),
        "b64Url": _PLAIN,
        "hex": Unknowable("hex"),
    },
    "random:index/randomUuid:RandomUuid": {"result": _PLAIN},
    "random:index/randomPet:RandomPet": {"id": _PLAIN},
    "tls:index/privateKey:PrivateKey": {
        "privateKeyPem": Unknowable("key", secret=True),
        "privateKeyPemPkcs8": Unknowable("key", secret=True),
        "privateKeyOpenssh": Unknowable("key", secret=True),
        "publicKeyPem": Unknowable("public-key"),
        "publicKeyOpenssh": Unknowable("openssh"),
        "publicKeyFingerprintMd5": _PLAIN,
        "publicKeyFingerprintSha256": _PLAIN,
    },
    "tls:index/selfSignedCert:SelfSignedCert": {
        "certPem": Unknowable("certificate"),
        "validityStartTime": _PLAIN,
        "validityEndTime": _PLAIN,
    },
    "tls:index/locallySignedCert:LocallySignedCert": {
        "certPem": Unknowable("certificate"),
        "validityStartTime": _PLAIN,
        "validityEndTime": _PLAIN,
    },
    "tls:index/certRequest:CertRequest": {"certRequestPem": Unknowable("request")},
}
"""Outputs that only exist after `up`, by type token."""


def _docker_image(inputs: Mapping[str, Json], token: Callable[[str], str]) -> Mapping[str, Json]:
    """A built image: its name is the one that was asked for; its digest exists only once it was pushed."""
    name = inputs.get("imageName")
    if not isinstance(name, str):
        return {}
    outputs: dict[str, Json] = {"baseImageName": name}
    if not inputs.get("skipPush"):
        repository = name if "/" in name.rpartition(":")[2] else name.rpartition(":")[0] or name
        outputs["repoDigest"] = f"{repository}@sha256:{token('repoDigest')}"
    return outputs


COMPUTED: Mapping[str, Callable[[Mapping[str, Json], Callable[[str], str]], Mapping[str, Json]]] = {
    "docker:index/image:Image": _docker_image,
}
"""Outputs that follow from the inputs, by type token. The second argument makes the token of an output."""

FUNCTIONS: Mapping[str, Callable[[Mapping[str, Json]], Mapping[str, Json]]] = {}
"""Answers to provider functions (`get_*`), by token. One that is missing fails the run with its name."""


def synthesise(urn: str, type: str, name: str, inputs: Mapping[str, Json]) -> Synthesis:
    """The id and the computed outputs of a resource before it exists.

    Args:
        urn: of the resource; makes tokens unique.
        type: token, such as `random:index/randomPassword:RandomPassword`.
        name: logical name; makes tokens readable.
        inputs: plain JSON with secrets replaced.
    """
    markers: list[Marker] = []

    def token(output: str) -> str:
        text = token_for(urn, name, output)
        markers.append(Marker(text, urn, output, secret=False))
        return text

    outputs: dict[str, Json] = {}
    for output, shape in UNKNOWABLE.get(type, {}).items():
        text = shape.write(token_for(urn, name, output))
        markers.append(Marker(_core(text, urn, name, output), urn, output, shape.secret))
        outputs[output] = text
    if type in COMPUTED:
        outputs.update(COMPUTED[type](inputs, token))
    if type.startswith("kubernetes:"):
        return Synthesis(_kubernetes_id(inputs), outputs, tuple(markers))
    return Synthesis(token("id"), outputs, tuple(markers))


def token_for(urn: str, name: str, output: str) -> str:
    """The placeholder of one unknowable output: readable, unique per resource and output, safe in a URL."""
    digest = hashlib.sha256(f"{urn}\n{output}".encode()).hexdigest()[:6]
    return f"unknown-{_slug(name)}-{_slug(output)}-{digest}"


def find_markers(text: str, known: Mapping[str, Marker]) -> list[Marker]:
    """All synthesised values that stand in `text`, also as a part of it.

    Args:
        text: any string.
        known: markers by their text.
    """
    if not any(prefix in text for prefix in _PREFIXES):
        return []
    found: list[Marker] = []
    for start in _START.finditer(text):
        window = text[start.start() : start.start() + _LONGEST]
        for end in _END.finditer(window):
            marker = known.get(window[: end.end()])
            if marker is not None:
                found.append(marker)
                break
        else:
            encoded = _ENCODED.match(window)
            if encoded is not None and encoded.group() in known:
                found.append(known[encoded.group()])
    return found


def _core(text: str, urn: str, name: str, output: str) -> str:
    """The part of a written value that is unique: the token where readable, else the whole encoded text."""
    token = token_for(urn, name, output)
    return token if token in text else text


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


def _kubernetes_id(inputs: Mapping[str, Json]) -> str | None:
    metadata = inputs.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return None
    namespace, name = metadata.get("namespace"), metadata["name"]
    return f"{namespace}/{name}" if isinstance(namespace, str) else f"{name}"


_PREFIXES = ("unknown-", "dW5rbm93bi", "756e6b6e6f776e2d")  # plain, base64, hex
_START = re.compile("|".join(_PREFIXES))
_END = re.compile(r"-[0-9a-f]{6}")
_ENCODED = re.compile(r"[A-Za-z0-9+/=]+")
_LONGEST = 400  # characters: two slugs of 60, the digest, and twice that in hex
