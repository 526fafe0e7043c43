"""The journal: what makes an accepted message safe. A contract that store plugins fulfil.

A room's work belongs to whoever claimed the room last: every write of a turn carries the epoch of that claim, and a stale
epoch raises :class:`~carrier_core.errors.Fenced`. All methods are durable when they return, may be called again after a
failure without doing anything twice, and each is one transaction. Payloads are records (:mod:`carrier_core.records`).

The life of a turn: its inbound rows are appended, ``open_turn`` takes them, ``record_steps`` keeps what was done,
``complete`` ends it with its reply in the outbox, ``finish`` adds what happened to the reply and what was learned. A turn
that waits for somebody is parked in between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

import msgspec

from carrier_core.messages import Memory, OpenEnum, Part, ReplyPart
from carrier_core.outcomes import Connection, StepRecord, TurnRecord
from carrier_core.prompts import Usage
from carrier_core.schedules import Schedule

# --- inbound -----------------------------------------------------------------------------------------------------------


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The place of an inbound row in its room, and whether it is new or a repetition of one that is there already."""

    seq: int
    is_new: bool


class InboundRow(msgspec.Struct, frozen=True, gc=False):
    """An inbound as it was appended: its sequence number and its record."""

    seq: int
    payload: bytes


# --- turns -------------------------------------------------------------------------------------------------------------


class StoredPart(msgspec.Struct, frozen=True, gc=False):
    """A part of a prompt, kept once under its content hash."""

    digest: str
    part: Part


class Intent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """That a step of a turn is about to act on the world. It goes when the step is recorded.

    One that is found without a record is in doubt once its ``deadline`` (seconds since the epoch) is over. ``key`` is the
    idempotency key of the effect, the same at every attempt; ``what`` says it in words for a person. ``in_doubt`` stays
    until a person has settled it.
    """

    key: str
    turn: str
    agent: str
    room: str
    step: str
    at: float
    deadline: float
    what: str = ""
    in_doubt: bool = False


