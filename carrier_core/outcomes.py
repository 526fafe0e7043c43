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
    """How a turn ended. ``reason`` says why where there is no reply, and how a task ended."""

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


class Passage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A message of a prompt that an ended turn keeps, if it is more than its role and its parts. These are told by their places
    in the record's ``parts``, counted from 0.

    Where it repeats a completion of the turn it only names the round of that, in ``said``.
    """

    role: str
    parts: tuple[int, ...] = ()
    calls: tuple[ActionCall, ...] = ()
    call: str = ""
    carry: Carry | None = None
    failed: bool = False
    said: int = 0


class Outline(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The prompt of a round as an ended turn keeps it, in a hundredth of the bytes of a :class:`Composition`.

    ``messages`` has a letter for the role of each message (system, user, assistant, tool), and behind it the number of its
    parts where that is not one: ``s2uaus3u``. Their parts stand in the record's ``parts``, one after another from the first
    on, unless ``places`` says where. A message that is more than that is a ``-`` there, and one of ``passages``, by its number.

    The record had ``of`` parts: one that has fewer has lost some, and nobody can tell which. ``tools`` is the place of the part
    that says them, as JSON.
    """

    messages: str
    of: int
    places: tuple[int, ...] = ()
    passages: dict[int, Passage] = {}
    tools: int | None = None
    model: str = "large"
    max_tokens: int | None = None
    temperature: float | None = None
    effort: Effort | None = None
    schema: dict[str, Json] | None = None


class Answer(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a parked turn waited for: who answered, what, at which time; ``expired`` where nobody did in time."""

    text: str = ""
    value: str = ""
    person: str = ""
    at: float = 0.0
    expired: bool = False


class Approval(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What somebody is asked to approve: one call, with its very arguments, ``until`` a time in seconds since the epoch.

    ``digest`` is that of the action, its arguments in canonical form, the person and ``until``: the approval is for nothing else.
    ``id`` and its beginning ``code`` are what an answer names. ``person`` is whom the agent speaks with, ``approver`` who may
    approve (see :class:`~carrier_core.prompts.Authorization`). ``what`` is the call in words, ``reason`` why it is asked.
    """

    id: str
    code: str
    action: str
    digest: str
    person: str
    approver: str
    until: float
    what: str
    reason: str = ""


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
