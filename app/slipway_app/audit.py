"""Who did what, when, from where: a row each for sign-ups, sign-ins, sign-outs and deletions, and a log line.

The row outlives what it is about; no password and no token is in it.
"""

from typing import Literal

import structlog
from fastapi import Request
from psycopg.types.json import Jsonb

from slipway_app.accounts import UserId
from slipway_app.database import Pool

Event = Literal["sign-up", "sign-in", "sign-in-failed", "sign-out", "conversation-deleted"]
logger = structlog.stdlib.get_logger("slipway_app.audit")


async def record(request: Request, event: Event, user: UserId | None, **detail: str | int) -> None:
    """Note an event.

    Args:
        request: where it came from.
        event: what happened.
        user: who did it; None when that is not known.
        detail: what else belongs to it. It goes to the row only: logs are read by more people.
    """
    pool: Pool = request.app.state.pool
    address = request.client.host if request.client else None
    logger.info("audit", audit_event=event, user=user, address=address)
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO audit_log (event, user_id, address, request_id, detail) VALUES (%s, %s, %s, %s, %s)",
            [event, user, address, request.state.request_id, Jsonb(detail)],
        )
