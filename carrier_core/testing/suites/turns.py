"""What every journal keeps of the turns: how they begin and end, and how they are found."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import Outgoing, Part, Ran, Sending, Status, StepRecord, Store, StoredPart, Usage
from carrier_core.testing.suites.scene import AGENT_NAME, ANA, BEA, LEASE, ME, OTHER, OTHER_AGENT, ROOM, Scene


class TurnLaws:
    """Laws of the journal about turns; a part of ``StoreConformance``."""

    @pytest.mark.anyio
    async def test_a_turn_is_opened_once(self, store: Store) -> None:
        """Opening a turn stores who spoke and what was said, and tells of a newcomer; opening it again changes nothing."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        said, never = scene.memory("said"), scene.memory("never")
        turn = scene.turn("1")
        assert await journal.open_turn(turn, epoch, scene.connection(), (said,)) is True
        assert await journal.open_turn(turn, epoch, scene.connection(BEA), (never,)) is False
        assert await store.memory.get((said.id, never.id)) == (said,)
        assert [entity.id for entity in await store.memory.participants(ROOM.id)] == [ANA.id]
        assert await journal.open_turn(scene.turn("2"), epoch, scene.connection(), ()) is False, "Ana is no newcomer"

    @pytest.mark.anyio
    async def test_a_turn_ends_with_all_that_it_brings(self, store: Store) -> None:
        """Completing a turn stores its outcome, memories, parts and deliveries, whether or not it was ever opened."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        await journal.open_turn(scene.turn("opened"), epoch, None, ())
        for name in ("opened", "never opened"):
            ended, said = scene.turn(name, (), Status.REPLIED), scene.memory("Hello.", by_agent=True)
            part = StoredPart(name, Part("It rains.", key="weather"))
            await journal.complete(ended, epoch, (said,), (part,), (scene.sending(ended), scene.sending(ended, 1)))
            assert await journal.turn(ended.id) == ended
            assert await store.memory.get((said.id,)) == (said,)
            assert await journal.parts((name,)) == (part,)
            assert await journal.outbox(turn=ended.id) == (scene.sending(ended), scene.sending(ended, 1))

    @pytest.mark.anyio
    async def test_a_turn_ends_whole_or_not_at_all(self, store: Store) -> None:
        """Outcome, memories, parts and deliveries are one transaction: if one of them cannot be stored, none is."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        running, ended = scene.turn("1"), scene.turn("1", (), Status.REPLIED)
        await journal.open_turn(running, epoch, None, ())
        good, bad = scene.memory("good"), scene.memory("a lone surrogate: \ud800")
        try:
            await journal.complete(ended, epoch, (good, bad), (StoredPart("aa", Part("x")),), (scene.sending(ended),))
        except Exception:
            whole = False
        else:
            whole = True
        opened = await journal.reopen(ended.id)
        assert opened is not None
        there = [
            opened.record.outcome.status is Status.REPLIED,
            opened.completed,
            len(await store.memory.get((good.id,))) == 1,
            len(await journal.parts(("aa",))) == 1,
            len(await journal.outbox(turn=ended.id)) == 1,
        ]
        assert there == [whole] * 5, f"ended, completed, remembered, part stored, to be delivered: {there}"

    @pytest.mark.anyio
    async def test_completing_again_changes_nothing(self, store: Store) -> None:
        """A turn that has ended stays as it ended, before and after it was finished."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        ended, other = scene.turn("1", (), Status.REPLIED), scene.turn("1", (), Status.FAILED)
        await journal.open_turn(scene.turn("1"), epoch, None, ())
        await journal.complete(ended, epoch, (), (), (scene.sending(ended),))
        never = scene.memory("never")
        for _ in range(2):
            await journal.complete(other, epoch, (never,), (StoredPart("aa", Part("x")),), (scene.sending(ended, 1),))
            assert await journal.turn(ended.id) == ended
            assert await store.memory.get((never.id,)) == ()
            assert await journal.parts(("aa",)) == ()
            assert await journal.outbox(turn=ended.id) == (scene.sending(ended),)
            await journal.finish(ended, epoch, (), ())
        assert (await journal.work(AGENT_NAME, ROOM.id)).turns == (), "it is finished still"

    @pytest.mark.anyio
    async def test_finishing_adds_the_trace_and_what_was_learned(self, store: Store) -> None:
        """After the delivery the whole record replaces the first one, what was learned is stored, and how far the parts are
        is noted; all that again when more is known. A delivery that there is not is harmless."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        ended = scene.turn("1", (), Status.REPLIED)
        post = scene.sending(ended)
        await journal.open_turn(scene.turn("1"), epoch, None, ())
        await journal.complete(ended, epoch, (), (), (post,))
        failed = msgspec.structs.replace(post, attempts=1, due=9.0, error="away")
        sent = Outgoing(post.part, Sending.SENT, 2, at=11.0, native="n1")
        for number, state in enumerate((failed, sent)):
            whole = msgspec.structs.replace(ended, duration_ms=7.0 + number, steps=(scene.step("settle", str(number)),))
            fact = scene.memory(f"Ana has {number} dogs.")
            await journal.finish(whole, epoch, (fact,), (state, scene.sending(scene.turn("unknown"))))
            found = await journal.turn(ended.id)
            assert found is not None
            assert (found.duration_ms, [*map(_value, found.steps)]) == (whole.duration_ms, [*map(_value, whole.steps)])
            assert await store.memory.get((fact.id,)) == (fact,)
            assert await journal.outbox() == (state,)

    @pytest.mark.anyio
    async def test_only_a_turn_that_has_ended_is_finished(self, store: Store) -> None:
        """Finishing a turn that runs, waits or is unknown leaves its record as it is."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        runs, waits = scene.turn("runs"), scene.turn("waits", (), Status.PARKED)
        await journal.open_turn(runs, epoch, None, ())
        await journal.open_turn(scene.turn("waits"), epoch, None, ())
        await journal.park(waits, epoch, scene.parking(waits))
        for name in ("runs", "waits", "unknown"):
            await journal.finish(scene.turn(name, (), Status.REPLIED), epoch, (), ())
        assert await journal.turn(runs.id) == runs
        assert await journal.turn(waits.id) == waits
        assert await journal.turn(scene.turn("unknown").id) is None
        assert (await journal.work(AGENT_NAME, ROOM.id)).turns == (runs.id,)
        assert [parking.turn for parking in await journal.parked()] == [waits.id]

    @pytest.mark.anyio
    async def test_a_turn_is_gone_on_with_where_it_was(self, store: Store) -> None:
        """A turn comes back by its exact id with its rows, steps, intents and parking, at every stage: it may be asked for
        after its end too, as long as its reply is not delivered."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        seqs = [(await journal.append_inbound(*here, f"e{n}", scene.payload(str(n)))).seq for n in range(3)]
        rows = (await journal.work(*here)).rows
        epoch = await journal.claim_room(*here, ME, LEASE)
        turn = scene.turn("1", (seqs[0], seqs[1]))
        intent, parking = scene.intent(turn, "act/1/0"), scene.parking(turn)
        await journal.open_turn(turn, epoch, None, ())
        stages = []
        for stage in range(6):
            if stage == 1:
                await journal.begin_step(turn, epoch, intent, (scene.step("decide"),))
            elif stage == 2:
                await journal.park(scene.turn("1", turn.inbound, Status.PARKED), epoch, parking)
            elif stage == 3:
                await journal.unpark(turn, epoch, scene.step("ask/1"), seqs[2])
            elif stage == 4:
                await journal.complete(scene.turn("1", turn.inbound, Status.SILENT), epoch, (), (), ())
            elif stage == 5:
                await journal.finish(scene.turn("1", turn.inbound, Status.SILENT), epoch, (), ())
            found = await journal.reopen(turn.id)
            assert found is not None
            assert tuple(row for row in found.inbound if row.seq in turn.inbound) == rows[:2]
            steps = [step.name for step in found.record.steps]
            stages.append((found.record.outcome.status, steps, found.intents, found.parking, found.completed))
        assert stages == [
            (Status.RUNNING, [], (), None, False),
            (Status.RUNNING, ["decide"], (intent,), None, False),
            (Status.PARKED, ["decide"], (), parking, False),
            (Status.RUNNING, ["decide", "ask/1"], (), None, False),
            (Status.SILENT, ["decide", "ask/1"], (), None, True),
            (Status.SILENT, [], (), None, True),
        ]
        assert await journal.reopen(turn.id[:8]) is None, "a beginning is not enough"
        assert await journal.reopen(scene.turn("unknown").id) is None

    @pytest.mark.anyio
    async def test_a_record_comes_back_whole(self, store: Store) -> None:
        """A turn's record comes back as it was, with values of types that this release does not know."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        unknown = msgspec.Raw(b'{"type":"dream","v":9,"data":{"colour":"blue","depth":[1,2.5,null]}}')
        turn = scene.turn("1", (3, 4), Status.REPLIED)
        outcome = msgspec.structs.replace(turn.outcome, usage=Usage(5, 6, 1, 2), reason="olá 🌊")
        whole = msgspec.structs.replace(
            turn,
            outcome=outcome,
            steps=(StepRecord("generate/1", 2.0, 3.5, unknown), StepRecord("settle", 4.0, 0.5)),
            ran=(Ran("compose/1", "provide_state", "weather", 1.25, "answered", "It rains."),),
            memories=("m1", "m2"),
            parts=("aa", "bb"),
            superseded=(1, 2),
            seed=2**32 - 1,
            generation=3,
            duration_ms=7.125,
        )
        await journal.open_turn(whole, epoch, None, ())
        await journal.complete(whole, epoch, (), (), ())
        await journal.finish(whole, epoch, (), ())
        found = await journal.turn(whole.id)
        assert found is not None
        values = [msgspec.json.decode(step.value) for step in found.steps]
        assert values == [msgspec.json.decode(unknown), None]
        bare = [msgspec.structs.replace(each, steps=()) for each in (found, whole)]
        assert bare[0] == bare[1]
        assert [(step.name, step.at, step.duration_ms) for step in found.steps] == [
            ("generate/1", 2.0, 3.5),
            ("settle", 4.0, 0.5),
        ]

    @pytest.mark.anyio
    async def test_a_turn_is_found_by_a_unique_beginning(self, store: Store) -> None:
        """A beginning of an id finds its turn if no other begins so; no beginning at all finds none."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        ids = ["abc111", "abc222", "def"]
        for key in ids:
            await journal.open_turn(msgspec.structs.replace(scene.turn(key), id=key), epoch, None, ())
        found = {wanted: await journal.turn(wanted) for wanted in ("abc1", "def", "d", "abc", "", "zz", "%", "*")}
        assert {wanted: turn.id for wanted, turn in found.items() if turn is not None} == {
            "abc1": "abc111",
            "def": "def",
            "d": "def",
        }

    @pytest.mark.anyio
    async def test_turns_are_listed_the_newest_first(self, store: Store) -> None:
        """The latest turns come first, of one agent, room or status where that is asked for, and no more than the limit."""
        journal, scene = store.journal, Scene()
        for number in range(6):
            room = (ROOM, OTHER)[number % 2]
            epoch = await journal.claim_room(AGENT_NAME, room.id, ME, LEASE)
            turn = scene.turn(str(number), room=room)
            await journal.open_turn(turn, epoch, None, ())
            if number == 3:
                await journal.park(scene.turn("3", (), Status.PARKED, room=room), epoch, scene.parking(turn))
            if number > 3:
                await journal.complete(scene.turn(str(number), (), Status.SILENT, room=room), epoch, (), (), ())
            if number == 5:
                await journal.finish(scene.turn(str(number), (), Status.FAILED, room=room), epoch, (), ())
        ids = [scene.turn(str(number)).id for number in range(6)]
        assert [turn.id for turn in await journal.turns()] == ids[::-1]
        assert [turn.id for turn in await journal.turns(limit=2)] == [ids[5], ids[4]]
        assert [turn.id for turn in await journal.turns(room=OTHER.id)] == [ids[5], ids[3], ids[1]]
        assert [turn.id for turn in await journal.turns(agent=AGENT_NAME, room=ROOM.id)] == [ids[4], ids[2], ids[0]]
        assert await journal.turns(agent=OTHER_AGENT) == ()
        wanted = {"running": [2, 1, 0], "parked": [3], "silent": [4], "failed": [5], "replied": []}
        for status, numbers in wanted.items():
            assert [turn.id for turn in await journal.turns(status=status)] == [ids[number] for number in numbers]
        assert [turn.id for turn in await journal.turns(room=ROOM.id, status="running", limit=1)] == [ids[2]]
        assert [turn.id for turn in await journal.turns(agent=AGENT_NAME, status="silent")] == [ids[4]]

    @pytest.mark.anyio
    async def test_a_part_is_stored_once_under_its_hash(self, store: Store) -> None:
        """Parts are kept under their hashes by whichever turn came first, and are given out in the order asked for."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        first, second, later = (
            StoredPart("aa", Part("one")),
            StoredPart("bb", Part("two")),
            StoredPart("aa", Part("3")),
        )
        for number, parts in enumerate(((first, second), (later,))):
            await journal.open_turn(scene.turn(str(number)), epoch, None, ())
            await journal.complete(scene.turn(str(number), (), Status.SILENT), epoch, (), parts, ())
        assert await journal.parts(("bb", "gone", "aa")) == (second, first)


def _value(step: StepRecord) -> object:
    """A step without the layout of the raw JSON in it, to be compared."""
    return msgspec.json.decode(msgspec.json.encode(step))
