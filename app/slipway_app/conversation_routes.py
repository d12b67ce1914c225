"""Conversations, messages and jobs over HTTP. Somebody else's conversation is as good as none: 404."""

from datetime import datetime
from typing import Annotated, NoReturn
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, StringConstraints

from slipway_app import audit, conversations, live, queue, redis
from slipway_app.account_routes import Authenticated
from slipway_app.lists import Lists

router = APIRouter()

BIGGEST_ID = 2**63 - 1
ConversationId = Annotated[int, Path(ge=1, le=BIGGEST_ID)]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200)]


NO_NULL = r"^[^\x00]*$"
"""PostgreSQL stores every character but this one."""


class Titled(BaseModel):
    """What a client says of a conversation."""

    title: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NO_NULL)
    ]


class Text(BaseModel):
    """What a client writes."""

    text: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000, pattern=NO_NULL)
    ]


class ConversationView(BaseModel):
    """A conversation, as its owner sees it."""

    id: int
    title: str
    created_at: datetime
    updated_at: datetime


class ConversationList(BaseModel):
    """The owner's conversations, the one written to last first."""

    conversations: list[ConversationView]


class MessageView(BaseModel):
    """A message; `reply_to` is the id of the one that it answers."""

    id: int
    author: str
    text: str
    created_at: datetime
    reply_to: int | None


class MessageList(BaseModel):
    """Messages, the oldest first; at most 500: ask again with `after`."""

    messages: list[MessageView]


class JobView(BaseModel):
    """How far the answer to a message is: queued, running, done or failed."""

    id: UUID
    state: str
    attempts: int


class Accepted(BaseModel):
    """A message that was stored, and the job that will answer it."""

    message: MessageView
    job: JobView


@router.get("/conversations", response_model=ConversationList)
async def read_list(claims: Authenticated, request: Request) -> Response:
    """Return the conversations; the header `X-Cache` says whether the cache had them."""
    lists: Lists = request.app.state.lists
    found = await lists.look(claims.user)
    body = found.list
    if body is None:
        rows = await conversations.listed(request.app.state.pool, claims.user)
        views = [ConversationView(**row._asdict()) for row in rows]
        body = ConversationList(conversations=views).model_dump_json()
        await lists.fill(claims.user, found.version, body)
    headers = {"X-Cache": "hit" if found.list is not None else "miss"}
    return Response(body, media_type="application/json", headers=headers)


@router.post("/conversations", status_code=201)
async def create(body: Titled, claims: Authenticated, request: Request) -> ConversationView:
    """Begin a conversation."""
    async with request.app.state.lists.writing(claims.user):
        created = await conversations.create(request.app.state.pool, claims.user, body.title)
    return ConversationView(**created._asdict())


@router.get("/conversations/{conversation_id}")
async def read(conversation_id: ConversationId, claims: Authenticated, request: Request) -> ConversationView:
    """Return a conversation without its messages."""
    found = await conversations.find(request.app.state.pool, claims.user, conversation_id)
    if found is None:
        _no_conversation()
    return ConversationView(**found._asdict())


@router.patch("/conversations/{conversation_id}")
async def rename(
    conversation_id: ConversationId, body: Titled, claims: Authenticated, request: Request
) -> ConversationView:
    """Give a conversation another title."""
    state = request.app.state
    async with state.lists.writing(claims.user):
        renamed = await conversations.rename(state.pool, claims.user, conversation_id, body.title)
    if renamed is None:
        _no_conversation()
    return ConversationView(**renamed._asdict())


@router.delete("/conversations/{conversation_id}", status_code=204)
async def delete(conversation_id: ConversationId, claims: Authenticated, request: Request) -> None:
    """Delete a conversation with its messages."""
    state = request.app.state
    async with state.lists.writing(claims.user):
        deleted = await conversations.delete(state.pool, claims.user, conversation_id)
    if not deleted:
        _no_conversation()
    await audit.record(request, "conversation-deleted", claims.user, conversation=conversation_id)


@router.get("/conversations/{conversation_id}/messages")
async def read_messages(
    conversation_id: ConversationId,
    claims: Authenticated,
    request: Request,
    after: Annotated[int, Query(ge=0, le=BIGGEST_ID)] = 0,
) -> MessageList:
    """Return the messages whose id is above `after`."""
    pool = request.app.state.pool
    if await conversations.find(pool, claims.user, conversation_id) is None:
        _no_conversation()
    messages = await conversations.messages_after(pool, conversation_id, after)
    return MessageList(messages=[_message_view(message) for message in messages])


@router.post("/conversations/{conversation_id}/messages", status_code=202)
async def write(
    conversation_id: ConversationId,
    body: Text,
    claims: Authenticated,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Accepted:
    """Store a message and have it answered. The same `Idempotency-Key` again does nothing twice."""
    state = request.app.state
    try:
        async with state.lists.writing(claims.user):
            message, job = await conversations.add_message(
                state.pool, conversation_id, body.text, idempotency_key, claims.user
            )
    except conversations.KeyReusedError:
        raise HTTPException(409, "this Idempotency-Key was used for another text") from None
    except conversations.NoConversationError:
        _no_conversation()
    if job.state == "queued":
        await redis.tolerate(queue.announce(state.queue, job.id), "queue")
        await redis.tolerate(live.publish(state.cache, conversation_id, message.view()))
    return Accepted(message=_message_view(message), job=JobView(**job._asdict()))


@router.get("/jobs/{job_id}")
async def read_job(job_id: UUID, claims: Authenticated, request: Request) -> JobView:
    """Return how far the answer to one of the user's messages is."""
    job = await conversations.find_job(request.app.state.pool, claims.user, job_id)
    if job is None:
        raise HTTPException(404, "no such job")
    return JobView(**job._asdict())


def _message_view(message: conversations.Message) -> MessageView:
    return MessageView.model_validate(message.view())


def _no_conversation() -> NoReturn:
    raise HTTPException(404, "no such conversation")
