"""The settings of a stack: every section of the stack file, assembled.

Each section is declared beside the part that it configures. Rules that look at more than one section stand in
`stacks/rules.py`, since they can only be judged when every section is sound by itself.
"""

from pydantic import Field

from components.account.section import Aws, Budget
from components.backup.section import Backup
from components.cluster.section import ClusterSection
from components.image.section import ImageSection, Release
from components.jobs.section import CronJob, Migrations
from components.namespace.section import App
from components.postgres.section import DatabaseSection, NoDatabase
from components.redis.section import RedisSection
from components.secrets.section import SecretsSection
from components.shared.names import Name
from components.shared.section import Section
from components.workload.section import Services
from stacks.presets import Environment


class Settings(Section):
    """What one stack file says, every value checked."""

    environment: Environment = Field(
        description="local, dev, staging or prod: picks the presets and the rules."
    )
    app: App = Field(description="The application and its owner.")
    aws: Aws | None = Field(
        default=None, description="Region and account; required where a managed part is named."
    )
    cluster: ClusterSection = Field(description="Which Kubernetes the workloads run on.")
    image: ImageSection = Field(description="The application's image: built here, or a release.")
    release: Release | None = Field(
        default=None, description="Digest that CI has built; for images of kind release."
    )
    services: Services = Field(description="API, workers and frontends, by name.")
    migrations: Migrations | None = Field(
        default=None, description="The Job that migrates the database before a rollout."
    )
    cron_jobs: dict[Name, CronJob] = Field(
        default_factory=dict, description="Programs on a schedule, by name."
    )
    database: DatabaseSection = Field(
        default=NoDatabase(kind="none"), description="The services' PostgreSQL."
    )
    redis: RedisSection = Field(default_factory=dict, description="The services' Redis instances, by name.")
    secrets: SecretsSection = Field(default_factory=dict, description="The secrets that there are, by name.")
    backup: Backup | None = Field(
        default=None, description="How long backups are kept, and how they are tested."
    )
    budget: Budget | None = Field(default=None, description="What a month may cost.")

    @property
    def namespace(self) -> str:
        """The Kubernetes namespace of everything in the stack."""
        return self.app.namespace or f"{self.app.name}-{self.environment}"
