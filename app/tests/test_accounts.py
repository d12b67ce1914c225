"""Who may do what: sign-up, tokens, their end, and the audit log of it."""

import time
import uuid

import httpx
import jwt
import psycopg
import pytest

from tests.conftest import PASSWORD, sign_up


def audit(environment: dict[str, str], event: str) -> list[tuple[object, ...]]:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        return connection.execute(
            "SELECT user_id, address, request_id, detail FROM audit_log WHERE event = %s ORDER BY id", [event]
        ).fetchall()


def claims_of(user: httpx.Client) -> dict[str, str]:
    token = user.headers["Authorization"].removeprefix("Bearer ")
    return jwt.decode(token, options={"verify_signature": False})


def bearer(claims: dict[str, object], secret: str, algorithm: str | None = "HS256") -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt.encode(claims, secret, algorithm=algorithm)}"}


def test_an_address_has_one_account_whatever_its_case(api: httpx.Client) -> None:
    account = {"email": f"{uuid.uuid4().hex}@Example.com", "password": PASSWORD}
    created = api.post("/users", json=account)
    assert (created.status_code, created.json()["email"]) == (201, account["email"].lower())
    assert api.post("/users", json={**account, "email": account["email"].lower()}).status_code == 409
    assert api.post("/tokens", json={**account, "email": account["email"].upper()}).status_code == 201


def test_a_password_is_stored_as_an_argon2id_hash_only(
    api: httpx.Client, environment: dict[str, str]
) -> None:
    with sign_up(api) as user, psycopg.connect(environment["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT password_hash FROM users WHERE id = %s", [int(claims_of(user)["sub"])]
        ).fetchone()
    assert found is not None
    assert found[0].startswith("$argon2id$")


@pytest.mark.parametrize(
    "account",
    [
        {"email": "no-address", "password": PASSWORD},
        {"email": "a@example.com", "password": "secret7"},
        {"email": "a@example.com"},
        {"email": f"{'x' * 250}@example.com", "password": PASSWORD},
    ],
)
def test_a_wrong_sign_up_is_refused_without_repeating_it(api: httpx.Client, account: dict[str, str]) -> None:
    refused = api.post("/users", json=account)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"][0] == "body"
    assert account.get("password", "never") not in refused.text


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(api: httpx.Client) -> None:
    account = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    api.post("/users", json=account)
    wrong = api.post("/tokens", json={**account, "password": "something else"})
    unknown = api.post("/tokens", json={**account, "email": f"{uuid.uuid4().hex}@example.com"})
    assert (wrong.status_code, wrong.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())


def test_a_token_says_how_long_it_serves(api: httpx.Client) -> None:
    account = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    api.post("/users", json=account)
    answer = api.post("/tokens", json=account).json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 3600)


def test_only_a_token_of_ours_that_has_not_expired_is_accepted(
    api: httpx.Client, environment: dict[str, str]
) -> None:
    secret = environment["JWT_SECRET"]
    with sign_up(api) as user:
        good: dict[str, object] = {**claims_of(user)}
    now = int(time.time())
    assert api.get("/conversations", headers=bearer(good, secret)).status_code == 200
    wrong = [
        {},
        {"Authorization": "Basic abc"},
        {"Authorization": "Bearer abc"},
        bearer(good, "x" * 32),
        bearer(good, "", None),
        bearer({**good, "exp": now - 1}, secret),
        bearer({**good, "sub": "somebody"}, secret),
        *[bearer({name: value for name, value in good.items() if name != gone}, secret) for gone in good],
    ]
    for headers in wrong:
        refused = api.get("/conversations", headers=headers)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer"), headers


def test_a_token_is_worthless_after_sign_out_and_another_one_is_not(api: httpx.Client) -> None:
    with sign_up(api, f"{uuid.uuid4().hex}@example.com") as user, sign_up(api) as other:
        assert user.delete("/tokens/current").status_code == 204
        assert user.get("/conversations").status_code == 401
        assert user.delete("/tokens/current").status_code == 401
        assert other.get("/conversations").status_code == 200


def test_sign_up_sign_in_sign_out_and_deletions_are_in_the_audit_log(
    api: httpx.Client, environment: dict[str, str]
) -> None:
    email = f"{uuid.uuid4().hex}@example.com"
    with sign_up(api, email) as user:
        me = int(claims_of(user)["sub"])
        conversation = user.post("/conversations", json={"title": "to delete"}).json()["id"]
        identity = {"X-Request-ID": uuid.uuid4().hex}
        assert user.delete(f"/conversations/{conversation}", headers=identity).status_code == 204
        assert user.delete("/tokens/current").status_code == 204
    api.post("/tokens", json={"email": email, "password": "something else"})
    for event in ["sign-up", "sign-in", "sign-out"]:
        assert [row[1] for row in audit(environment, event) if row[0] == me] == ["127.0.0.1"], event
    deleted = [row for row in audit(environment, "conversation-deleted") if row[0] == me]
    assert deleted == [(me, "127.0.0.1", identity["X-Request-ID"], {"conversation": conversation})]
    failed = [row for row in audit(environment, "sign-in-failed") if row[3] == {"email": email}]
    assert [row[:2] for row in failed] == [(None, "127.0.0.1")]
