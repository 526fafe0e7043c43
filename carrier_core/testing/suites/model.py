"""A model of the journal of one agent: what a store has to answer, in a few lists."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from carrier_core import (
    Appended,
    Charge,
    Hold,
    InboundRow,
    Intent,
    Outcome,
    Outgoing,
    Parking,
    ReplyPart,
    Room,
    Schedule,
    Sending,
    Settlement,
    Spent,
    Status,
    StepRecord,
    TurnRecord,
    Usage,
    Work,
    make_id,
)

_replace = msgspec.structs.replace


@dataclass
class Turn:
    """A turn that was opened, or ended at once."""

    record: TurnRecord
    state: str = "running"
    begun: int = 1
    steps: dict[str, StepRecord] = field(default_factory=dict)
    parking: Parking | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ("completed", "finished")


class Model:
    """Every method does what the journal's method of that name has to do, and returns what that has to return."""

    def __init__(self, agent: str, rooms: tuple[Room, ...]) -> None:
        self.agent = agent
        self.rooms = {room.id: room for room in rooms}
        self.epochs = dict.fromkeys(self.rooms, 0)
        self.seqs = dict.fromkeys(self.rooms, 0)
        self.waiting: dict[str, dict[int, bytes]] = {room: {} for room in self.rooms}
        self.keys: dict[str, int] = {}
        self.turns: dict[str, Turn] = {}
        self.intents: dict[str, Intent] = {}
        self.outbox: dict[str, Outgoing] = {}
        self.schedules: dict[str, Schedule] = {}
        self.used: dict[str, int] = {}  # tokens, by the name of a counter
        self.holds: dict[str, Hold] = {}

    # --- inbound ---

    def append(self, room: str, key: str, payload: bytes) -> Appended:
        """One row for each key."""
        if key in self.keys:
            return Appended(self.keys[key], is_new=False)
        self.seqs[room] += 1
        self.keys[key] = self.seqs[room]
        self.waiting[room][self.seqs[room]] = payload
        return Appended(self.seqs[room], is_new=True)

    def discard(self, room: str, seqs: tuple[int, ...], rewritten: tuple[InboundRow, ...]) -> None:
        """Nothing happens to rows that do not wait."""
        for seq in seqs:
            self.waiting[room].pop(seq, None)
        for row in rewritten:
            if row.seq in self.waiting[room]:
                self.waiting[room][row.seq] = row.payload

    # --- turns ---

    def record(self, turn: Turn, status: Status) -> TurnRecord:
        """The record of a turn, as it is given to the store."""
        return _replace(turn.record, outcome=Outcome(status))

    def opened(self, room: str, inbound: tuple[int, ...], superseded: tuple[int, ...]) -> Turn:
        """A new turn, which takes its rows."""
        key = make_id(self.agent, "turn", str(len(self.turns)))
        record = TurnRecord(key, self.agent, room, "ana", "fake", inbound, 1.0, Outcome(Status.RUNNING))
        turn = Turn(_replace(record, superseded=superseded))
        self.turns[key] = turn
        for seq in (*inbound, *superseded):
            self.waiting[room].pop(seq, None)
        return turn

    def steps(self, turn: Turn, steps: tuple[StepRecord, ...]) -> tuple[StepRecord, ...]:
        """The first record of a step counts."""
        for step in steps:
            if step.name not in turn.steps:
                turn.steps[step.name] = step
                turn.begun = 0
            for key, intent in [*self.intents.items()]:
                if (intent.turn, intent.step) == (turn.record.id, step.name):
                    self.intents[key] = _replace(intent, in_doubt=True)
                    if not turn.steps[step.name].in_doubt:
                        del self.intents[key]
        return tuple(turn.steps[step.name] for step in steps)

    def begin(self, turn: Turn, intent: Intent, steps: tuple[StepRecord, ...]) -> Intent:
        """The first intent of a key counts."""
        self.steps(turn, steps)
        return self.intents.setdefault(intent.key, intent)

    def call_off(self, turn: Turn) -> None:
        """What a turn was about to do, unless that is in doubt."""
        self.intents = {key: each for key, each in self.intents.items() if each.turn != turn.record.id or each.in_doubt}

    def park(self, turn: Turn, parking: Parking, steps: tuple[StepRecord, ...], posts: tuple[Outgoing, ...]) -> None:
        """Only what has not ended can wait."""
        if turn.is_over:
            return
        self.steps(turn, steps)
        turn.state, turn.parking, turn.record = "parked", parking, self.record(turn, Status.PARKED)
        self.call_off(turn)
        self.post(posts)

    def unpark(self, turn: Turn, answer: StepRecord, seq: int | None) -> bool:
        """The row of an answer is gone either way."""
        self.waiting[turn.record.room].pop(seq or 0, None)
        if turn.parking is None or turn.parking.step != answer.name:
            return False
        self.steps(turn, (answer,))
        turn.state, turn.parking, turn.record = "running", None, self.record(turn, Status.RUNNING)
        return True

    def complete(self, turn: Turn, posts: tuple[Outgoing, ...]) -> None:
        """Once."""
        if not turn.is_over:
            turn.state, turn.parking, turn.record = "completed", None, self.record(turn, Status.REPLIED)
            self.call_off(turn)
            self.post(posts)

    def finish(self, turn: Turn, posts: tuple[Outgoing, ...]) -> None:
        """As often as is wanted."""
        if turn.is_over:
            turn.state, turn.record = "finished", self.record(turn, Status.SILENT)
        self.deliver("", posts)

    # --- effects ---

    def part(self, turn: Turn, number: int) -> ReplyPart:
        """A part of the reply of a turn."""
        key = make_id(turn.record.id, "reply", str(number))
        return ReplyPart(key, turn.record.id, self.agent, self.rooms[turn.record.room], (), number=number)

    def post(self, posts: tuple[Outgoing, ...]) -> None:
        """The first of a key counts."""
        for post in posts:
            self.outbox.setdefault(post.part.key, post)

    def deliver(self, room: str, posts: tuple[Outgoing, ...]) -> None:
        """Only what is in the outbox, of the room if one is given."""
        for post in posts:
            if post.part.key in self.outbox and room in ("", post.part.room.id):
                self.outbox[post.part.key] = post

    def settle(self, key: str) -> bool:
        """Only what is in doubt."""
        intent = self.intents.get(key)
        return intent is not None and intent.in_doubt and self.intents.pop(key) is intent

    # --- schedules ---

    def fire(self, schedule: Schedule, payload: bytes | None, next_at: float | None) -> Appended | None:
        """Where the slot is the present one; what a skipped slot returns is the store's affair."""
        known = self.schedules.get(schedule.id)
        if known is None or known.next_at != schedule.next_at:
            return None
        if next_at is None:
            del self.schedules[schedule.id]
        else:
            self.schedules[schedule.id] = _replace(known, next_at=next_at)
        return Appended(0, is_new=False) if payload is None else self.append(known.room.id, known.key, payload)

    # --- spending ---

    def charges(self, names: set[str]) -> tuple[Charge, ...]:
        """Counters of these names, each with room for a little."""
        return tuple(Charge(("agent", self.agent, name), "day", most_tokens=6) for name in sorted(names))

    def held(self, name: str) -> int:
        """The tokens that are held in a counter."""
        named = [each for each in self.holds.values() if name in {charge.scope[-1] for charge in each.charges}]
        return sum(each.held.input for each in named)

    def hold(self, hold: Hold) -> tuple[Charge, ...]:
        """In all counters, or in none."""
        if hold.key in self.holds:
            return ()
        totals = {name: self.used.get(name, 0) + self.held(name) + hold.estimate.input for name in "abc"}
        lacking = tuple(charge for charge in hold.charges if hold.estimate.input and totals[charge.scope[-1]] > 6)
        if hold.charges and not lacking:
            self.holds[hold.key] = hold
            self.count(hold.charges, 0)
        return lacking

    def spend(self, settlement: Settlement) -> None:
        """Whatever room there is."""
        self.holds.pop(settlement.key, None)
        self.count(settlement.charges, settlement.usage.input)

    def count(self, charges: tuple[Charge, ...], tokens: int) -> None:
        """In counters that there are from now on."""
        for charge in charges:
            self.used[charge.scope[-1]] = self.used.get(charge.scope[-1], 0) + tokens

    def spent(self) -> tuple[Spent, ...]:
        """All counters."""
        return tuple(
            Spent(("agent", self.agent, name), "day", Usage(self.used[name]), Usage(self.held(name)))
            for name in sorted(self.used)
        )

    # --- what there is to see ---

    def work(self, room: str) -> Work:
        """What is to be done in a room."""
        turns = [key for key, turn in self.turns.items() if turn.record.room == room]
        rows = self.waiting[room]
        return Work(
            tuple(key for key in turns if self.turns[key].state in ("running", "completed")),
            tuple(InboundRow(seq, rows[seq]) for seq in sorted(rows)),
            tuple(
                post
                for post in self.outbox.values()
                if post.part.room.id == room and post.state in (Sending.WAITING, Sending.SENDING)
            ),
        )

    def ready(self) -> set[tuple[str, str]]:
        """The rooms in which something is to be done."""
        return {(self.agent, room) for room in self.rooms if self.work(room) != Work()}

    def doubts(self) -> tuple[Intent, ...]:
        """The oldest first."""
        return tuple(sorted((each for each in self.intents.values() if each.in_doubt), key=lambda each: each.at))

    def parked(self) -> tuple[Parking, ...]:
        """The one that waits least long first."""
        waiting = [turn.parking for turn in self.turns.values() if turn.parking is not None]
        return tuple(sorted(waiting, key=lambda parking: parking.until))
