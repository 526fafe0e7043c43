"""A store with rows of every kind, for the laws that are about all of them."""

from __future__ import annotations

import msgspec

from carrier_core import (
    AGENT,
    OPERATOR,
    Audience,
    Charge,
    Completion,
    Connection,
    Hold,
    Inbound,
    MemoryKind,
    Outcome,
    Outgoing,
    Part,
    Provenance,
    Ran,
    Reply,
    Room,
    Sending,
    Settlement,
    Status,
    StepRecord,
    Store,
    StoredPart,
    TurnRecord,
    Usage,
    World,
    encode,
    make_id,
    person,
)
from carrier_core.outcomes import Composition, Line
from carrier_core.testing.suites.scene import AGENT_NAME, ANA, BEA, GROUP, LEASE, ME, OTHER, OTHER_AGENT, ROOM, Scene

SECRET = "The code of my door is 4711."
"""What Ana said, wherever it got to."""

HOME = World.of("fake", "home", name="Home")
MODEL = "test/4"

_ANAS = Provenance((AGENT, person(ANA.id)), Audience((ROOM.id,)))
_RAIN = StoredPart("rain", Part("It rains.", "weather", Provenance((OPERATOR,))))
_WORDS = StoredPart("words", Part(SECRET, "recent_messages", _ANAS, "user"))
_PLACES = ((AGENT_NAME, ROOM), (AGENT_NAME, OTHER), (OTHER_AGENT, ROOM), (AGENT_NAME, GROUP))

_replace = msgspec.structs.replace


async def fill(store: Store) -> None:
    """Write rows of every kind, in every state, the same each time: two agents, three rooms; Ana, and Bea in the group."""
    inventory = _Inventory(store)
    await inventory.queue()
    await inventory.finished("robin's", AGENT_NAME, ROOM, _WORDS)
    await inventory.running()
    await inventory.parked()
    await inventory.finished("wren's", OTHER_AGENT, ROOM, StoredPart("wrens", Part("Wrens sing.")))
    await inventory.completed()
    await inventory.finished("overheard", AGENT_NAME, GROUP, _WORDS)
    await inventory.doubtful()
    await inventory.spent()
    await inventory.rest()


