"""The Pulumi program: load the settings, build the platform, export its outputs."""

from pathlib import Path

import pulumi

from stacks import pending
from stacks.config.problems import Problem, SettingsError
from stacks.load import from_pulumi
from stacks.outputs import export_outputs
from stacks.platform import Platform
from stacks.rules import missing_secrets, warnings
from stacks.settings import Settings

PLACEHOLDER = "unknown-secret-000000"
"""Stands for a configured secret that has no value yet; only a preview goes on with it."""


def run() -> None:
    """Run the program for the stack that the engine names.

    Raises:
        SettingsError: when the configuration cannot be used; nothing was created then.
    """
    settings = from_pulumi()
    pending.refuse_up(settings)
    _require_secrets(settings)
    for warning in (*pending.warnings(settings), *warnings(settings)):
        pulumi.log.warn(warning)
    platform = Platform(settings, project=Path.cwd(), configured_secret=_configured_secret)
    export_outputs(settings, platform)


def _require_secrets(settings: Settings) -> None:
    """Refuse `up`, and warn in a preview, where a named secret has no value."""
    config = pulumi.Config("secrets")
    missing = missing_secrets(settings, lambda key: config.get(key) is not None)
    for key in missing:
        pulumi.log.warn(
            f"secrets:{key} has no value yet: `slipway secrets set {key} --stack {pulumi.get_stack()}`."
        )
    if missing and not pulumi.runtime.is_dry_run():
        raise SettingsError(
            Problem(
                key=f"secrets:{key}",
                where=None,
                what="this secret has no value",
                why="The services that use it would start without it.",
                remedy=f"Run `slipway secrets set {key} --stack {pulumi.get_stack()}`.",
            )
            for key in missing
        )


def _configured_secret(key: str) -> pulumi.Output[str]:
    value = pulumi.Config("secrets").get_secret(key)
    return value if value is not None else pulumi.Output.secret(PLACEHOLDER)
