"""A small service to deploy: notes in PostgreSQL, a cache and a queue in Redis, a worker, a clean-up job."""
