"""Why an agent said what it said: a turn's record as JSON, the same for ``why``, ``chat`` and the control socket.

The shape is versioned (``"v": 1``) and documented in ``docs/cli.md``: others build on it.
"""

from __future__ import annotations

from typing import cast

import msgspec

from carrier_core.approving import CODE
from carrier_core.errors import CarrierError
from carrier_core.memory import Store
from carrier_core.outcomes import Outcome, Status, TurnRecord
from carrier_core.prompts import Json
from carrier_core.provenance import Provenance


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
    record = await _record(store, turn)
    room = await store.memory.room(record.room)
    stored = {part.digest: part.part for part in await store.journal.parts(record.parts)}
    memories = await store.memory.get(record.memories)
    kept = {memory.id for memory in memories}
    return {
        **summary(record, room.name if room is not None else record.room),
        "person": record.person,
        "client": record.client,
        "started": record.started,
        "steps": [
            {"name": step.name, "at": step.at, "duration_ms": step.duration_ms, "value": _json(step.value)}
            for step in record.steps
        ],
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


async def _record(store: Store, turn: str) -> TurnRecord:
    if turn == "last":
        latest = await store.journal.turns(limit=1)
        record = latest[0] if latest else None
    else:
        record = await store.journal.turn(turn)
    if record is None and turn == "last":
        raise CarrierError("There has been no turn yet.", remedy="Say something first: carrierd chat -m hello.")
    if record is None:
        raise CarrierError(f"There is no turn {turn}.", remedy="`carrierd why last` shows the latest one.")
    return record


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
