"""The values of the application's secrets, each of them an `Output.secret` and nothing else."""

from collections.abc import Callable, Mapping

import pulumi
import pulumi_random as random

from components.secrets.section import ConfiguredSecret, GeneratedSecret, SecretSource
from components.shared.passwords import generated_password

NAME_KEY_BYTES = 32


class Secrets(pulumi.ComponentResource):
    """The secrets of a stack.

    Attributes:
        values: the secrets by name.
        name_key: random bytes of the stack, in hexadecimal, that key the names of Secrets.
    """

    values: Mapping[str, pulumi.Output[str]]
    name_key: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        sources: Mapping[str, SecretSource],
        *,
        configured: Callable[[str], pulumi.Output[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the generated secrets and take the configured ones.

        Args:
            name: the name of the component.
            sources: where each secret comes from.
            configured: gives the value of a key of the stack's configuration, as a secret.
            opts: the options of the component.
        """
        super().__init__("slipway:secrets:Secrets", name, None, opts)
        key = random.RandomBytes(
            f"{name}-name-key",
            length=NAME_KEY_BYTES,
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["base64", "hex"]),
        )
        self.name_key = pulumi.Output.secret(key.hex)
        self.values = {secret: self._value(secret, source, configured) for secret, source in sources.items()}
        self.register_outputs({})

    def _value(
        self, name: str, source: SecretSource, configured: Callable[[str], pulumi.Output[str]]
    ) -> pulumi.Output[str]:
        match source:
            case ConfiguredSecret(config=key):
                return pulumi.Output.secret(configured(key))
            case GeneratedSecret(generate=length):
                return generated_password(name, length=length, parent=self)
