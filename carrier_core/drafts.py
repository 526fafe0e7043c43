"""Drafts: the pieces of a completion on their way to the client that shows them, while the model still writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import anyio

from carrier_core import specs
from carrier_core.contract import CORE
from carrier_core.errors import CarrierError, single
from carrier_core.things import Client, Evaluator
from carrier_core.turn import Turn

_GRACE = 1.0  # seconds that a client has to show the rest of a draft when the completion is there


@asynccontextmanager
async def drafting(turn: Turn) -> AsyncIterator[Callable[[str], None]]:
    """Where pieces of a completion go as they arrive: to the client, if it is the answer's, the client can retract a draft and
    nobody has to see the whole text first."""
    entry = turn.agent.host.outlet(turn.client, turn.room.id)
    guarded = any(
        turn.table.has(spec, beside=CORE)
        for spec in (specs.transform_completion, specs.evaluate, specs.transform_reply, specs.around_step)
    ) or bool(turn.table.things(Evaluator))  # each may block the draft
    client = entry.thing if entry is not None else None
    answers = turn.hooks.step == f"generate/{turn.round}"  # a hook may ask a model too, for itself
    if entry is None or guarded or not answers or not isinstance(client, Client) or not client.retracts:
        yield _ignore
        return
    caller = turn.table.method(entry, Client.draft)
    attempt = turn.attempt
    send, receive = anyio.create_memory_object_stream[str](10_000)

    async def show() -> None:
        with receive:
            async for text in receive:
                try:
                    await turn.progress.open_draft(lasting=not client.interactive)
                    await turn.hooks.call(caller, turn.room, turn.id, attempt, text)
                except CarrierError as error:  # the whole reply follows, so nothing is lost
                    turn.agent.host.log.warning("draft_not_shown", client=turn.client, error=error.message)
                    return

    def emit(text: str) -> None:
        with suppress(anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            send.send_nowait(text)

    with single():
        async with anyio.create_task_group() as group:
            group.start_soon(show)
            with send:
                yield emit
            group.cancel_scope.deadline = anyio.current_time() + _GRACE


def _ignore(text: str) -> None:
    """Where drafts go that nobody may see."""
