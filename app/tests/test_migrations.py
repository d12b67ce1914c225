"""Migrations: each revision keeps to its phase; the release before an expansion goes on working after it."""

import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import psycopg
import pytest
from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from tests.conftest import APP, PostgresServer, run

QUERIES = Path(__file__).parent / "queries"
TIGHTENS = re.compile(
    r"\b(DROP|RENAME|TRUNCATE|SET NOT NULL|ALTER COLUMN|VALIDATE|ADD (CONSTRAINT|CHECK|UNIQUE|PRIMARY))\b",
    re.I,
)
ADDS_REQUIRED_COLUMN = re.compile(r"\bADD COLUMN\b(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT NULL\b", re.I)


def revisions() -> list[Script]:
    """From the first to the last."""
    scripts = ScriptDirectory.from_config(Config(APP / "alembic.ini"))
    return list(reversed(list(scripts.walk_revisions())))


def upgrade_of(module: ModuleType) -> str:
    source = Path(str(module.__file__)).read_text()
    return re.split(r"^def ", source, flags=re.M)[1]


def breaks_what_runs(statements: str) -> list[str]:
    """What in these statements a running release could notice."""
    return [
        match.group(0) for rule in (TIGHTENS, ADDS_REQUIRED_COLUMN) for match in rule.finditer(statements)
    ]


@dataclass
class Database:
    """An empty database of its own."""

    url: str

    def migrate(self, *arguments: str) -> str:
        return run({"DATABASE_URL": self.url, "PYTHONPATH": str(APP)}, "-m", "alembic", *arguments).stdout

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def database(postgres_server: PostgresServer) -> Database:
    return Database(postgres_server.create_database(f"migrations_{uuid.uuid4().hex}"))


def test_each_revision_is_an_expansion_or_a_contraction_and_there_is_one_line_of_them() -> None:
    found = revisions()
    assert len(found) >= 3
    assert {script.module.phase for script in found} == {"expand", "contract"}
    assert len({script.down_revision for script in found}) == len(found)


@pytest.mark.parametrize("script", revisions(), ids=lambda script: script.revision)
def test_an_expansion_drops_renames_and_tightens_nothing(script: Script) -> None:
    problems = breaks_what_runs(upgrade_of(script.module))
    assert bool(problems) == (script.module.phase == "contract"), problems


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE a DROP COLUMN b",
        "ALTER TABLE a RENAME COLUMN b TO c",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL",
        "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)",
        "ALTER TABLE a ADD COLUMN b text NOT NULL",
    ],
)
def test_a_statement_that_a_running_release_notices_is_found(statement: str) -> None:
    assert breaks_what_runs(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE a (b text NOT NULL UNIQUE)",
        "ALTER TABLE a ADD COLUMN b text",
        "ALTER TABLE a ADD COLUMN b integer NOT NULL DEFAULT 0",
        "CREATE INDEX a_b ON a (b)",
    ],
)
def test_a_statement_that_no_running_release_notices_is_accepted(statement: str) -> None:
    assert not breaks_what_runs(statement)


def test_the_release_before_each_expansion_goes_on_working_after_it(database: Database) -> None:
    tried = 0
    for script in revisions():
        before = script.down_revision
        if script.module.phase == "expand" and before is not None:
            assert isinstance(before, str)
            statements = (QUERIES / f"{before}.sql").read_text().split(";\n")
            for moment in (before, script.revision):
                database.migrate("upgrade", moment)
                for statement in filter(str.strip, statements):
                    database.execute(statement)
            tried += 1
        database.migrate("upgrade", script.revision)
    assert tried >= 1


def test_a_message_is_read_the_same_by_the_releases_before_and_after_the_expansion(
    database: Database,
) -> None:
    database.migrate("upgrade", "0001")
    database.execute("INSERT INTO users (email, password_hash) VALUES ('a@example.com', 'hash')")
    database.execute("INSERT INTO conversations (owner, title) VALUES (1, 'title')")
    insert = "INSERT INTO messages (conversation_id, author, {}) VALUES (1, 'user', '{}')"
    database.execute(insert.format("body", "before"))
    database.migrate("upgrade", "0002")
    database.execute(insert.format("body", "by the old release"))
    database.execute(insert.format("text", "by the new release"))
    rows = database.execute("SELECT body, text FROM messages ORDER BY id")
    assert rows == [(text, text) for text in ["before", "by the old release", "by the new release"]]
    database.migrate("upgrade", "head")
    assert database.execute("SELECT text FROM messages ORDER BY id") == [(text,) for text, _text in rows]


def test_each_step_can_be_taken_back_and_taken_again(database: Database) -> None:
    for script in revisions():
        database.migrate("upgrade", script.revision)
        database.migrate("downgrade", "-1")
        database.migrate("upgrade", script.revision)
    database.migrate("upgrade", "head")
    assert f"{revisions()[-1].revision} (head)" in database.migrate("current")


def test_a_step_that_cannot_have_its_lock_gives_up_soon(database: Database) -> None:
    database.migrate("upgrade", "0002")
    with psycopg.connect(database.url) as reader:
        reader.execute("SELECT * FROM messages")  # holds its lock until the transaction ends
        with pytest.raises(Exception, match="returned non-zero exit status") as raised:
            database.migrate("upgrade", "head")
    assert "lock timeout" in str(getattr(raised.value, "stderr", ""))
    database.migrate("upgrade", "head")
