"""Measuring: the figures of turns that are stored already, which people had with their agents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from carrier_core.errors import CarrierError
from carrier_core.memory import Store
from carrier_core.outcomes import Status, TurnRecord
from carrier_core.scenarios.exchange import Exchange, exchange_of
from carrier_core.scenarios.judge import Judge, Line
from carrier_core.scenarios.metrics import Conversation, of_room

Priced = Callable[[Exchange], Awaitable[bool]]
_UNENDED = (Status.RUNNING, Status.PARKED)


async def measure(
    store: Store, *, agent: str = "", last: int = 1_000, priced: Priced, judge: Judge | None = None
) -> tuple[Conversation, ...]:
    """The figures of the ``last`` turns of an agent, or of all agents, room by room. ``priced`` tells whether it is known what
    an exchange cost; a ``judge`` scores every reply. Turns that have not ended are left out."""
    rooms: dict[tuple[str, str], list[tuple[TurnRecord, Exchange]]] = {}
    for record in reversed(await store.journal.turns(agent=agent, limit=last)):
        if record.outcome.status not in _UNENDED:
            exchange = exchange_of(record)
            known = bool(exchange.usage.cost) or await priced(exchange)
            exchange = msgspec.structs.replace(exchange, priced=known)
            rooms.setdefault((record.agent, record.room), []).append((record, exchange))
    measured = []
    for (name, room), turns in rooms.items():
        scores = [] if judge is None else await _scores(store, turns, judge)
        measured.append(of_room(room, name, [exchange for _, exchange in turns], scores))
    return tuple(measured)


async def _scores(store: Store, turns: Sequence[tuple[TurnRecord, Exchange]], judge: Judge) -> list[int]:
    scores = []
    for record, exchange in turns:
        if exchange.status == Status.REPLIED and exchange.reply:
            try:
                score, _ = await judge.score(await _heard(store, record), exchange.reply)
            except CarrierError:  # one that cannot be scored has no score
                continue
            scores.append(score)
    return scores


async def _heard(store: Store, record: TurnRecord) -> tuple[Line, ...]:
    """The conversation as the model was shown it, up to the message that is answered."""
    parts = [found.part for found in await store.journal.parts(record.parts)]
    return tuple((part.name or part.role, part.text) for part in parts if part.role)
