"""The section `slipway:backup`: how long backups are kept, and how often they are restored as a test."""

from typing import Literal

from pydantic import Field

from components.shared.section import Section, preset


class Backup(Section):
    """What a loss may cost: in data (RPO) and in time (RTO)."""

    retention_days: int = preset(
        "backup_retention_days", default=7, ge=1, le=35, description="Days that PITR reaches back, 1 to 35."
    )
    restore_test: Literal["weekly", "monthly", "off"] = preset(
        "restore_test", default="off", description="How often a backup is restored and judged by its data."
    )
    rpo_minutes: int = Field(default=60, ge=5, le=1440, description="Minutes of data that a loss may cost.")
    rto_minutes: int = Field(default=240, ge=15, le=2880, description="Minutes that a recovery may take.")
