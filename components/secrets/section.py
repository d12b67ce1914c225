"""The section `slipway:secrets`: which secrets there are, never what they are."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from components.shared.section import Section
from components.workload.env import SecretName


class GeneratedSecret(Section):
    """Made once by the stack and kept in its state, encrypted."""

    generate: int = Field(ge=16, le=256, description="Length in characters (letters and digits), 16 to 256.")


class ConfiguredSecret(Section):
    """Given by `slipway secrets set NAME`, kept encrypted in the stack file under `secrets:NAME`."""

    config: SecretName = Field(description="Key below `secrets:`, in camelCase.")


def _kind(value: object) -> str:
    present = "config" in value if isinstance(value, dict) else hasattr(value, "config")
    return "config" if present else "generate"


SecretSource = Annotated[
    Annotated[GeneratedSecret, Tag("generate")] | Annotated[ConfiguredSecret, Tag("config")],
    Discriminator(_kind),
]
SecretsSection = dict[SecretName, SecretSource]
