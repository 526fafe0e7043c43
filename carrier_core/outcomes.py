"""How a turn went: its outcome, its steps and every implementation that ran, as they are kept for ``why``."""

from __future__ import annotations

import msgspec

from carrier_core.messages import Entity, OpenEnum, Reply, Room, World
from carrier_core.prompts import ActionCall, Carry, Effort, Json, Tool, Usage

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


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A message of a recorded prompt; its parts by their content hashes."""

    role: str
    parts: tuple[str, ...] = ()
    calls: tuple[ActionCall, ...] = ()
    call: str = ""
    carry: Carry | None = None
    failed: bool = False


class Composition(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the step ``compose`` made, as it is recorded: state and prompt, their parts by their content hashes.

    ``used`` are the memories that went into it.
    """

    state: tuple[str, ...]
    messages: tuple[Line, ...]
    tools: tuple[Tool, ...] = ()
    model: str = "large"
    max_tokens: int | None = None
    temperature: float | None = None
    used: tuple[str, ...] = ()
    effort: Effort | None = None
    schema: dict[str, Json] | None = None


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a parked turn waited for: who answered, what, at which time; ``expired`` where nobody did in time."""

    text: str = ""
    value: str = ""
    person: str = ""
    at: float = 0.0
    expired: bool = False


class StepRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One step of a turn as it is kept: its recorded value ``{type, v, data}``, when it began and how long it took.

    ``in_doubt`` says that it acted on the world and nobody knows whether that happened.
    """

    name: str
    at: float
    duration_ms: float
    value: msgspec.Raw = msgspec.Raw(b"null")
    in_doubt: bool = False


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
    """A turn as it is kept for ``why``. ``parts`` are the content hashes of everything that was in its prompts, in order.

    ``inbound`` are the rows that it answers, ``superseded`` those that it took out of the queue because a later one counts.
    """

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
    superseded: tuple[int, ...] = ()


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Something that happened, for whoever watches. ``name`` is the event's hook, ``data`` depends on it."""

    name: str
    at: float
    agent: str = ""
    room: str = ""
    turn: str = ""
    plugin: str = ""
    data: dict[str, Json] = {}
