"""Signing up, in and out, and the check of the token that every other path makes."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, StringConstraints

from slipway_app import accounts, audit, revocation
from slipway_app.accounts import Claims, Unauthorized
from slipway_app.logs import bind_contextvars

router = APIRouter()
_bearer = HTTPBearer(auto_error=False, description="The token that POST /tokens gave.")

Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=r"^[^@\s\x00]+@[^@\s\x00]+\.[^@\s\x00]+$",
    ),
]


class SignUp(BaseModel):
    """Who wants an account."""

    email: Email
    # NIST SP 800-63B: at least 8 characters, long ones allowed, no rules about which.
    password: Annotated[str, StringConstraints(min_length=8, max_length=256)]


class SignIn(BaseModel):
    """Who wants a token."""

    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^\x00]*$")]
    password: Annotated[str, StringConstraints(max_length=256)]


class User(BaseModel):
    """A new account."""

    id: int
    email: str


class Token(BaseModel):
    """What lets its bearer act for the user (RFC 6750)."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105
    expires_in: int
    """Seconds."""


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Claims:
    """Return what the request's token says, and count the request for its user."""
    if credentials is None:
        raise Unauthorized
    claims = await accounts.claims_of(credentials.credentials, request.app.state)
    bind_contextvars(user=claims.user)
    await request.app.state.limits.check_user(claims.user)
    return claims


Authenticated = Annotated[Claims, Depends(authenticated)]


@router.post("/users", status_code=201)
async def sign_up(body: SignUp, request: Request) -> User:
    """Make an account."""
    try:
        user = await accounts.sign_up(request.app.state.pool, body.email, body.password)
    except accounts.EmailTakenError:
        raise HTTPException(409, "there is an account with this address") from None
    await audit.record(request, "sign-up", user)
    return User(id=user, email=body.email)


@router.post("/tokens", status_code=201)
async def sign_in(body: SignIn, request: Request) -> Token:
    """Give a token for an address and its password."""
    state = request.app.state
    user = await accounts.sign_in(state.pool, body.email, body.password)
    if user is None:
        await audit.record(request, "sign-in-failed", None, email=body.email)
        raise HTTPException(401, "no account has this address and password", {"WWW-Authenticate": "Bearer"})
    await audit.record(request, "sign-in", user)
    return Token(
        access_token=accounts.issue_token(state.settings, user),
        expires_in=state.settings.jwt_expiration_minutes * 60,
    )


@router.delete("/tokens/current", status_code=204)
async def sign_out(claims: Authenticated, request: Request) -> None:
    """Make the token of this request worthless."""
    state = request.app.state
    await revocation.revoke(state.queue, state.pool, claims.jti, claims.expires_at)
    await audit.record(request, "sign-out", claims.user)