class Parking(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """That a turn waits for somebody, outside of its room's queue, ``until`` a time in seconds since the epoch.

    ``step`` is the name under which the answer is recorded.
    """

    turn: str
    agent: str
    room: str
    step: str
    until: float
    reason: str = ""


class OpenTurn(msgspec.Struct, frozen=True, gc=False):
    """A turn as it can be gone on with. ``record.steps`` are those recorded so far, with their values.

    ``activations`` counts how often it was begun since a step was last recorded. ``completed`` says that only its delivery
    and its end are missing.
    """

    record: TurnRecord
    inbound: tuple[InboundRow, ...]
    intents: tuple[Intent, ...] = ()
    activations: int = 1
    parking: Parking | None = None
    completed: bool = False


# --- the outbox ----------------------------------------------------------------------------------------------------------


class Sending(OpenEnum):
    """How far a delivery is. ``sending`` is its intent: it was begun, and nobody has written down how it ended."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    DEAD = "dead"
    DISCARDED = "discarded"
    UNKNOWN = "unknown"


class Outgoing(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A reply part in the outbox. Times are in seconds since the epoch.

    ``due`` is when it may be tried (again), ``deadline`` until when the attempt that is under way may take, ``at`` when the
    platform took it; ``native`` is its id there, ``error`` what went wrong last.
    """

    part: ReplyPart
    state: Sending = Sending.WAITING
    attempts: int = 0
    due: float = 0.0
    deadline: float = 0.0
    at: float = 0.0
    native: str = ""
    error: str = ""


class Work(msgspec.Struct, frozen=True, gc=False):
    """What is to be done in a room: turns that were opened and are neither parked nor finished, rows that no turn has
    taken, and reply parts that are waiting or being sent, each in order."""

    turns: tuple[str, ...] = ()
    rows: tuple[InboundRow, ...] = ()
    outbox: tuple[Outgoing, ...] = ()


# --- spending ------------------------------------------------------------------------------------------------------------


CounterKey: TypeAlias = tuple[tuple[str, ...], str]
"""What tells counters apart: scope and window."""


class Charge(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A counter that a model call counts in, and what that may come to.

    ``scope`` says of what: a sort, then the agent that it is of (empty where it is of all), then whatever else tells counters
    apart: ``("person", agent, id)``, ``("host", "")``. A counter whose scope ends with a person's id is that person's alone;
    in one that has the id further ahead, ``("use", agent, id, provider, model)``, the person is one of several. Words have
    no control characters. ``window`` says for how long: a day ``2027-01-31``, a month ``2027-01``, or a turn's id.

    ``most_tokens``, ``most_cost`` (billionths of a dollar) and ``most_calls`` bound it; None bounds nothing. After ``until``, in seconds since
    the epoch, the counter may be removed; the latest that any charge names counts, and 0 names no time.
    """

    scope: tuple[str, ...]
    window: str
    most_tokens: int | None = None
    most_cost: int | None = None
    until: float = 0.0
    most_calls: int | None = None

    @property
    def counter(self) -> CounterKey:
        """The counter's key."""
        return self.scope, self.window


class Hold(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A call that is about to be made, ``at`` a time in seconds since the epoch. What it will use by the ``estimate`` has to have
    room in all its counters; what it can use at ``most`` is then held back in them until it is settled. Both are the same
    where ``most`` is not said.

    ``key`` is the call's own, and that of no other call before or after it. A hold that is never settled, because the process
    died in the middle, stays counted as long as its counters are there: the call may well have been paid for.
    """

    key: str
    charges: tuple[Charge, ...]
    estimate: Usage
    at: float
    most: Usage | None = None

    @property
    def held(self) -> Usage:
        """What is held back."""
        return self.estimate if self.most is None else self.most

    def counts_in(self, counter: CounterKey) -> bool:
        """Whether it counts in this counter."""
        return any(charge.counter == counter for charge in self.charges)

    def concerns(self, agent: str) -> bool:
        """Whether it counts in a counter of this agent."""
        return any(charge.scope[1:2] == (agent,) for charge in self.charges)


class Settlement(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a call has used, counted in ``charges``, which may be others than those of its hold. Where there is a hold of its
    ``key``, that goes."""

    key: str
    charges: tuple[Charge, ...]
    usage: Usage


class Spent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A counter: what was used, and what is ``held`` beside it."""

    scope: tuple[str, ...]
    window: str
    usage: Usage = Usage()
    held: Usage = Usage()
    until: float = 0.0

    @property
    def counter(self) -> CounterKey:
        """The counter's key."""
        return self.scope, self.window

    def concerns(self, agent: str) -> bool:
        """Whether it is of this agent."""
        return self.scope[1:2] == (agent,)


class Journal(ABC):
    """Inbound rows, turns with their steps, the outbox, the schedules and the spending of one store."""

    # --- inbound ---

    @abstractmethod
    async def append_inbound(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """Append an inbound to the room of the agent, unless that agent has one with this key.

        Calls for one room return in the order of their numbers: the host queues what they return.
        """

    @abstractmethod
    async def ready(self) -> tuple[tuple[str, str], ...]:
        """The (agent, room) pairs for which :meth:`work` has something."""

    @abstractmethod
    async def work(self, agent: str, room: str) -> Work:
        """What is to be done in a room."""

    @abstractmethod
    async def discard(
        self, agent: str, room: str, seqs: tuple[int, ...], reason: str, rewritten: tuple[InboundRow, ...] = ()
    ) -> None:
        """Take inbound rows out of the queue without a turn, because they were dropped or applied.

        ``rewritten`` are rows that still wait, with the payload that they have from now on (an edit was applied to them).
        """

    @abstractmethod
    async def claim_room(self, agent: str, room: str, owner: str, lease: float) -> int:
        """Make ``owner`` the one who works on the room; returns its epoch, higher than any before.

        Unavailable, naming the other, while another owner holds the room and that one's lease lives: ``lease`` seconds, by
        the store's clock, from its last :meth:`heartbeat` or claim.
        """

    @abstractmethod
    async def heartbeat(self, owner: str, lease: float) -> None:
        """Let the lease of an owner live ``lease`` seconds more; 0 ends it."""

    # --- turns ---

    @abstractmethod
    async def open_turn(
        self, turn: TurnRecord, epoch: int, connection: Connection | None, memories: tuple[Memory, ...]
    ) -> bool:
        """Begin a turn: it takes its inbound rows (``superseded`` ones are discarded with that reason); who spoke and what
        was said is stored with it.

        Returns whether the entity was seen in the room for the first time. Opening a turn again changes nothing and
        returns False. A stale epoch raises Fenced.
        """

    @abstractmethod
    async def activate(self, turn: TurnRecord, epoch: int) -> int:
        """Note that an open turn is begun again; returns how often it was begun since a step was last recorded, its
        opening included."""

    @abstractmethod
    async def begin_step(
        self,
        turn: TurnRecord,
        epoch: int,
        intent: Intent,
        steps: tuple[StepRecord, ...] = (),
        parts: tuple[StoredPart, ...] = (),
        memories: tuple[Memory, ...] = (),
    ) -> Intent:
        """Write down an intent, with the steps done before it. Returns the one that is there, if there is one of that key."""

    @abstractmethod
    async def record_steps(
        self,
        turn: TurnRecord,
        epoch: int,
        steps: tuple[StepRecord, ...],
        parts: tuple[StoredPart, ...] = (),
        memories: tuple[Memory, ...] = (),
        outbox: tuple[Outgoing, ...] = (),
    ) -> tuple[StepRecord, ...]:
        """Record steps that were done, with the parts that their values name and what was remembered in them, and what is to be
        delivered while the turn goes on. A row of the outbox whose key is there already stays as it is.

        A step that is recorded already stays as it is; returns all of ``steps`` as they are recorded now. Their intents go,
        or are kept in doubt where the record is ``in_doubt``.
        """

    @abstractmethod
    async def park(
        self,
        turn: TurnRecord,
        epoch: int,
        parking: Parking,
        steps: tuple[StepRecord, ...] = (),
        parts: tuple[StoredPart, ...] = (),
        memories: tuple[Memory, ...] = (),
        outbox: tuple[Outgoing, ...] = (),
    ) -> None:
        """Let a turn wait, with the steps done before and the question to be delivered. Intents of the turn go."""

    @abstractmethod
    async def unpark(self, turn: TurnRecord, epoch: int, answer: StepRecord, seq: int | None = None) -> bool:
        """Record the answer and let the turn run on; ``seq`` is the inbound row that it came in, which is taken.

        False, and nothing is written but that the row is discarded, where the turn does not wait for this step any more.
        """

    @abstractmethod
    async def complete(
        self,
        turn: TurnRecord,
        epoch: int,
        memories: tuple[Memory, ...],
        parts: tuple[StoredPart, ...],
        outbox: tuple[Outgoing, ...],
    ) -> None:
        """End a turn, open or parked or never opened: its outcome, what it remembers and what is to be delivered.

        Its intents go, but for those in doubt. A turn that is completed already stays as it is.
        """

    @abstractmethod
    async def finish(
        self, turn: TurnRecord, epoch: int, memories: tuple[Memory, ...], outbox: tuple[Outgoing, ...]
    ) -> None:
        """After the delivery: what became of the reply parts, what was learned, and the whole record of a completed turn.

        May be called again when more is known.
        """

    @abstractmethod
    async def reopen(self, turn: str) -> OpenTurn | None:
        """The turn with this exact id as it can be gone on with, its inbound rows included; None if there is none."""

    @abstractmethod
    async def parked(self) -> tuple[Parking, ...]:
        """The turns that wait, the one that waits least long first."""

    @abstractmethod
    async def turn(self, turn: str) -> TurnRecord | None:
        """The turn with this id, or None. A unique beginning of an id will do."""

    @abstractmethod
    async def turns(
        self, *, agent: str = "", room: str = "", status: str = "", limit: int = 20
    ) -> tuple[TurnRecord, ...]:
        """The latest turns, newest first."""

    @abstractmethod
    async def parts(self, digests: tuple[str, ...]) -> tuple[StoredPart, ...]:
        """The stored parts with these hashes; those that are gone are left out."""

    # --- effects ---

    @abstractmethod
    async def deliver(self, agent: str, room: str, epoch: int, outbox: tuple[Outgoing, ...]) -> None:
        """Write down how far deliveries of a room are. The parts themselves do not change; unknown keys are left out."""

    @abstractmethod
    async def outbox(
        self, *, agent: str = "", turn: str = "", states: tuple[Sending, ...] = (), limit: int = 100
    ) -> tuple[Outgoing, ...]:
        """Reply parts, in the order in which they were put there; of all states if none are named."""

    @abstractmethod
    async def doubts(self, *, agent: str = "") -> tuple[Intent, ...]:
        """The effects of actions of which nobody knows whether they happened, oldest first."""

    @abstractmethod
    async def settle_doubt(self, key: str) -> bool:
        """Note that a person has looked after an intent in doubt; whether there was one of that key."""

    # --- schedules ---

    @abstractmethod
    async def schedule(self, schedule: Schedule) -> None:
        """Keep a schedule; one of that id is replaced."""

    @abstractmethod
    async def cancel(self, schedule: str) -> bool:
        """Remove a schedule; whether there was one."""

    @abstractmethod
    async def schedules(self, *, agent: str = "") -> tuple[Schedule, ...]:
        """All schedules, the next one first."""

    @abstractmethod
    async def due(self, now: float, *, limit: int = 100) -> tuple[Schedule, ...]:
        """The schedules whose ``next_at`` has come, the longest waiting first."""

    @abstractmethod
    async def fire(self, schedule: Schedule, payload: bytes | None, next_at: float | None) -> Appended | None:
        """Turn a slot, which is ``schedule.next_at``, into an inbound row of the schedule's room, under the key
        ``sched:{id}:{slot}``, and set the next one; None for ``next_at`` removes the schedule, None for ``payload`` only
        skips the slot.

        None, and nothing changes, where the schedule's slot is another by now: somebody was quicker.
        """

    # --- spending ---

    @abstractmethod
    async def hold(self, hold: Hold) -> tuple[Charge, ...]:
        """Hold back what a call can use in all its counters, or in none: returns the charges that have no room for it.

        A counter has room if its tokens (in and out), its cost and its calls, used and held, with the estimate stay within what the
        charge says, or if the estimate takes nothing of what that bounds; one that several charges name counts the call
        once. What is held then is ``hold.most``, which may be more: so a counter is exceeded by what one estimate was wrong,
        however many calls are under way. A hold of that key that is there already stays, and () is returned. No two calls at
        one time can take the same room, not even of two daemons.
        """

    @abstractmethod
    async def settle(self, settlements: tuple[Settlement, ...]) -> None:
        """Count what calls have used, whatever room there is, and let go of what was held for them.

        After Unavailable nobody knows whether they were counted. The very same settlements may be given again: as long as
        it is the same process that does, they are counted once.
        """

    @abstractmethod
    async def spent(self, *, scope: tuple[str, ...] = (), window: str = "", limit: int = 10_000) -> tuple[Spent, ...]:
        """The counters whose scope begins with these words and whose window begins with ``window``, by scope and window."""

    @abstractmethod
    async def expire_spent(self, now: float) -> int:
        """Remove the counters whose ``until`` is before ``now`` and not 0, with what is held in them: a hold goes with the
        last of its counters. Returns how many counters that were."""
