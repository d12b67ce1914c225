"""Environment variables of a service: plain text, or a reference that the stack resolves.

The stack file says where a value comes from, never what a secret is. Whatever refers to a secret, the database or Redis
is delivered by a Secret; only plain text and addresses of services stand in a ConfigMap.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, WithJsonSchema

from components.shared.names import Name
from components.shared.refusal import refuse
from components.shared.section import Section

DatabaseField = Literal["url", "host", "port", "name", "user", "password", "caFile"]
RedisField = Literal["url", "host", "port", "user", "password", "caFile"]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9]*$", max_length=63)]
"""The name of a secret in `slipway:secrets`, in camelCase."""


class SecretReference(Section):
    """The value of a secret of `slipway:secrets`."""

    secret: SecretName = Field(description="Name of a secret in `slipway:secrets`.")


class DatabaseReference(Section):
    """What the service is told of the database."""

    database: DatabaseField = Field(
        description="url, host, port, name, user, password, or caFile (path of the certificate)."
    )


class RedisReference(Section):
    """What the service is told of Redis."""

    redis: RedisField = Field(
        description="url, host, port, user, password, or caFile (path of the certificate)."
    )
    instance: Name | None = Field(
        default=None, description="Which of `slipway:redis`; not needed where there is only one."
    )


class ServiceReference(Section):
    """The address of another service, inside the cluster."""

    service: Name = Field(description="Name of a service; gives http://name:port.")


def _plain(value: object) -> object:
    if isinstance(value, bool | float) or value is None:
        raise refuse(
            "not text",
            why="Environment variables are text, and how a program reads back such a value differs by language.",
            remedy='Put it in quotes as the program expects it, such as "true" or "1.50".',
        )
    return str(value) if isinstance(value, int) else value


PlainText = Annotated[str, BeforeValidator(_plain), WithJsonSchema({"type": ["string", "integer"]})]
Reference = SecretReference | DatabaseReference | RedisReference | ServiceReference
_KINDS = ("secret", "database", "redis", "service")


def _kind(value: object) -> str:
    """Return the tag of a value's form; an unknown one reads as text, whose error says what is legal."""
    if isinstance(value, dict):
        keys = cast("dict[str, object]", value)
        return next((kind for kind in _KINDS if kind in keys), "reference")
    return next((kind for kind in _KINDS if hasattr(value, kind)), "text")


def _no_reference(_: object) -> object:
    raise refuse(
        "neither text nor a reference",
        why="The service would start without this variable.",
        remedy="Write text, or one of { secret: … }, { database: … }, { redis: … }, { service: … }.",
    )


EnvValue = Annotated[
    Annotated[PlainText, Tag("text")]
    | Annotated[SecretReference, Tag("secret")]
    | Annotated[DatabaseReference, Tag("database")]
    | Annotated[RedisReference, Tag("redis")]
    | Annotated[ServiceReference, Tag("service")]
    | Annotated[str, BeforeValidator(_no_reference), Tag("reference"), WithJsonSchema({"not": {}})],
    Discriminator(_kind),
]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=253)]
"""The name of an environment variable, as POSIX shells take it."""

Environment = dict[EnvName, EnvValue]


def references(environment: Mapping[str, str | Reference]) -> Iterator[Reference]:
    """Yield the references among the values of an environment."""
    return (value for value in environment.values() if not isinstance(value, str))
