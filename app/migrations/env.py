"""Runs the migrations on the database that DATABASE_URL names."""

from alembic import context
from sqlalchemy import create_engine, make_url, pool

from slipway_app.settings import DatabaseSettings, load

CONNECT_TIMEOUT_SECONDS = 10

url = make_url(load(DatabaseSettings).database_url.get_secret_value()).set(drivername="postgresql+psycopg")
engine = create_engine(
    url,
    poolclass=pool.NullPool,
    connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
    hide_parameters=True,
)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        # Two migrations at once would run the same step twice. The lock ends with the transaction.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('alembic'))")
        context.run_migrations()
