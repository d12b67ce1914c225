"""Runs the migrations on the database that DATABASE_URL names."""

from alembic import context
from sqlalchemy import create_engine, make_url, pool

from slipway_app.settings import DatabaseSettings, load

CONNECT_TIMEOUT_SECONDS = 10
LOCK_TIMEOUT_SECONDS = 5
"""A step that waits for its lock holds up every request that comes after it: rather fail, and try again."""

url = make_url(load(DatabaseSettings).database_url.get_secret_value()).set(drivername="postgresql+psycopg")
engine = create_engine(
    url,
    poolclass=pool.NullPool,
    connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    hide_parameters=True,
)
with engine.connect() as connection:
    # Two migrations at once would run the same step twice. The lock ends with the connection.
    connection.exec_driver_sql("SELECT pg_advisory_lock(hashtext('alembic'))")
    connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
    connection.commit()
    # A transaction a step: one that fails takes back only itself.
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
