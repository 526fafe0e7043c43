"""What the laws about stores talk of: Ana and Bea, the agent ``robin``, and three rooms."""

from __future__ import annotations

from carrier_core import (
    AGENT,
    Audience,
    Connection,
    Entity,
    Memory,
    MemoryKind,
    Outcome,
    Part,
    Provenance,
    Query,
    Readers,
    Reply,
    ReplyPart,
    Room,
    RoomKind,
    Status,
    TurnRecord,
    make_id,
    person,
)

AGENT_NAME = "robin"
ANA = Entity.of("fake", "ana", name="Ana")
BEA = Entity.of("fake", "bea", name="Bea")
ROOM = Room.of("fake", "r1")
OTHER = Room.of("fake", "r2")
GROUP = Room.of("fake", "g1", kind=RoomKind.GROUP)


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
        self, name: str, inbound: tuple[int, ...] = (), status: Status = Status.RUNNING, *, room: Room = ROOM
    ) -> TurnRecord:
        """A turn as it is kept; one that replied has a reply."""
        reply = Reply((Part("Hello."),)) if status is Status.REPLIED else None
        outcome = Outcome(status, reply)
        return TurnRecord(make_id("turn", name), AGENT_NAME, room.id, ANA.id, "fake", inbound, 1.0, outcome)

    def post(self, turn: TurnRecord, number: int = 0) -> ReplyPart:
        """One delivery of a turn."""
        key = make_id("reply", turn.id, str(number))
        return ReplyPart(key, turn.id, turn.agent, ROOM, (Part("Hello."),), client="fake", number=number)

    def connection(self, entity: Entity = ANA, room: Room = ROOM) -> Connection:
        """Somebody in a room."""
        return Connection(entity, room)
