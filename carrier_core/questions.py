"""Questions: what turns wait for people to say, approvals and choices, as an operator is shown it and answers it.

The operator's answer is written down like anybody else's, and taken up by whoever runs the agent: one that comes second, or too
late, counts no more than another's would.
"""

from __future__ import annotations

from typing import cast

import msgspec

from carrier_core.approving import APPROVE, CODE, REFUSE, digest_of
from carrier_core.choosing import asked_in
from carrier_core.errors import CarrierError
from carrier_core.journal import OpenTurn, Parking
from carrier_core.memory import Store
from carrier_core.messages import Entity, Inbound, InboundKind, Message, Part, Reply, Room, make_id
from carrier_core.naming import several, wrong
from carrier_core.outcomes import Answer, Approval
from carrier_core.prompts import ActionCall, Completion, Json
from carrier_core.provenance import OPERATOR
from carrier_core.records import decode, encode
from carrier_core.why import unread

_OPERATOR = Entity(OPERATOR, OPERATOR, OPERATOR)
_LISTED = "`carrierd approvals` lists what waits."


class Asked(msgspec.Struct, frozen=True):
    """What a parked turn asks: an approval of a call, or a choice, which is a reply with a question."""

    parking: Parking
    opened: OpenTurn
    what: Approval | Reply

    @property
    def id(self) -> str:
        """The question's id; its beginning is the code."""
        return self.parking.step.rpartition("/")[2]

    @property
    def code(self) -> str:
        """What a person writes for it."""
        return self.id[:CODE]

    @property
    def options(self) -> tuple[str, ...]:
        """What may be answered."""
        if isinstance(self.what, Approval) or self.what.question is None:
            return (APPROVE, REFUSE)
        return self.what.question.options


async def asked(store: Store, agent: str = "") -> list[Asked]:
    """All that is asked and not answered yet, what ends first before the rest."""
    found = []
    for parking in sorted(await store.journal.parked(), key=lambda parking: (parking.until, parking.turn)):
        opened = await store.journal.reopen(parking.turn) if agent in ("", parking.agent) else None
        what = asked_in(opened, parking.step) if opened is not None else None
        if opened is not None and isinstance(what, (Approval, Reply)):
            found.append(Asked(parking, opened, what))
    return found


async def listed(store: Store, agent: str, now: float) -> dict[str, Json]:
    """What waits, as ``carrierd approvals --json`` prints it."""
    waiting = await asked(store, agent)
    approvals = [await _approval(store, each, each.what, now) for each in waiting if isinstance(each.what, Approval)]
    choices = [await _choice(store, each, each.what, now) for each in waiting if isinstance(each.what, Reply)]
    return {"v": 1, "approvals": cast("Json", approvals), "choices": cast("Json", choices)}


async def meant(store: Store, key: str, value: str, now: float) -> Asked:
    """The question with this code or id, that ``value`` answers. CarrierError where there is none, or it cannot be answered so;
    its exit code is 64 where it is not said well which or what."""
    key = key.strip()
    if not key:
        raise wrong("The code is empty: say which question is answered.", _LISTED)
    waiting = await asked(store)
    fits = [each for each in waiting if each.id.startswith(key.casefold())]
    if len(fits) > 1:
        raise several(f"question {key}", [each.id for each in fits])
    if not fits:
        raise CarrierError(
            f"Nothing waits for an answer under {key}: it was answered, its time is over, or it never was.",
            remedy=_LISTED,
        )
    [found] = fits
    if value not in found.options:
        raise _no_answer(found, value)
    if found.parking.until < now:
        raise CarrierError(
            f"The time for an answer to {found.code} is over: nothing is done.",
            remedy="Ask the agent again; it asks anew.",
        )
    earlier = await unread(store, found.parking, found.id)
    if earlier is not None:
        raise CarrierError(
            f"{found.code} was answered already: {earlier.value}. That counts as soon as the daemon runs.",
            remedy="Start it: carrierd run.",
        )
    return found


def _no_answer(found: Asked, value: str) -> CarrierError:
    """That a question cannot be answered so."""
    if isinstance(found.what, Approval):
        what, remedy = "call", f"Write: carrierd approvals {APPROVE} {found.code}, or: {REFUSE} {found.code}."
    else:
        what, remedy = "choice", f"Write: carrierd approvals choose {found.code} OPTION."
    return wrong(f"{value} is no answer to the {what} {found.code}, which takes: {', '.join(found.options)}.", remedy)


