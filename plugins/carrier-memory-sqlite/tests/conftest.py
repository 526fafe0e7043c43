"""A store on a real file, and what people say in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from carrier_core import (
    AGENT,
    ActionResult,
    Audience,
    Connection,
    Entity,
    Memory,
    MemoryKind,
    Outcome,
    Outgoing,
    Part,
    Provenance,
    Query,
    Readers,
    Reply,
    ReplyPart,
    Room,
    RoomKind,
    Sending,
    Status,
    StepRecord,
    TurnRecord,
    encode,
    make_id,
    person,
)
from carrier_memory_sqlite.store import SqliteStore


class Scene:
    """Ana in a room with the agent ``tifa``; Bea, who may come in; a second room."""

    agent = "tifa"
    ana = Entity.of("local", "ana", name="Ana")
    bea = Entity.of("local", "bea", name="Bea")
    room = Room.of("local", "r1")
    other = Room.of("local", "r2")
    group = Room.of("local", "g1", kind=RoomKind.GROUP)

    def __init__(self) -> None:
        self.clock = 1_000_000.0

    def memory(
        self,
        text: str,
        *,
        key: str = "",
        room: Room | None = None,
        entity: Entity | None = None,
        by_agent: bool = False,
        kind: MemoryKind = MemoryKind.MESSAGE,
        audience: Audience | None = None,
        agent: str = "tifa",
        at: float | None = None,
    ) -> Memory:
        room, entity = room or self.room, entity or self.ana
        self.clock += 1.0
        return Memory(
            make_id("memory", key or f"{room.id}/{self.clock}"),
            agent,
            room.id,
            kind,
            (Part(text),),
            self.clock if at is None else at,
            Provenance((AGENT if by_agent else person(entity.id),), audience or Audience((room.id,))),
            entity="" if by_agent else entity.id,
            name="Tifa" if by_agent else entity.name,
            by_agent=by_agent,
        )

    def query(self, text: str, **given: object) -> Query:
        values: dict[str, object] = {"room": self.room.id, "speaker": self.ana.id, "readers": Readers(self.room.id)}
        return Query(self.agent, text, **(values | given))  # type: ignore[arg-type]

    def turn(
        self, name: str, inbound: tuple[int, ...] = (), status: Status = Status.RUNNING, **given: object
    ) -> TurnRecord:
        reply = Reply((Part("Hello."),)) if status is Status.REPLIED else None
        values: dict[str, object] = {"room": self.room.id, "agent": self.agent}
        values |= {"person": self.ana.id, "client": "terminal", "started": 1.0, "outcome": Outcome(status, reply)}
        return TurnRecord(make_id("turn", name), inbound=inbound, **(values | given))  # type: ignore[arg-type]

    def post(self, turn: TurnRecord, number: int = 0, text: str = "Hello.") -> ReplyPart:
        key = make_id("post", turn.id, str(number))
        return ReplyPart(key, turn.id, self.agent, self.room, (Part(text),), "terminal", number)

    def sending(self, turn: TurnRecord, number: int = 0, state: Sending = Sending.SENDING) -> Outgoing:
        return Outgoing(self.post(turn, number), state, 1)

    def step(self, name: str, text: str = "done") -> StepRecord:
        return StepRecord(name, 1.0, 2.0, msgspec.Raw(encode(ActionResult(text))))

    def readers(self, room: str) -> Readers:
        return Readers(room)

    def connection(self, entity: Entity | None = None, room: Room | None = None) -> Connection:
        return Connection(entity or self.ana, room or self.room)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
async def store(tmp_path: Path, anyio_backend: str) -> AsyncIterator[SqliteStore]:
    store = SqliteStore()
    await store.open(tmp_path / "state")
    yield store
    await store.close()
