"""Passwords that a stack makes for itself: letters and digits, kept only in its encrypted state."""

import pulumi
import pulumi_random as random

PASSWORD_LENGTH = 32
"""Characters of a store's password: 190 bits of letters and digits, which need no quoting anywhere."""


def generated_password(
    name: str, *, length: int = PASSWORD_LENGTH, parent: pulumi.Resource
) -> pulumi.Output[str]:
    """Create a password and return it as a secret.

    Args:
        name: the name of the resource.
        length: its length in characters.
        parent: the component that it belongs to.
    """
    password = random.RandomPassword(
        name,
        length=length,
        special=False,
        opts=pulumi.ResourceOptions(parent=parent, additional_secret_outputs=["result"]),
    )
    return pulumi.Output.secret(password.result)
