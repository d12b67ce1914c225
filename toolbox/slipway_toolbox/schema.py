"""What a database holds, as facts that can be compared: before and after a migration, a dump and its restored copy.

Everything is read in one snapshot, so that the counts belong together while others write.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row, scalar_row

from slipway_toolbox.errors import ToolboxError

CONNECT_TIMEOUT_SECONDS = 10

_TABLES = """
SELECT n.nspname::text, c.relname::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 1, 2
"""
# A partition repeats the foreign keys of its table: those with a parent are left out.
_FOREIGN_KEYS = """
SELECT con.conname::text AS name, cn.nspname::text AS child_schema, c.relname::text AS child,
       pn.nspname::text AS parent_schema, p.relname::text AS parent,
       con.convalidated AS validated, con.confmatchtype = 'f' AS match_full,
       c.relkind = 'r' AS child_only, p.relkind = 'r' AS parent_only,
       (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(con.conkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.number) AS child_columns,
       (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(con.confkey) WITH ORDINALITY k(number, place)
        JOIN pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.number) AS parent_columns
FROM pg_constraint con
JOIN pg_class c ON c.oid = con.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
JOIN pg_class p ON p.oid = con.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE con.contype = 'f' AND con.conparentid = 0
ORDER BY 2, 3, 1
"""


class _Constraint(NamedTuple):
    name: str
    child_schema: str
    child: str
    parent_schema: str
    parent: str
    validated: bool
    match_full: bool
    child_only: bool
    parent_only: bool
    child_columns: list[str]
    parent_columns: list[str]


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key, held against the rows.

    Attributes:
        table: the table that refers, with its schema.
        validated: whether PostgreSQL itself vouches for it (false after NOT VALID).
        violations: rows that refer to nothing; more than none only where the storage or a trigger lied.
    """

    name: str
    table: str
    validated: bool
    violations: int


@dataclass(frozen=True)
class SchemaReport:
    """What was found.

    Attributes:
        revision: what alembic's table says; more than one where branches were not merged.
        rows: exact counts, by schema and table.
        extensions: the version of each, by name.
        problems: what is wrong, in words; empty when all is well.
    """

    server_version: str
    revision: list[str]
    rows: dict[str, int]
    foreign_keys: list[ForeignKey]
    extensions: dict[str, str]
    problems: list[str] = field(default_factory=list[str])

    def as_json(self) -> dict[str, object]:
        """Return the report as what `json` can write."""
        return asdict(self)


def check_schema(database_url: str, *, version_table: str = "alembic_version") -> SchemaReport:
    """Read a database's revision, row counts, foreign keys and extensions, and judge them.

    Args:
        database_url: a libpq URL, with `sslmode` and the rest in its query.
        version_table: where alembic keeps the revision; found along the search path.

    Raises:
        ToolboxError: when the database does not answer, or does not let the role read.
    """
    try:
        with psycopg.connect(
            database_url, connect_timeout=CONNECT_TIMEOUT_SECONDS, application_name="slipway-toolbox"
        ) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            return _judged(_report(connection, version_table))
    except psycopg.OperationalError as error:
        raise ToolboxError(
            f"The database does not answer: {_line(error)}. Nothing was checked. Look whether it runs, and whether"
            " DATABASE_URL names the right host, role and certificate."
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise ToolboxError(
            f"{_line(error)}. Without it the check would be partial: grant the role SELECT on all tables."
        ) from None
    except psycopg.Error as error:
        raise ToolboxError(f"PostgreSQL refused a question of the check: {_line(error)}.") from None


def _report(connection: psycopg.Connection, version_table: str) -> SchemaReport:
    tables = connection.execute(_TABLES).fetchall()
    with connection.cursor(row_factory=class_row(_Constraint)) as cursor:
        constraints = cursor.execute(_FOREIGN_KEYS).fetchall()
    extensions = connection.execute(
        "SELECT extname::text, extversion FROM pg_extension ORDER BY 1"
    ).fetchall()
    return SchemaReport(
        server_version=connection.info.parameter_status("server_version") or "",
        revision=_revision(connection, version_table),
        rows={f"{schema}.{table}": _count(connection, schema, table) for schema, table in tables},
        foreign_keys=[_held_against_rows(connection, constraint) for constraint in constraints],
        extensions=dict(extensions),
    )


def _judged(report: SchemaReport) -> SchemaReport:
    if not report.revision:
        report.problems.append("no schema revision: the migrations never ran, or their table is lost")
    for key in report.foreign_keys:
        if key.violations:
            report.problems.append(f"{key.table}: {key.violations} rows break the foreign key {key.name}")
        elif not key.validated:
            report.problems.append(f"{key.table}: the foreign key {key.name} was never validated")
    return report


def _revision(connection: psycopg.Connection, version_table: str) -> list[str]:
    table = sql.Identifier(version_table)
    with connection.cursor(row_factory=scalar_row) as cursor:
        if cursor.execute("SELECT to_regclass(%s)", [table.as_string(connection)]).fetchone() is None:
            return []
        question = sql.SQL("SELECT version_num FROM {} ORDER BY 1").format(table)
        return [str(revision) for revision in cursor.execute(question)]


def _count(connection: psycopg.Connection, schema: str, table: str) -> int:
    return _number(connection, sql.SQL("SELECT count(*) FROM ONLY {}").format(sql.Identifier(schema, table)))


def _held_against_rows(connection: psycopg.Connection, key: _Constraint) -> ForeignKey:
    def columns(alias: str, names: Sequence[str]) -> list[sql.Identifier]:
        return [sql.Identifier(alias, name) for name in names]

    def table(only: bool, schema: str, name: str) -> sql.Composed:
        return sql.SQL("ONLY " if only else "") + sql.Identifier(schema, name)

    children, parents = columns("child", key.child_columns), columns("parent", key.parent_columns)
    pairs = zip(parents, children, strict=True)
    present = [sql.SQL("{} IS NOT NULL").format(column) for column in children]
    # MATCH SIMPLE lets a row refer to nothing as soon as one column is null, MATCH FULL only when all are.
    question = sql.SQL(
        "SELECT count(*) FROM {child} AS child WHERE ({present}) AND NOT EXISTS"
        " (SELECT FROM {parent} AS parent WHERE {equal})"
    ).format(
        child=table(key.child_only, key.child_schema, key.child),
        parent=table(key.parent_only, key.parent_schema, key.parent),
        present=sql.SQL(" OR " if key.match_full else " AND ").join(present),
        equal=sql.SQL(" AND ").join(sql.SQL("{} = {}").format(*pair) for pair in pairs),
    )
    name = f"{key.child_schema}.{key.child}"
    return ForeignKey(key.name, name, key.validated, _number(connection, question))


def _number(connection: psycopg.Connection, question: sql.Composed) -> int:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(question).fetchone() or 0)


def _line(error: psycopg.Error) -> str:
    # The first line says what happened; those after it repeat the query.
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
