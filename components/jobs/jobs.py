"""The migration before a rollout, and programs on a schedule."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.jobs.section import CronJob, Migrations
from components.shared.component import Surroundings
from components.shared.names import HASH_LENGTH, content_name_output
from components.shared.network_policy import Allowances, network_policy
from components.workload.runtime import Runtime

batch = kubernetes.batch.v1

MIGRATION = "migrate"
START_DEADLINE_SECONDS = 300
"""Seconds that a scheduled run may start late, after a controller's pause; without it 100 missed runs stop a CronJob
for good."""

KEPT_RUNS = 3


class Migration(pulumi.ComponentResource):
    """The migration of the database's schema, finished before any pod of the new image starts.

    Attributes:
        job: the Job; the workloads depend on it.
    """

    job: kubernetes.batch.v1.Job

    def __init__(
        self,
        name: str,
        section: Migrations,
        *,
        surroundings: Surroundings,
        runtime: Runtime,
        image_identity: str,
        allowances: Allowances,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the Job.

        Args:
            name: the name of the component.
            section: what runs.
            surroundings: where it stands.
            runtime: the environment of the service that it belongs to.
            image_identity: what changes with the image's content.
            allowances: whom its pod may reach.
            opts: the options of the component.
        """
        super().__init__("slipway:jobs:Migration", name, None, opts)
        network_policy(surroundings, name, allowances, parent=self)
        template = runtime.job_pod(name, section.command, section.resources).template(
            surroundings.labels(name)
        )
        self.job = batch.Job(
            name,
            # A Job cannot be changed, and runs once for each image and command: another name makes a new one, and no
            # time to live, since a Job that vanished would be run again after `pulumi refresh`.
            metadata=surroundings.metadata(
                name,
                content_name_output(
                    f"{name}-{image_identity[:HASH_LENGTH]}",
                    {
                        "image": image_identity,
                        "section": section.model_dump_json(),
                        "environment": runtime.fingerprint,
                    },
                ),
            ),
            spec=batch.JobSpecArgs(
                backoff_limit=section.retries,
                active_deadline_seconds=section.timeout_seconds,
                template=template,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(runtime.needs),
                custom_timeouts=pulumi.CustomTimeouts(create=f"{section.timeout_seconds + 60}s"),
            ),
        )
        self.register_outputs({})


class ScheduledProgram(pulumi.ComponentResource):
    """A program of the application on a schedule: one run at a time, in UTC."""

    def __init__(
        self,
        name: str,
        section: CronJob,
        *,
        surroundings: Surroundings,
        runtime: Runtime,
        allowances: Allowances,
        after: tuple[pulumi.Resource, ...] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the CronJob.

        Args:
            name: the name of the component and the CronJob.
            section: what runs, and when.
            surroundings: where it stands.
            runtime: the environment of the service that it belongs to.
            allowances: whom its pods may reach.
            after: what must be done before its first run, such as the migration.
            opts: the options of the component.
        """
        super().__init__("slipway:jobs:ScheduledProgram", name, None, opts)
        network_policy(surroundings, name, allowances, parent=self)
        pod = runtime.job_pod(name, section.command, section.resources)
        batch.CronJob(
            name,
            metadata=surroundings.metadata(name),
            spec=batch.CronJobSpecArgs(
                schedule=section.schedule,
                time_zone="Etc/UTC",
                concurrency_policy="Forbid",
                starting_deadline_seconds=START_DEADLINE_SECONDS,
                successful_jobs_history_limit=KEPT_RUNS,
                failed_jobs_history_limit=KEPT_RUNS,
                job_template=batch.JobTemplateSpecArgs(
                    spec=batch.JobSpecArgs(
                        backoff_limit=section.retries,
                        active_deadline_seconds=section.timeout_seconds,
                        template=pod.template(surroundings.labels(name)),
                    )
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*runtime.needs, *after]),
        )
        self.register_outputs({})
