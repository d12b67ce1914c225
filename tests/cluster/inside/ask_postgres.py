"""Asks PostgreSQL with the service's own DATABASE_URL who it is and what it may do; prints the answers."""

import json
import os
import socket

import psycopg  # pyright: ignore[reportMissingImports]  # the application's image has it

URL = os.environ["DATABASE_URL"]
FORBIDDEN = {
    "create role": "CREATE ROLE intruder",
    "create database": "CREATE DATABASE elsewhere",
    "become administrator": "SET ROLE postgres",
    "change settings": "ALTER SYSTEM SET work_mem = '1MB'",
    "run programs": "COPY (SELECT 1) TO PROGRAM 'true'",
    "read passwords": "SELECT rolpassword FROM pg_authid",
}


def row(statement: str) -> dict[str, object]:
    """The one row of a statement, by column."""
    with psycopg.connect(URL, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))


def refusal(statement: str, **parameters: str) -> str:
    """What the server (or the client) says to a statement, or nothing when it is carried out."""
    try:
        with psycopg.connect(URL, autocommit=True, connect_timeout=5, **parameters) as connection:
            connection.execute(statement)
    except psycopg.Error as error:
        return str(error)
    return ""


address = socket.gethostbyname("postgres")
print(
    json.dumps(
        {
            "connection": row("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
            "role": row(
                "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,"
                " pg_get_userbyid(datdba) AS owner FROM pg_roles, pg_database"
                " WHERE rolname = current_user AND datname = current_database()"
            ),
            "refusals": {what: refusal(statement) for what, statement in FORBIDDEN.items()},
            "without TLS": refusal("SELECT 1", sslmode="disable"),
            "under another name": refusal("SELECT 1", host="db.example.com", hostaddr=address),
            "as itself": refusal("SELECT 1"),
        }
    )
)
