"""Why an agent said what it said: a turn's record as JSON, the same for ``why``, ``chat`` and the control socket.

The shape is versioned (``"v": 1``) and documented in ``docs/cli.md``: others build on it.
"""

from __future__ import annotations

from typing import cast

import msgspec

from carrier_core.approving import APPROVE, CODE, REFUSE
from carrier_core.errors import CarrierError
from carrier_core.journal import OpenTurn, Parking
from carrier_core.ledger import digests_of
from carrier_core.memory import Store
from carrier_core.messages import Inbound, Reply
from carrier_core.outcomes import Answer, Approval, Composition, Outcome, Status, StepRecord, TurnRecord
from carrier_core.prompts import Json
from carrier_core.provenance import OPERATOR, Provenance
from carrier_core.recording import describe
from carrier_core.records import Unrecognised, decode


def summary(record: TurnRecord, room: str) -> dict[str, Json]:
    """What ``carrierd chat --json`` prints; ``room`` is the room's name."""
    outcome = record.outcome
    return {
        "v": 1,
        "turn": record.id,
        "agent": record.agent,
        "room": room,
        "status": str(outcome.status),
        "reason": outcome.reason,
        "reply": None if outcome.reply is None else {"text": outcome.reply.text, "notice": outcome.reply.notice},
        "question": _question(outcome),
        "usage": cast("Json", msgspec.to_builtins(outcome.usage) | _ZERO | msgspec.to_builtins(outcome.usage)),
        "duration_ms": record.duration_ms,
    }


def _question(outcome: Outcome) -> Json:
    """What a turn that waits asks; None where it asks nothing in particular, or does not wait."""
    asked = outcome.reply.question if outcome.reply is not None and outcome.status is Status.PARKED else None
    if asked is None:
        return None
    return {"id": asked.id, "code": asked.code or asked.id[:CODE], "options": list(asked.options), "until": asked.until}


_ZERO = {"input": 0, "output": 0, "cached": 0, "calls": 0}


async def explain(store: Store, turn: str) -> dict[str, Json]:
    """What ``carrierd why TURN --json`` prints. ``last`` is the latest turn. CarrierError if there is no such turn."""
    record = await turn_named(store, turn)
    opened = await store.journal.reopen(record.id)
    values = {step.name: decode(step.value, object) for step in record.steps if _json(step.value)}
    if opened is not None and not opened.completed:
        record = _so_far(record, values)
    room = await store.memory.room(record.room)
    stored = {part.digest: part.part for part in await store.journal.parts(record.parts)}
    memories = await store.memory.get(record.memories)
    kept = {memory.id for memory in memories}
    parking = opened.parking if opened is not None else None
    return {
        **summary(record, room.name if room is not None else record.room),
        "person": record.person,
        "client": record.client,
        "started": record.started,
        "waits": None if parking is None else {"step": parking.step, "until": parking.until, "reason": parking.reason},
        "asked": await _asked(store, record, values, opened),
        "steps": [_step(step, values.get(step.name)) for step in record.steps],
        "ran": [
            {
                "step": ran.step,
                "hook": ran.hook,
                "plugin": ran.plugin,
                "duration_ms": ran.duration_ms,
                "result": ran.result,
                "contributed": ran.contributed,
            }
            for ran in record.ran
        ],
        "parts": [
            {
                "key": part.key,
                "role": part.role,
                "text": part.text,
                "memory": part.memory,
                "provenance": _provenance(part.provenance),
            }
            for digest in record.parts
            if (part := stored.get(digest)) is not None
        ],
        "memories": [
            {
                "id": memory.id,
                "kind": str(memory.kind),
                "name": memory.name,
                "text": memory.text,
                "at": memory.at,
                "provenance": _provenance(memory.provenance),
            }
            for memory in memories
        ],
        "forgotten": [memory for memory in record.memories if memory not in kept],
    }


def _so_far(record: TurnRecord, values: dict[str, object]) -> TurnRecord:
    """A turn that has not ended, with the parts and memories that its recorded prompts name."""
    composed = [value for value in values.values() if isinstance(value, Composition)]
    parts = dict.fromkeys(digest for each in composed for digest in digests_of(each))
    used = dict.fromkeys(memory for each in composed for memory in each.used)
    return msgspec.structs.replace(record, parts=tuple(parts), memories=tuple(used))


def _step(step: StepRecord, value: object) -> Json:
    known = not isinstance(value, Unrecognised)
    told = _said(value) if known else ""
    return {
        "name": step.name, "at": step.at, "duration_ms": step.duration_ms, "value": _json(step.value), "told": told,
    }  # fmt: skip


