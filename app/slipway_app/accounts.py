"""Users, their passwords, and the tokens that speak for them.

Passwords are argon2id hashes, computed in a thread: the event loop answers others meanwhile.
"""

import asyncio
import time
import uuid
from typing import NamedTuple, NewType, Protocol

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from psycopg.errors import UniqueViolation
from redis.asyncio import Redis

from slipway_app import revocation
from slipway_app.database import Pool
from slipway_app.settings import ApiSettings

UserId = NewType("UserId", int)

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""The least figures of OWASP's Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane): a pod is small."""
_HASHING = asyncio.Semaphore(2)
"""Hashes at once: each takes 19 MiB and a core for about 20 ms."""
_NO_SUCH_USER = _HASHER.hash(uuid.uuid4().hex)
"""Checked for unknown addresses, so that the time of the answer does not tell who has an account."""
ALGORITHM = "HS256"


class Unauthorized(Exception):  # noqa: N818  # the name of the HTTP status
    """The token is missing, wrong, expired or revoked."""


class EmailTakenError(Exception):
    """Somebody has signed up with this address."""


class Claims(NamedTuple):
    """What a token says."""

    user: UserId
    jti: uuid.UUID
    """The token's own name, by which it is revoked."""
    expires_at: int
    """Seconds since 1970."""


class AppState(Protocol):
    """What the functions here need of `app.state`."""

    settings: ApiSettings
    pool: Pool
    queue: Redis


async def sign_up(pool: Pool, email: str, password: str) -> UserId:
    """Store a new user.

    Raises:
        EmailTakenError: the address has an account.
    """
    async with _HASHING:
        password_hash = await asyncio.to_thread(_HASHER.hash, password)
    try:
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "INSERT INTO users (email, password_hash) VALUES (%s, %s) RETURNING id",
                [email.lower(), password_hash],
            )
            row = await cursor.fetchone()
    except UniqueViolation:
        raise EmailTakenError from None
    if row is None:
        raise RuntimeError("INSERT ... RETURNING gave no row")
    return UserId(row[0])


async def sign_in(pool: Pool, email: str, password: str) -> UserId | None:
    """Return the user with this address and password, or None."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT id, password_hash FROM users WHERE email = %s", [email.lower()]
        )
        row = await cursor.fetchone()
    async with _HASHING:
        matches = await asyncio.to_thread(_matches, row[1] if row else _NO_SUCH_USER, password)
    return UserId(row[0]) if row and matches else None


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def issue_token(settings: ApiSettings, user: UserId) -> str:
    """Make a token that speaks for this user until it expires or is revoked."""
    now = int(time.time())
    claims = {
        "sub": str(user),
        "jti": str(uuid.uuid4()),
        "iat": now,
        "exp": now + settings.jwt_expiration_minutes * 60,
    }
    return jwt.encode(claims, settings.jwt_secret.get_secret_value(), algorithm=ALGORITHM)


def read_token(settings: ApiSettings, token: str) -> Claims:
    """Return what a token says; whether it was revoked is not looked up.

    Raises:
        Unauthorized: it is not one of ours, or it has expired.
    """
    try:
        claims = jwt.decode(
            token,
            settings.jwt_secret.get_secret_value(),
            algorithms=[ALGORITHM],
            options={"require": ["sub", "jti", "iat", "exp"]},
        )
        return Claims(UserId(int(claims["sub"])), uuid.UUID(claims["jti"]), int(claims["exp"]))
    except (jwt.InvalidTokenError, ValueError):
        raise Unauthorized from None


async def claims_of(token: str, state: AppState) -> Claims:
    """Return what a token says that is ours, has not expired and was not revoked.

    Raises:
        Unauthorized: otherwise.
    """
    claims = read_token(state.settings, token)
    if await revocation.is_revoked(state.queue, state.pool, claims.jti):
        raise Unauthorized
    return claims


async def user_of(token: str, state: AppState) -> UserId:
    """Return for whom this token speaks.

    Raises:
        Unauthorized: the token is wrong, expired or revoked.
    """
    return (await claims_of(token, state)).user
