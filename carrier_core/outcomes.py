"""How a turn went: its outcome, its steps and every implementation that ran, as they are kept for ``why``."""

from __future__ import annotations

import msgspec

from carrier_core.messages import Entity, OpenEnum, Reply, Room, World
from carrier_core.prompts import Json, Usage

# --- how it went ---------------------------------------------------------------------------------------------------------


class Status(OpenEnum):
    """How a turn ended, or that it has not (``running``; ``parked``: it waits for somebody)."""

    RUNNING = "running"
    PARKED = "parked"
    REPLIED = "replied"
    SILENT = "silent"
    BLOCKED = "blocked"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class Connection(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Who spoke and where, as it is stored: the result of ``ensure_connection``."""

    entity: Entity
    room: Room
    world: World | None = None


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How a turn ended. ``reason`` says why where there is no reply."""

    status: Status
    reply: Reply | None = None
    reason: str = ""
    usage: Usage = Usage()


class Step(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A journaled part of a turn: ``open``, ``decide``, ``compose/1``, ``generate/1``, ``act/1/0``... ``replayed`` when its
    value was read from the journal instead of being made."""

    name: str
    replayed: bool = False


class StepRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One step of a turn as it is kept: its recorded value ``{type, v, data}``, when it began and how long it took."""

    name: str
    at: float
    duration_ms: float
    value: msgspec.Raw = msgspec.Raw(b"null")


class Ran(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One implementation that ran: what it answered, in a line, and how long that took.

    ``result`` is answered, declined, raised, timed_out, mistyped, quarantined, cancelled or passed (it wrapped a step).
    """

    step: str
    hook: str
    plugin: str
    duration_ms: float
    result: str
    contributed: str = ""


class TurnRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A turn as it is kept for ``why``. ``parts`` are the content hashes of everything that was in its prompts, in order."""

    id: str
    agent: str
    room: str
    person: str
    client: str
    inbound: tuple[int, ...]
    started: float
    outcome: Outcome
    duration_ms: float = 0.0
    steps: tuple[StepRecord, ...] = ()
    ran: tuple[Ran, ...] = ()
    memories: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    seed: int = 0
    generation: int = 0


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Something that happened, for whoever watches. ``name`` is the event's hook, ``data`` depends on it."""

    name: str
    at: float
    agent: str = ""
    room: str = ""
    turn: str = ""
    plugin: str = ""
    data: dict[str, Json] = {}