def _said(value: object) -> str:
    """What a step came to, in a line."""
    if isinstance(value, Composition):
        return f"{len(value.messages)} messages, {len(value.tools)} tools"
    if isinstance(value, Approval):
        return f"asks for an approval of {value.what}"
    if isinstance(value, Answer):
        return "nobody answered in time" if value.expired else f"{value.value} {value.text}".strip()
    return describe(value)


# --- what was asked, and who answered --------------------------------------------------------------------------------------


async def unread(store: Store, parking: Parking, question: str) -> Answer | None:
    """What the operator answered to the question of this id, of a parked turn, that nobody has taken up yet; None if nothing."""
    rows = (await store.journal.work(parking.agent, parking.room)).rows
    for message in (decode(row.payload, Inbound) for row in rows):
        given = message.message
        if message.target == question and given.sender.id == OPERATOR:
            return Answer(given.text, message.value, OPERATOR, given.at)
    return None


async def _asked(store: Store, record: TurnRecord, values: dict[str, object], opened: OpenTurn | None) -> list[Json]:
    """The approvals and choices that a turn asked for, in order, with their answers."""
    names = {entity.id: entity.name for entity in await store.memory.participants(record.room)} | {OPERATOR: OPERATOR}
    parking = opened.parking if opened is not None else None
    found: list[Json] = []
    for step, what in values.items():
        told = _question_in(what)
        if told is None:
            continue
        key = str(told["id"])
        answer, waits = values.get(f"{step}/{key}"), parking is not None and parking.step == f"{step}/{key}"
        taken = isinstance(answer, Answer)
        if parking is not None and waits and not taken:
            answer = await unread(store, parking, key)
        person = names.get(record.person, record.person)
        given = _answer(answer, names, taken) if isinstance(answer, Answer) else None
        found.append({"step": step, **told, "person": person, "waits": waits, "answer": given})
    return found


def _question_in(what: object) -> dict[str, Json] | None:
    """What a step asked; None where it asked nothing."""
    if isinstance(what, Approval):
        return {
            "kind": "approval",
            "id": what.id,
            "code": what.code,
            "what": what.what,
            "reason": what.reason,
            "approver": what.approver,
            "options": [APPROVE, REFUSE],
            "until": what.until,
        }
    asked = what.question if isinstance(what, Reply) else None
    if not isinstance(what, Reply) or asked is None:
        return None
    return {
        "kind": "choice",
        "id": asked.id,
        "code": asked.code or asked.id[:CODE],
        "what": what.text,
        "reason": "",
        "approver": "",
        "options": list(asked.options),
        "until": asked.until,
    }


def _answer(answer: Answer, names: dict[str, str], taken: bool) -> Json:
    return {
        "value": answer.value,
        "text": answer.text,
        "by": names.get(answer.person, answer.person),
        "by_id": answer.person,
        "at": answer.at,
        "expired": answer.expired,
        "taken": taken,
    }


# --- the rest --------------------------------------------------------------------------------------------------------------


async def turn_named(store: Store, key: str) -> TurnRecord:
    """The turn with this id, or the only one whose id begins so; ``last`` is the latest. CarrierError if there is none (70), or if
    several begin so (64)."""
    if key == "last":
        latest = await store.journal.turns(limit=1)
        if not latest:
            raise CarrierError("There has been no turn yet.", remedy="Say something first: carrierd chat -m hello.")
        return latest[0]
    record = await store.journal.turn(key)
    if record is not None:
        return record
    begin = [turn.id for turn in await store.journal.turns(limit=_SEARCHED) if turn.id.startswith(key)]
    if len(begin) > 1:
        error = CarrierError(f"{len(begin)} turns begin with {key}.", remedy="Write more of the id.")
        error.exit_code = 64  # EX_USAGE
        raise error
    raise CarrierError(f"There is no turn {key}.", remedy="`carrierd turns` lists them.")


_SEARCHED = 10_000  # turns, among which those are looked for that begin alike


def _provenance(provenance: Provenance | None) -> Json:
    given = provenance or Provenance()
    audience: dict[str, Json] = {"everyone": not given.audience.rooms and given.audience.persons is None}
    if given.audience.rooms:
        audience["rooms"] = list(given.audience.rooms)
    if given.audience.persons is not None:
        audience["persons"] = list(given.audience.persons)
    return {"origins": list(given.origins), "audience": audience, "plugin": given.plugin, "hook": given.hook}


def _json(value: msgspec.Raw) -> Json:
    return cast("Json", msgspec.json.decode(value)) if value else None
