"""Every version that a stack pins, in one file: an upgrade is a reviewed one-line change.

Each constant says what it is, when it was looked at, and where its list of releases stands.
"""

POSTGRES_MAJOR = "16"
"""PostgreSQL's major version; supported until 9 November 2028. Source: postgresql.org/support/versioning, 2026-11."""

POSTGRES_IMAGE = "docker.io/library/postgres:16"
"""PostgreSQL in the cluster (local): Debian's variant, whose user is 999.

Source: hub.docker.com/_/postgres, 2026-11.
"""

POSTGRES_USER_ID = 999
"""The numeric user of `POSTGRES_IMAGE` (the Alpine variant's is 70). Source: the image's Dockerfile, 2026-11."""

PGVECTOR_IMAGE = "docker.io/pgvector/pgvector:pg16"
"""PostgreSQL 16 with pgvector on the same base. Source: github.com/pgvector/pgvector, 2026-11."""

REDIS_MAJOR = "7"
"""Redis' major version. Source: redis.io/docs/latest/operate/oss_and_stack/install/version-mgmt, 2026-11."""

REDIS_IMAGE = "docker.io/library/redis:7"
"""Redis in the cluster (local). Source: hub.docker.com/_/redis, 2026-11."""

REDIS_USER_ID = 999
"""The numeric user of `REDIS_IMAGE`. Source: the image's Dockerfile, 2026-11."""

PULUMI_VERSION = "3.272.0"
"""The Pulumi CLI that `slipway up` installs where there is none: the version of the SDK in uv.lock, 2026-11."""

PULUMI_OLDEST = "3.208.0"
"""The oldest Pulumi CLI that serves: the first whose flags can all be given as PULUMI_OPTION_* variables.

Source: pulumi.com/blog, "All Pulumi CLI flags are now supported as environment variables", 2025-11.
"""

REGISTRY_IMAGE = "docker.io/library/registry:2"
"""The registry beside a kind cluster. Source: kind.sigs.k8s.io/docs/user/local-registry, 2026-11."""

METRICS_SERVER_IMAGE = "registry.k8s.io/metrics-server/metrics-server:v0.8.0"
"""What tells the autoscaler how busy pods are, in a kind cluster. Source: github.com/kubernetes-sigs/metrics-server."""
