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
