"""The clean-up job, as the cluster starts it."""

from uuid import uuid4

import pytest

from tests import stores
from tests.conftest import PostgresServer, RedisServer, run
from tests.stores import Stores


@pytest.fixture(scope="module")
def store(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Stores:
    return stores.create("purge", postgres_server, redis_server, tmp_path_factory.mktemp("purge"))


def test_what_is_old_goes_and_what_is_not_stays(store: Stores) -> None:
    untouched, touched = store.conversation(), store.conversation()
    gone = store.job(untouched)
    old_job, new_job, waiting_job = (store.job(touched) for _ in range(3))
    store.query("UPDATE conversations SET updated_at = now() - interval '31 days' WHERE id = %s", untouched)
    store.query("UPDATE conversations SET created_at = now() - interval '99 days' WHERE id = %s", touched)
    for job, days in ((old_job, 31), (new_job, 29)):
        store.query(
            "UPDATE jobs SET state = 'done', finished_at = now() - make_interval(days => %s) WHERE id = %s",
            days,
            job,
        )
    store.query("UPDATE jobs SET created_at = now() - interval '99 days' WHERE id = %s", waiting_job)
    expired, valid = uuid4(), uuid4()
    store.query("INSERT INTO revoked_tokens VALUES (%s, now() - interval '1 s')", expired)
    store.query("INSERT INTO revoked_tokens VALUES (%s, now() + interval '1 h')", valid)
    messages = store.number("SELECT count(*) FROM messages WHERE conversation_id = %s", touched)

    said = run(store.environment, "-m", "slipway_app.purge", "--older-than-days", "30").stdout

    assert said == "deleted 1 conversations and 1 finished jobs older than 30 days, 1 expired tokens\n"
    assert store.query("SELECT id FROM conversations") == [(touched,)]
    assert {row[0] for row in store.query("SELECT id FROM jobs")} == {new_job, waiting_job}
    assert store.query("SELECT jti FROM revoked_tokens") == [(valid,)]
    assert store.number("SELECT count(*) FROM messages") == messages
    assert gone not in {row[0] for row in store.query("SELECT id FROM jobs")}


def test_an_idempotency_key_is_free_again_when_its_job_is_gone_and_not_before(store: Stores) -> None:
    conversation = store.conversation()
    old, new = store.job(conversation), store.job(conversation)
    for job, days in ((old, 31), (new, 29)):
        store.query(
            "UPDATE jobs SET state = 'done', finished_at = now() - make_interval(days => %s) WHERE id = %s",
            days,
            job,
        )
        store.query(
            "UPDATE messages SET idempotency_key = %s FROM jobs WHERE jobs.message_id = messages.id"
            " AND jobs.id = %s",
            f"key-{days}",
            job,
        )
    run(store.environment, "-m", "slipway_app.purge", "--older-than-days", "30")
    kept = store.query("SELECT idempotency_key FROM messages WHERE idempotency_key IS NOT NULL")
    assert kept == [("key-29",)]


def test_more_rows_than_a_batch_are_all_deleted(store: Stores) -> None:
    store.query("INSERT INTO revoked_tokens SELECT gen_random_uuid(), now() FROM generate_series(1, 2500)")
    said = run(store.environment, "-m", "slipway_app.purge").stdout
    assert said.endswith(" 2500 expired tokens\n")


@pytest.mark.parametrize("days", ["0", "36501", "x"])
def test_days_that_make_no_sense_are_refused(days: str, store: Stores) -> None:
    with pytest.raises(Exception, match="exit status 2"):
        run(store.environment, "-m", "slipway_app.purge", "--older-than-days", days)
