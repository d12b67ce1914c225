"""Names and labels: the one place that makes them.

A name follows Kubernetes' rules for labels (RFC 1123), since a Service's name becomes a host name. Content names carry
a hash, so that an immutable object is replaced, and the pods that use it are rolled, exactly when its content changes.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Annotated

import pulumi
from pydantic import AfterValidator, WithJsonSchema

from components.shared.refusal import refuse

HASH_LENGTH = 10
"""Hex digits of a content hash in a name: 40 bits, so that two contents of one base never meet by chance."""

MAX_NAME_LENGTH = 40
"""Longest name of ours: 63 (RFC 1123 label) less the longest suffix that we and Kubernetes' controllers append."""

_LABEL = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"


def _label(value: str) -> str:
    if len(value) > MAX_NAME_LENGTH or re.fullmatch(_LABEL, value) is None:
        raise refuse(
            f"no name that Kubernetes takes (lower-case letters, digits and `-`, at most {MAX_NAME_LENGTH})",
            why="Objects and host names are made from it: the API server would refuse them.",
            remedy=f"Write a name such as `{suggest_label(value)}`.",
        )
    return value


def suggest_label(text: str) -> str:
    """Return the nearest valid name to a text: `My_API` becomes `my-api`."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    named = cleaned if cleaned[:1].isalpha() else f"app-{cleaned}"
    return named[:MAX_NAME_LENGTH].strip("-")


Name = Annotated[
    str,
    AfterValidator(_label),
    WithJsonSchema({"type": "string", "pattern": _LABEL, "maxLength": MAX_NAME_LENGTH}),
]
"""A name that becomes Kubernetes objects and host names."""


def content_name(base: str, content: Mapping[str, str]) -> str:
    """Return `base-<hash>` for public content: equal content gives the equal name.

    Args:
        base: the name without the hash.
        content: the data of the object.
    """
    text = json.dumps(dict(content), sort_keys=True, ensure_ascii=True)
    return f"{base}-{hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]}"


def content_name_output(base: str, content: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """Return `content_name` for public content that is known only when other resources stand, such as a certificate."""
    return pulumi.Output.all(**content).apply(lambda data: content_name(base, data))


def secret_content_name(
    base: str, key: pulumi.Input[str], content: Mapping[str, pulumi.Input[str]]
) -> pulumi.Output[str]:
    """Return `base-<hash>` for secret content, as a value that is itself no secret.

    The hash is keyed with random bytes of the stack, so that the name tells nothing of the content, not even to
    somebody who can guess it.

    Args:
        base: the name without the hash.
        key: random bytes of the stack, in hexadecimal.
        content: the data of the object.
    """

    def name(values: list[str | dict[str, str]]) -> str:
        random_key, data = values
        text = json.dumps(data, sort_keys=True, ensure_ascii=True)
        digest = hmac.new(str(random_key).encode(), text.encode(), hashlib.sha256).hexdigest()
        return f"{base}-{digest[:HASH_LENGTH]}"

    both: pulumi.Output[list[str | dict[str, str]]] = pulumi.Output.all(key, pulumi.Output.all(**content))
    return pulumi.Output.unsecret(both.apply(name))


def labels(*, app: str, part: str, environment: str) -> dict[str, str]:
    """Return the recommended labels of every object of a part.

    Args:
        app: the name of the application.
        part: the part that the object belongs to, such as `api`.
        environment: local, dev, staging or prod.
    """
    return {
        "app.kubernetes.io/name": part,
        "app.kubernetes.io/part-of": app,
        "app.kubernetes.io/managed-by": "slipway",
        "slipway.dev/environment": environment,
    }


def selector(*, app: str, part: str) -> dict[str, str]:
    """Return the labels that select the pods of a part; they never change, since a selector is immutable."""
    return {"app.kubernetes.io/name": part, "app.kubernetes.io/part-of": app}
