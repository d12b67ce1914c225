"""`check-schema`: what a database holds, read in one snapshot, and judged."""

import psycopg
import pytest

from slipway_toolbox.errors import ToolboxError
from slipway_toolbox.schema import check_schema

TABLES = """
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0003');
CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE notes (id bigint PRIMARY KEY, owner bigint CONSTRAINT notes_owner REFERENCES users);
INSERT INTO users SELECT generate_series(1, 7);
INSERT INTO notes SELECT n, n FROM generate_series(1, 5) n;
INSERT INTO notes VALUES (6, NULL);
"""


def execute(database: str, statements: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(statements)  # type: ignore[arg-type]


def orphan(database: str, statement: str) -> None:
    """Do what broken storage does: leave a row that refers to nothing."""
    execute(database, f"SET session_replication_role = replica; {statement}")


def test_revision_counts_foreign_keys_and_extensions_are_told(database: str) -> None:
    execute(database, f'{TABLES} CREATE SCHEMA "Other"; CREATE TABLE "Other"."odd name" (id int);')
    report = check_schema(database)
    assert report.revision == ["0003"]
    assert report.rows == {
        "Other.odd name": 0,
        "public.alembic_version": 1,
        "public.notes": 6,
        "public.users": 7,
    }
    assert [(key.name, key.table, key.validated, key.violations) for key in report.foreign_keys] == [
        ("notes_owner", "public.notes", True, 0)
    ]
    assert report.extensions == {"plpgsql": "1.0"}
    assert report.problems == []
    assert report.as_json()["rows"] == report.rows


def test_a_row_that_refers_to_nothing_is_a_problem(database: str) -> None:
    execute(database, TABLES)
    orphan(database, "DELETE FROM users WHERE id <= 2")
    assert check_schema(database).problems == ["public.notes: 2 rows break the foreign key notes_owner"]


def test_a_foreign_key_that_was_never_validated_is_a_problem(database: str) -> None:
    execute(
        database,
        f"{TABLES} ALTER TABLE notes ADD CONSTRAINT self FOREIGN KEY (id) REFERENCES notes NOT VALID;",
    )
    assert check_schema(database).problems == ["public.notes: the foreign key self was never validated"]


def test_a_database_that_was_never_migrated_is_a_problem(database: str) -> None:
    assert check_schema(database).problems == [
        "no schema revision: the migrations never ran, or their table is lost"
    ]


def test_another_version_table_can_be_named(database: str) -> None:
    execute(
        database,
        "CREATE TABLE \"Odd Versions\" (version_num text); INSERT INTO \"Odd Versions\" VALUES ('b'), ('a')",
    )
    assert check_schema(database, version_table="Odd Versions").revision == ["a", "b"]


@pytest.mark.parametrize(
    ("match", "violations"),
    [("SIMPLE", 1), ("FULL", 2)],
)
def test_null_in_one_of_two_columns_excuses_a_row_only_where_the_key_says_so(
    database: str, match: str, violations: int
) -> None:
    execute(
        database,
        f"""{TABLES}
        CREATE TABLE pairs (a int, b int, PRIMARY KEY (b, a));
        CREATE TABLE links (x int, y int, CONSTRAINT pair FOREIGN KEY (x, y) REFERENCES pairs (a, b) MATCH {match});
        INSERT INTO pairs VALUES (1, 2);""",
    )
    orphan(database, "INSERT INTO links VALUES (1, 2), (NULL, NULL), (1, NULL), (2, 1)")
    pair = next(key for key in check_schema(database).foreign_keys if key.name == "pair")
    assert pair.violations == violations


def test_a_partitioned_table_counts_once_and_its_keys_are_held_against_all_partitions(database: str) -> None:
    execute(
        database,
        f"""{TABLES}
        CREATE TABLE events (id int, owner bigint CONSTRAINT events_owner REFERENCES users) PARTITION BY RANGE (id);
        CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (10);
        CREATE TABLE events_high PARTITION OF events FOR VALUES FROM (10) TO (20);
        INSERT INTO events VALUES (1, 1), (11, 2), (12, 3);""",
    )
    orphan(database, "DELETE FROM users WHERE id = 3")
    report = check_schema(database)
    assert {name: count for name, count in report.rows.items() if "events" in name} == {
        "public.events_low": 1,
        "public.events_high": 2,
    }
    assert [(key.table, key.violations) for key in report.foreign_keys if key.name == "events_owner"] == [
        ("public.events", 1)
    ]


def test_a_role_that_may_not_read_is_told_what_it_lacks(database: str) -> None:
    execute(
        database,
        f"{TABLES} DO $$ BEGIN CREATE ROLE blind LOGIN; EXCEPTION WHEN duplicate_object THEN END $$;",
    )
    with pytest.raises(
        ToolboxError, match=r"permission denied for table alembic_version.*grant the role SELECT"
    ):
        check_schema(database.replace("super@", "blind@"))


def test_nothing_can_be_written_by_the_check(database: str) -> None:
    execute(
        database,
        f"""{TABLES} DROP TABLE alembic_version; CREATE TABLE trace (at int);
        CREATE FUNCTION leave_a_trace() RETURNS text LANGUAGE plpgsql
            AS $$ BEGIN INSERT INTO trace VALUES (1); RETURN 'x'; END $$;
        CREATE VIEW alembic_version AS SELECT leave_a_trace() AS version_num;""",
    )
    with pytest.raises(ToolboxError, match="cannot execute INSERT in a read-only transaction"):
        check_schema(database)


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    with pytest.raises(ToolboxError, match="does not answer") as refusal:
        check_schema("postgresql://app:hunter2@127.0.0.1:1/app")
    assert "hunter2" not in str(refusal.value)
