"""The Job that makes the application's database, its role and its extensions, whatever runs PostgreSQL.

It can be run any number of times and changes a password in place. The services wait for it, and never hold the
administrator's password.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.shared.component import Surroundings
from components.shared.configuration import config_map, secret
from components.shared.names import content_name_output
from components.shared.network_policy import Allowances, network_policy
from components.shared.pods import (
    PodParts,
    Trust,
    VolumeMount,
    container_security,
    resource_requirements,
    scratch_volumes,
)
from components.shared.resources import Amounts, Resources

core = kubernetes.core.v1

PART = "postgres-roles"
TIMEOUT_SECONDS = 300
RETRIES = 5
RESOURCES = Resources(requests=Amounts(cpu="50m", memory="64Mi"), limits=Amounts(cpu="500m", memory="128Mi"))
SCRIPT_FOLDER = "/etc/slipway/sql"
SCRIPT_FILE = "roles.sql"

_SCRIPT = r"""\set ON_ERROR_STOP on
\getenv app_database APP_DATABASE
\getenv app_user APP_USER
\getenv app_password APP_PASSWORD
SELECT format('CREATE ROLE %I', :'app_user') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'app_user') \gexec
ALTER ROLE :"app_user" WITH LOGIN PASSWORD :'app_password';
-- An administrator that is no superuser (RDS) may give a database only to a role that it is a member of.
GRANT :"app_user" TO CURRENT_USER;
SELECT format('CREATE DATABASE %I OWNER %I', :'app_database', :'app_user')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'app_database') \gexec
REVOKE ALL ON DATABASE :"app_database" FROM PUBLIC;
\connect :"app_database"
"""


@dataclass(frozen=True)
class Administrator:
    """How the Job reaches the server.

    Attributes:
        host: host name of the server.
        port: TCP port.
        user: the administrator's role.
        password: its password, a secret.
        trust: the authority of the server's certificate.
    """

    host: pulumi.Input[str]
    port: int
    user: str
    password: pulumi.Output[str]
    trust: Trust


def roles_script(extensions: Sequence[str]) -> str:
    """Return the SQL, for psql, that brings role, database and extensions to the wanted state."""
    return _SCRIPT + "".join(f'CREATE EXTENSION IF NOT EXISTS "{name}";\n' for name in sorted(extensions))


class DatabaseRoles(pulumi.ComponentResource):
    """The database, role and extensions of the application.

    Attributes:
        job: the Job; when it is complete, the application can connect.
    """

    job: kubernetes.batch.v1.Job

    def __init__(
        self,
        name: str,
        *,
        surroundings: Surroundings,
        image: str,
        user_id: int,
        administrator: Administrator,
        database: str,
        user: str,
        password: pulumi.Output[str],
        extensions: Sequence[str],
        allowances: Allowances,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Create the Job with its script and passwords.

        Args:
            name: the name of the component.
            surroundings: where it stands.
            image: an image with `psql` 14 or newer.
            user_id: the numeric user of that image.
            administrator: how the server is reached.
            database: the database to make.
            user: the role to make, its owner.
            password: the role's password, a secret.
            extensions: the extensions to make in the database.
            allowances: whom its pod may reach.
            after: what must stand before, such as the server's pods.
            opts: the options of the component.
        """
        super().__init__("slipway:postgres:DatabaseRoles", name, None, opts)
        network_policy(surroundings, PART, allowances, parent=self)
        script = config_map(
            surroundings, PART, f"{name}-sql", {SCRIPT_FILE: roles_script(extensions)}, parent=self
        )
        environment = secret(
            surroundings,
            PART,
            f"{name}-env",
            {
                "PGHOST": administrator.host,
                "PGPORT": str(administrator.port),
                "PGDATABASE": "postgres",
                "PGUSER": administrator.user,
                "PGPASSWORD": administrator.password,
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": administrator.trust.file,
                "APP_DATABASE": database,
                "APP_USER": user,
                "APP_PASSWORD": password,
            },
            parent=self,
        )
        sql = VolumeMount(
            core.VolumeArgs(name="sql", config_map=core.ConfigMapVolumeSourceArgs(name=script)),
            SCRIPT_FOLDER,
            read_only=True,
        )
        volumes = [sql, administrator.trust.volume(), *scratch_volumes(["/tmp"], "16Mi")]  # noqa: S108 - a mount's name
        script_file = f"{SCRIPT_FOLDER}/{SCRIPT_FILE}"
        container = core.ContainerArgs(
            name="psql",
            image=image,
            image_pull_policy="IfNotPresent",
            # A network policy lets a new pod through a moment after it has started: wait inside the pod, since each try
            # of the Job would be a new pod again.
            command=[
                "sh",
                "-c",
                f"until pg_isready --quiet; do sleep 1; done; exec psql --no-psqlrc --file={script_file}",
            ],
            env_from=[core.EnvFromSourceArgs(secret_ref=core.SecretEnvSourceArgs(name=environment))],
            resources=resource_requirements(RESOURCES),
            security_context=container_security(),
            volume_mounts=[volume.mount() for volume in volumes],
        )
        pod = PodParts(containers=[container], volumes=volumes, user_id=user_id, restart_policy="Never")
        self.job = kubernetes.batch.v1.Job(
            name,
            # A Job cannot be changed: it is named by what it does, and another name makes a new one.
            metadata=surroundings.metadata(
                PART,
                content_name_output(name, {"image": image, "script": script, "environment": environment}),
            ),
            spec=kubernetes.batch.v1.JobSpecArgs(
                backoff_limit=RETRIES,
                active_deadline_seconds=TIMEOUT_SECONDS,
                template=pod.template(surroundings.labels(PART)),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        self.register_outputs({})