async def append(store: Store, parking: Parking, opened: OpenTurn, value: str, reason: str = "", *, at: float) -> None:
    """Write down the operator's answer to a parked turn, for whoever runs the agent. CarrierError where its room is gone."""
    room = await store.memory.room(parking.room)
    if room is None:
        raise CarrierError(f"The room of the turn {parking.turn} is gone.", remedy=_LISTED)
    inbound = _answer(opened, parking, room, value, reason, at)
    await store.journal.append_inbound(parking.agent, room.id, inbound.dedupe_key, encode(inbound))


async def is_taken(store: Store, found: Asked, value: str) -> bool:
    """Whether the operator's answer was taken; False while nobody has looked at it. CarrierError where another came first."""
    again = await store.journal.reopen(found.parking.turn)
    steps = again.record.steps if again is not None else ()
    taken = next((decode(step.value, object) for step in steps if step.name == found.parking.step), None)
    if isinstance(taken, Answer) and (taken.person, taken.value) == (OPERATOR, value):
        return True
    if again is None or again.parking is None or again.parking.step != found.parking.step:
        first = taken.value if isinstance(taken, Answer) and not taken.expired else "its time is over"
        raise CarrierError(f"No turn waits for {found.code} any more: {first}, before your answer.", remedy=_LISTED)
    return False


def _answer(opened: OpenTurn, parking: Parking, room: Room, value: str, reason: str, at: float) -> Inbound:
    """What stands for the operator's answer: of one step and value always the same, so that it cannot be given twice."""
    event = f"{parking.turn}/{parking.step}/{value}"
    content = (Part(reason),) if reason else ()
    is_question = isinstance(asked_in(opened, parking.step), (Approval, Reply))
    message = Message(make_id("operator", event), _OPERATOR, content, at)
    inbound = Inbound(event, room, message, InboundKind.APPROVAL, client=opened.record.client, agent=parking.agent)
    return msgspec.structs.replace(
        inbound, target=parking.step.rpartition("/")[2] if is_question else parking.turn, value=value
    )


# --- as JSON -----------------------------------------------------------------------------------------------------------------


async def _place(store: Store, found: Asked, now: float) -> dict[str, Json]:
    parking = found.parking
    room = await store.memory.room(parking.room)
    person = _person(found.opened)
    given = await unread(store, parking, found.id)
    return {
        "code": found.code,
        "id": found.id,
        "turn": parking.turn,
        "agent": parking.agent,
        "room": room.name if room is not None else parking.room,
        "room_id": parking.room,
        "person": person.name,
        "person_id": person.id,
        "until": parking.until,
        "left": round(max(0.0, parking.until - now), 3),
        "answered": None if given is None else {"value": given.value, "by": given.person, "at": given.at},
    }


async def _approval(store: Store, found: Asked, what: Approval, now: float) -> dict[str, Json]:
    call = _call(found, what)
    more: dict[str, Json] = {
        "action": what.action,
        "arguments": None if call is None else call.arguments,
        "call": what.what,
        "reason": what.reason,
        "approver": what.approver,
    }
    return await _place(store, found, now) | more


async def _choice(store: Store, found: Asked, what: Reply, now: float) -> dict[str, Json]:
    return await _place(store, found, now) | {"question": what.text, "options": list(found.options)}


def _person(opened: OpenTurn) -> Entity:
    """Whom the agent speaks with in the turn."""
    for row in opened.inbound:
        sender = decode(row.payload, Inbound).message.sender
        if sender.id == opened.record.person:
            return sender
    return Entity(opened.record.person, "", "", opened.record.person)


def _call(found: Asked, what: Approval) -> ActionCall | None:
    """The very call that is asked about, as the model made it; None where it is not recorded as one of a completion."""
    for step in found.opened.record.steps:
        completion = decode(step.value, object) if step.name.startswith("generate/") else None
        for call in completion.calls if isinstance(completion, Completion) else ():
            call = msgspec.structs.replace(call, name=what.action)
            if digest_of(call, what.person, what.until) == what.digest:
                return call
    return None