class _Inventory:
    def __init__(self, store: Store) -> None:
        self.store, self.journal, self.scene = store, store.journal, Scene()
        self.epochs: dict[tuple[str, str], int] = {}

    async def queue(self) -> None:
        """Six rows in each room, Bea's in the group and Ana's elsewhere; one is discarded."""
        for number in range(1, 7):
            for agent, room in _PLACES:
                text, entity = (f"Nice weather, {number}.", BEA) if room is GROUP else (f"{SECRET} {number}", ANA)
                inbound = Inbound.say(room, entity, text, event=f"{room.native}/{number}", at=float(number), world=HOME)
                await self.journal.append_inbound(agent, room.id, inbound.dedupe_key, encode(inbound))
        for agent, room in _PLACES:
            self.epochs[agent, room.id] = await self.journal.claim_room(agent, room.id, ME, LEASE)
        await self.journal.discard(AGENT_NAME, OTHER.id, (2,), "dropped: rude")

    async def opened(self, name: str, room: Room, inbound: tuple[int, ...], agent: str = AGENT_NAME) -> TurnRecord:
        """A turn that was opened: who spoke and what was said is known."""
        entity = BEA if room is GROUP else ANA
        turn = self.scene.turn(name, inbound, room=room, agent=agent, entity=entity, started=float(len(name)))
        turn = _replace(turn, superseded=tuple(seq - 1 for seq in inbound if seq == 4))
        said = self.scene.memory(
            "Nice weather." if room is GROUP else SECRET, key=name, room=room, agent=agent, entity=entity
        )
        connection = Connection(entity, _replace(room, world=HOME.id), HOME)
        await self.journal.open_turn(turn, self.epoch(turn), connection, (said,))
        return turn

    def epoch(self, turn: TurnRecord) -> int:
        return self.epochs[turn.agent, turn.room]

    def composed(self, *parts: StoredPart) -> StepRecord:
        """The step ``compose/1`` of a turn that had these parts."""
        digests = tuple(part.digest for part in parts)
        return self.step("compose/1", Composition(digests, (Line("user", digests),)))

    def answered(self) -> StepRecord:
        """The step ``generate/1`` of a turn in which Ana's words were read."""
        return self.step("generate/1", Completion((Part(f"You said: {SECRET}", provenance=_ANAS),)))

    def step(self, name: str, value: msgspec.Struct) -> StepRecord:
        return _replace(self.scene.step(name), value=msgspec.Raw(encode(value)))

    def reply(self, turn: TurnRecord, *, state: Sending, number: int = 0) -> Outgoing:
        """A part of a reply that repeats Ana's words."""
        post = _replace(self.scene.post(turn, number), content=(Part(f"You said: {SECRET}", provenance=_ANAS),))
        return Outgoing(post, state, attempts=number)

    async def finished(self, name: str, agent: str, room: Room, part: StoredPart) -> None:
        """A turn that is over, with everything that a turn can have."""
        turn = await self.opened(name, room, (1,), agent)
        steps = (self.composed(_RAIN, part), self.answered())
        await self.journal.record_steps(turn, self.epoch(turn), steps, (_RAIN, part))
        post = self.reply(turn, state=Sending.WAITING)
        outcome = Outcome(Status.REPLIED, Reply(post.part.content), usage=Usage(9, 3))
        said = self.scene.memory(SECRET, key=f"reply to {name}", room=room, agent=agent, by_agent=True)
        said = _replace(said, provenance=_ANAS, turn=turn.id)
        whole = _replace(
            turn,
            outcome=outcome,
            steps=steps,
            ran=(Ran("compose/1", "provide_state", "weather", 1.25, "answered", SECRET),),
            memories=(said.id,),
            parts=(_RAIN.digest, part.digest),
            duration_ms=7.5,
        )
        await self.journal.complete(whole, self.epoch(turn), (said,), (), (post,))
        sent = _replace(post, state=Sending.SENT, attempts=1, at=8.5, native="n1")
        await self.journal.finish(whole, self.epoch(turn), (), (sent,))

    async def running(self) -> None:
        """A turn that is about to act, for the second time."""
        turn = await self.opened("runs", OTHER, (3,))
        await self.journal.record_steps(turn, self.epoch(turn), (self.composed(_WORDS), self.answered()))
        await self.journal.begin_step(turn, self.epoch(turn), self.scene.intent(turn, "act/1/0", what=SECRET))
        for _ in range(2):
            await self.journal.activate(turn, self.epoch(turn))

    async def parked(self) -> None:
        """A turn that waits, its question being under way."""
        turn = await self.opened("waits", ROOM, (2,))
        parking, waits = self.scene.parking(turn), _replace(turn, outcome=Outcome(Status.PARKED))
        asked = self.reply(turn, state=Sending.SENDING, number=1)
        await self.journal.park(waits, self.epoch(turn), parking, (self.answered(),), outbox=(asked,))

    async def completed(self) -> None:
        """A turn whose reply is to be delivered."""
        turn = await self.opened("ends", ROOM, (4,))
        posts = tuple(
            self.reply(turn, state=state, number=n) for n, state in enumerate((Sending.DEAD, Sending.WAITING))
        )
        ended = _replace(turn, outcome=Outcome(Status.REPLIED, Reply(posts[0].part.content)))
        await self.journal.complete(ended, self.epoch(turn), (), (), posts)

    async def doubtful(self) -> None:
        """A turn of Bea's that has read Ana's words and did something that nobody knows about."""
        turn = await self.opened("doubts", GROUP, (5,))
        intent = self.scene.intent(turn, "act/1/0", what="Send a letter.")
        await self.journal.begin_step(turn, self.epoch(turn), intent, (self.composed(_RAIN, _WORDS), self.answered()))
        done = self.scene.step("act/1/0", "It may have been sent.", in_doubt=True)
        await self.journal.record_steps(turn, self.epoch(turn), (done,))

    async def spent(self) -> None:
        """A call of each agent that was settled, and three that were not: of Ana, of Bea, and of nobody."""
        ana, bea, nobody = ANA.id, BEA.id, ""
        for number, (agent, who, settled) in enumerate(
            [
                (AGENT_NAME, ana, 1),
                (OTHER_AGENT, bea, 1),
                (AGENT_NAME, ana, 0),
                (AGENT_NAME, bea, 0),
                (AGENT_NAME, nobody, 0),
            ]
        ):
            bounds = (
                Charge(("host", ""), "2027-01-31", 100_000, 9_000_000, 9_999_999_999.5),
                *[Charge(("person", agent, who), "2027-01", None, 5_000_000, 9_999_999_999.0) for _ in who[:1]],
            )
            use = Charge(("use", agent, who, "test", "large"), "2027-01-31")
            key = make_id("call", str(number))
            assert await self.journal.hold(Hold(key, (*bounds, use), Usage(900, 100, cost=70_000), 3.25)) == ()
            if settled:
                await self.journal.settle((Settlement(key, (*bounds, use), Usage(800, 12, 300, 1, 50, 41_000)),))

    async def rest(self) -> None:
        """What belongs to no turn: schedules, facts, vectors."""
        await self.journal.schedule(self.scene.schedule("z", 500.0))
        await self.journal.schedule(self.scene.schedule("a", 700.0, room=GROUP, agent=OTHER_AGENT, entity=BEA))
        facts = (
            self.scene.memory(SECRET, key="fact", kind=MemoryKind.FACT),
            self.scene.memory("Bea keeps bees.", key="bees", kind=MemoryKind.FACT, room=GROUP, entity=BEA),
            self.scene.memory("A wren is a bird.", key="bird", kind=MemoryKind.DOCUMENT, agent=OTHER_AGENT, entity=BEA),
        )
        await self.store.memory.put(facts)
        await self.store.memory.put((_replace(facts[1], content=(Part("Bea kept bees."),)),))
        await self.store.memory.forget((make_id("memory", "reply to overheard"),))
        waiting = await self.store.memory.unembedded(MODEL, limit=99)
        if waiting:
            await self.store.memory.embed(MODEL, tuple((memory.id, _vector(memory.id)) for memory in waiting))


def _vector(key: str) -> tuple[float, ...]:
    """A vector of numbers that any number of bits holds exactly; one in eight memories has nothing to embed."""
    bits = int(key, 16)
    return tuple(0.5 if bits >> place & 1 else -1.0 for place in range(4)) if bits & 7 else ()
