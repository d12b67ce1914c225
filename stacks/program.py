"""The Pulumi program: load the settings, build the platform, export its outputs."""

from collections.abc import Mapping
from pathlib import Path

import pulumi

from stacks import pending
from stacks.builds import missing_build_contexts
from stacks.config.namespaces import SECRETS
from stacks.config.problems import Problem, SettingsError
from stacks.load import engine_config, from_pulumi, refused
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
    project = Path.cwd()
    pending.refuse_up(settings)
    if missing := missing_build_contexts(settings, project):
        raise refused(missing)
    given, _ = engine_config()
    _require_secrets(settings, given)
    for warning in (*pending.warnings(settings), *warnings(settings)):
        pulumi.log.warn(warning)
    # Taken from what the engine gave, not by `pulumi.Config`: for an absent key that would ask the environment.
    platform = Platform(
        settings,
        project=project,
        configured_secret=lambda key: pulumi.Output.secret(given.get(f"{SECRETS}:{key}", PLACEHOLDER)),
    )
    export_outputs(settings, platform)


def _require_secrets(settings: Settings, given: Mapping[str, str]) -> None:
    """Refuse `up`, and warn in a preview, where a named secret has no value."""
    missing = missing_secrets(settings, lambda key: f"{SECRETS}:{key}" in given)
    remedies = {key: f"slipway secrets set {key} --stack {pulumi.get_stack()}" for key in missing}
    for key, command in remedies.items():
        pulumi.log.warn(f"{SECRETS}:{key} has no value yet: `{command}`.")
    if missing and not pulumi.runtime.is_dry_run():
        raise SettingsError(
            Problem(
                key=f"{SECRETS}:{key}",
                where=None,
                what="this secret has no value",
                why="The services that use it would start without it.",
                remedy=f"Run `{command}`.",
            )
            for key, command in remedies.items()
        )
