"""What the laws about stores talk of: Ana and Bea, the agents ``robin`` and ``wren``, and three rooms."""

from __future__ import annotations

import msgspec

from carrier_core import (
    AGENT,
    Audience,
    Completion,
    Connection,
    Entity,
    Entry,
    Inbound,
    Intent,
    Memory,
    MemoryKind,
    Outcome,
    Outgoing,
    Parking,
    Part,
    Provenance,
    Query,
    Readers,
    Reply,
    ReplyPart,
    Room,
    RoomKind,
    Schedule,
    Sending,
    Status,
    StepRecord,
    Store,
    TurnRecord,
    encode,
    make_id,
    person,
)

AGENT_NAME = "robin"
OTHER_AGENT = "wren"
ME = "me"
LEASE = 60.0
"""Seconds: no law takes as long."""
ANA = Entity.of("fake", "ana", name="Ana")
BEA = Entity.of("fake", "bea", name="Bea")
ROOM = Room.of("fake", "r1")
OTHER = Room.of("fake", "r2")
GROUP = Room.of("fake", "g1", kind=RoomKind.GROUP)
ROOMS = {room.id: room for room in (ROOM, OTHER, GROUP)}


class Scene:
    """Makes memories, turns and queries. Each memory is a second younger than the one before."""

    def __init__(self) -> None:
        self.clock = 1_000_000.0

    def memory(
        self,
        text: str,
        *,
        key: str = "",
        room: Room = ROOM,
        entity: Entity = ANA,
        kind: MemoryKind = MemoryKind.MESSAGE,
        audience: Audience | None = None,
        agent: str = AGENT_NAME,
        at: float | None = None,
        by_agent: bool = False,
    ) -> Memory:
        """Something that was said, or is known; whoever is in its room may know it, if nothing else is said."""
        self.clock += 1.0
        return Memory(
            make_id("memory", key or f"{agent}/{room.id}/{self.clock}"),
            agent,
            room.id,
            kind,
            (Part(text),),
            self.clock if at is None else at,
            Provenance((AGENT if by_agent else person(entity.id),), audience or Audience((room.id,))),
            entity=entity.id,
            name=entity.name,
            by_agent=by_agent,
        )

    def query(
        self,
        text: str,
        *,
        room: str = ROOM.id,
        readers: Readers | None = None,
        kinds: tuple[MemoryKind, ...] = (),
        exclude: tuple[str, ...] = (),
        limit: int = 5,
        threshold: float = 0.0,
        agent: str = AGENT_NAME,
    ) -> Query:
        """Ana asks in her room."""
        return Query(
            agent,
            text,
            readers or Readers(ROOM.id),
            kinds=kinds,
            room=room,
            speaker=ANA.id,
            exclude=exclude,
            limit=limit,
            threshold=threshold,
        )

    def turn(
        self,
        name: str,
        inbound: tuple[int, ...] = (),
        status: Status = Status.RUNNING,
        *,
        room: Room = ROOM,
        agent: str = AGENT_NAME,
        entity: Entity = ANA,
        started: float = 1.0,
    ) -> TurnRecord:
        """A turn as it is kept; one that replied has a reply."""
        reply = Reply((Part("Hello."),)) if status is Status.REPLIED else None
        outcome = Outcome(status, reply)
        return TurnRecord(make_id("turn", name), agent, room.id, entity.id, "fake", inbound, started, outcome)

    def step(self, name: str, text: str = "Hello.", *, in_doubt: bool = False) -> StepRecord:
        """A step that was done, and what the model said in it."""
        self.clock += 1.0
        value = msgspec.Raw(encode(Completion((Part(text),))))
        return StepRecord(name, self.clock, 2.5, value, in_doubt)

    def intent(self, turn: TurnRecord, step: str, *, at: float = 5.0, what: str = "") -> Intent:
        """That a step is about to act on the world."""
        return Intent(make_id(turn.id, step), turn.id, turn.agent, turn.room, step, at, at + 30.0, what)

    def parking(self, turn: TurnRecord, step: str = "ask/1", *, until: float = 900.0) -> Parking:
        """That a turn waits for somebody."""
        return Parking(turn.id, turn.agent, turn.room, step, until, "wants a yes")

    def post(self, turn: TurnRecord, number: int = 0) -> ReplyPart:
        """One delivery of a turn."""
        key = make_id("reply", turn.id, str(number))
        return ReplyPart(key, turn.id, turn.agent, ROOMS[turn.room], (Part("Hello."),), client="fake", number=number)

    def sending(self, turn: TurnRecord, number: int = 0, state: Sending = Sending.WAITING) -> Outgoing:
        """One delivery of a turn, as it is in the outbox."""
        return Outgoing(self.post(turn, number), state)

    def schedule(
        self, name: str, next_at: float, *, room: Room = ROOM, agent: str = AGENT_NAME, entity: Entity = ANA
    ) -> Schedule:
        """That an agent is told something, every hour."""
        return Schedule(make_id("schedule", name), agent, room, entity, "Drink water.", "every 3600", next_at, "fake")

    def payload(self, text: str, *, room: Room = ROOM, entity: Entity = ANA) -> bytes:
        """The record of an inbound that says this."""
        self.clock += 1.0
        return encode(Inbound.say(room, entity, text, event=f"{self.clock}", at=self.clock))

    def connection(self, entity: Entity = ANA, room: Room = ROOM) -> Connection:
        """Somebody in a room."""
        return Connection(entity, room)


async def exported(store: Store, agent: str = "") -> list[Entry]:
    """All entries of an archive of the store."""
    return [entry async for batch in store.export(agent) for entry in batch]


def plain(value: object) -> object:
    """A value as dictionaries and lists, to be compared: without the layout of the raw JSON inside of it."""
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, msgspec.Struct):
        return {"type": type(value).__name__, **{name: plain(getattr(value, name)) for name in value.__struct_fields__}}
    return [plain(each) for each in value] if isinstance(value, (tuple, list)) else value
