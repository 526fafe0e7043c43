"""Choosing: a turn offers options and waits until somebody has taken one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from carrier_core.contract import CORE
from carrier_core.errors import CarrierError, Parked
from carrier_core.journal import OpenTurn
from carrier_core.messages import Inbound, InboundKind, Message, Part, Question, Reply, make_id
from carrier_core.outcomes import Answer
from carrier_core.provenance import OPERATOR, Provenance, derive
from carrier_core.reaching import kept_back, voiced
from carrier_core.records import decode

if TYPE_CHECKING:
    from carrier_core.turn import Turn

_STEP = "/choice/"


async def choose(
    turn: Turn, question: str, options: tuple[str, ...], until: float, provenance: Provenance | None = None
) -> str:
    """See :meth:`~carrier_core.turn.Turn.choose`."""
    name = turn.progress.numbered(f"{turn.progress.step}{_STEP}".removesuffix("/"))
    asked = Question(make_id("question", turn.id, name), options, until)
    answer = await turn.progress.recorded(f"{name}/{asked.id}")
    if isinstance(answer, Answer):
        return "" if answer.expired else answer.value
    if not turn.can_park:
        raise CarrierError("Nobody can be asked to choose now: the turn's reply is decided, or it has not begun.")
    said = voiced(turn, Part(f"{question}\n{' / '.join(options)}", provenance=provenance), "choose")
    blocked = await kept_back(turn, said)
    if blocked:
        raise CarrierError(f"The question may not be asked: {blocked}.")
    turn.progress.note(name, Reply((msgspec.structs.replace(said, text=question),), question=asked))
    raise Parked(f"{name}/{asked.id}", until, f"a choice: {question}", said.text, asked)


async def choices_in(turn: Turn) -> tuple[tuple[Question, Provenance], ...]:
    """See :meth:`~carrier_core.turn.Turn.choices`."""
    journal = turn.agent.host.store.journal
    found = []
    for parking in turn.agent.host.agenda.waiting(turn.agent.name, turn.room.id):
        if _STEP in parking.step:
            opened = await journal.reopen(parking.turn)
            asked = asked_in(opened, parking.step) if opened is not None else None
            if isinstance(asked, Reply) and asked.question is not None:
                found.append((asked.question, _whose(turn, asked)))
    return tuple(found)


def _whose(turn: Turn, asked: Reply) -> Provenance:
    """Of whom the words of a question and of its options are, as a plugin may say: without the operator."""
    whole = derive(part.provenance or turn.stamp.unlabelled(CORE, "choose") for part in asked.parts)
    provenance = Provenance(tuple([origin for origin in whole.origins if origin != OPERATOR]), whole.audience)
    turn.stamp.show(provenance)
    return provenance


async def choose_for(turn: Turn, question: str, option: str) -> str:
    """See :meth:`~carrier_core.turn.Turn.answer`."""
    if question not in {each.id for each, _ in await choices_in(turn)}:
        return "nobody waits for it"
    event = f"{turn.id}/{turn.progress.step}/{question}"
    message = Message(make_id("choice", event), turn.person, at=turn.agent.host.clock())
    inbound = Inbound(event, turn.room, message, InboundKind.CHOICE, client=turn.client, agent=turn.agent.name)
    accepted = await turn.agent.host.accept(msgspec.structs.replace(inbound, target=question, value=option))
    return accepted.reason


def asked_in(opened: OpenTurn, step: str) -> object:
    """What a parked turn asked before it parked at a step, as it was recorded; None where it asked nothing in particular."""
    name = step.rpartition("/")[0]
    return next((decode(each.value, object) for each in opened.record.steps if each.name == name), None)
