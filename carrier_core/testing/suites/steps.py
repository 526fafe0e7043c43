"""What every journal keeps of a turn under way: its steps, how often it was begun, its effects, and its waiting."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from carrier_core import Part, Queued, Status, StepRecord, Store, StoredPart
from carrier_core.testing.suites.scene import AGENT_NAME, LEASE, ME, OTHER_AGENT, ROOM, Scene, exported, plain


class StepLaws:
    """Laws of the journal about steps, intents and parking; a part of ``StoreConformance``."""

    @pytest.mark.anyio
    async def test_a_step_is_recorded_once(self, store: Store) -> None:
        """Steps are kept in the order in which they were recorded; one that is there stays, and is what recording it again
        returns."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        turn, other = scene.turn("1"), scene.turn("2")
        await journal.open_turn(turn, epoch, None, ())
        await journal.open_turn(other, epoch, None, ())
        first = tuple(scene.step(name, f"first {name}") for name in ("open", "decide", "generate/1", "act/1/0"))
        again = tuple(scene.step(name, f"second {name}") for name in ("act/1/0", "settle", "decide"))
        assert plain(await journal.record_steps(turn, epoch, first[:2])) == plain(first[:2])
        assert plain(await journal.record_steps(turn, epoch, first[2:])) == plain(first[2:])
        expected = (first[3], again[1], first[1])
        assert plain(await journal.record_steps(turn, epoch, again)) == plain(expected)
        made: list[StepRecord] = []

        async def record(number: int) -> None:
            made.extend(await journal.record_steps(turn, epoch, (scene.step("reflect", str(number)),)))

        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(record, number)
        assert len({msgspec.json.encode(step.value) for step in made}) == 1, "all are told the same record"
        kept = [*first, again[1], made[0]]
        for found in (
            await journal.turn(turn.id),
            *[opened.record for opened in [await journal.reopen(turn.id)] if opened],
        ):
            assert found is not None
            assert plain(found.steps) == plain(kept)
        assert plain(await journal.record_steps(other, epoch, again[:1])) == plain(again[:1]), (
            "steps are each turn's own"
        )

    @pytest.mark.anyio
    async def test_what_a_step_brings_is_stored_with_it(self, store: Store) -> None:
        """Prompt parts and memories are stored with the step that brings them, however it is written down."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        turn = scene.turn("1")
        await journal.open_turn(turn, epoch, None, ())
        parts = [StoredPart(f"d{number}", Part(str(number))) for number in range(3)]
        facts = [scene.memory(str(number)) for number in range(3)]
        await journal.record_steps(turn, epoch, (scene.step("s0"),), (parts[0],), (facts[0],))
        intent = scene.intent(turn, "act/1/0")
        await journal.begin_step(turn, epoch, intent, (scene.step("s1"),), (parts[1],), (facts[1],))
        await journal.park(turn, epoch, scene.parking(turn), (scene.step("s2"),), (parts[2],), (facts[2],))
        found = await journal.turn(turn.id)
        assert found is not None
        assert [step.name for step in found.steps] == ["s0", "s1", "s2"]
        assert await journal.parts(("d0", "d1", "d2")) == tuple(parts)
        assert await store.memory.get(tuple(fact.id for fact in facts)) == tuple(facts)

    @pytest.mark.anyio
    async def test_steps_stay_until_the_record_has_them(self, store: Store) -> None:
        """Until a turn is finished its steps are those that were recorded, then those of its record, whatever was given
        before."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        recorded, given = (scene.step("decide", "recorded"),), (scene.step("decide", "given"), scene.step("settle"))
        with_steps = msgspec.structs.replace(scene.turn("1"), steps=given)
        await journal.open_turn(with_steps, epoch, None, ())
        await journal.record_steps(with_steps, epoch, recorded)
        found = []
        await journal.park(with_steps, epoch, scene.parking(with_steps))
        found.append(await journal.turn(with_steps.id))
        await journal.complete(with_steps, epoch, (), (), ())
        found.append(await journal.turn(with_steps.id))
        await journal.finish(with_steps, epoch, (), ())
        found.append(await journal.turn(with_steps.id))
        steps = [turn.steps for turn in found if turn is not None]
        assert plain(steps) == plain([recorded, recorded, given])

    @pytest.mark.anyio
    async def test_progress_resets_the_count_of_activations(self, store: Store) -> None:
        """Each time that a turn is begun counts, its opening first; from a newly recorded step on it is counted anew."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        turn, other = scene.turn("1"), scene.turn("2")
        await journal.open_turn(turn, epoch, None, ())
        await journal.open_turn(other, epoch, None, ())
        assert await self._activations(store, turn.id) == 1
        assert [await journal.activate(turn, epoch) for _ in range(3)] == [2, 3, 4]
        assert await self._activations(store, turn.id) == 4
        await journal.record_steps(turn, epoch, (scene.step("decide"),))
        assert [await journal.activate(turn, epoch) for _ in range(2)] == [1, 2]
        await journal.record_steps(turn, epoch, (scene.step("decide"),))
        assert await journal.activate(turn, epoch) == 3, "a step that was there is no progress"
        await journal.begin_step(turn, epoch, scene.intent(turn, "act/1/0"))
        assert await journal.activate(turn, epoch) == 4, "an intent is no progress"
        await journal.begin_step(turn, epoch, scene.intent(turn, "act/1/1"), (scene.step("act/1/0"),))
        assert await journal.activate(turn, epoch) == 1
        assert await self._activations(store, other.id) == 1

    # --- effects ---

    @pytest.mark.anyio
    async def test_an_intent_goes_when_its_step_is_recorded(self, store: Store) -> None:
        """An intent is written down once, under its key, and found with its turn; recording its step removes it."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        turn, other = scene.turn("1"), scene.turn("2")
        await journal.open_turn(turn, epoch, None, ())
        await journal.open_turn(other, epoch, None, ())
        one, two = (scene.intent(turn, step, what="Send a letter.") for step in ("act/1/0", "act/1/1"))
        alike = scene.intent(other, "act/1/0")
        for intent in (one, two):
            assert await journal.begin_step(turn, epoch, intent) == intent
        assert await journal.begin_step(other, epoch, alike) == alike
        later = msgspec.structs.replace(one, at=50.0, deadline=80.0)
        assert await journal.begin_step(turn, epoch, later) == one, "the first one counts"
        assert {*await self._intents(store, turn.id)} == {one, two}
        await journal.record_steps(turn, epoch, (scene.step("act/1/0"), scene.step("unrelated")))
        assert await self._intents(store, turn.id) == (two,)
        await journal.begin_step(turn, epoch, scene.intent(turn, "act/2/0"), (scene.step("act/1/1"),))
        assert await self._intents(store, turn.id) == (scene.intent(turn, "act/2/0"),)
        assert await self._intents(store, other.id) == (alike,), "a step of that name of another turn is another step"
        assert await journal.doubts() == ()

    @pytest.mark.anyio
    async def test_a_turn_that_ends_intends_nothing(self, store: Store) -> None:
        """When a turn ends its intents go, whatever they were for, but those in doubt stay, and so do those of others."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        turn, other = scene.turn("1"), scene.turn("2")
        await journal.open_turn(turn, epoch, None, ())
        await journal.open_turn(other, epoch, None, ())
        sent, planned = scene.intent(turn, "act/1/0"), scene.intent(turn, "act/1/1")
        theirs = scene.intent(other, "act/1/1")
        await journal.begin_step(turn, epoch, sent)
        await journal.record_steps(turn, epoch, (scene.step("act/1/0", in_doubt=True),))
        await journal.begin_step(turn, epoch, planned)
        await journal.begin_step(other, epoch, theirs)
        doubt = msgspec.structs.replace(sent, in_doubt=True)
        assert {*await self._intents(store, turn.id)} == {doubt, planned}
        await journal.complete(scene.turn("1", (), Status.STOPPED), epoch, (), (), ())
        assert await self._intents(store, turn.id) == (doubt,)
        assert await self._intents(store, other.id) == (theirs,)
        await journal.finish(scene.turn("1", (), Status.STOPPED), epoch, (), ())
        assert await journal.doubts() == (doubt,)

    @pytest.mark.anyio
    async def test_an_effect_in_doubt_waits_for_a_person(self, store: Store) -> None:
        """An effect of which nobody knows whether it happened is listed, the oldest first, until a person has settled it,
        whatever becomes of its turn."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        elsewhere = await journal.claim_room(OTHER_AGENT, ROOM.id, ME, LEASE)
        turn, other = scene.turn("1"), scene.turn("2", agent=OTHER_AGENT)
        await journal.open_turn(turn, epoch, None, ())
        await journal.open_turn(other, elsewhere, None, ())
        late, soon = scene.intent(turn, "act/1/0", at=9.0, what="Send a letter."), scene.intent(turn, "act/1/1", at=3.0)
        clear, theirs = scene.intent(turn, "act/1/2"), scene.intent(other, "act/1/0", at=6.0)
        for intent in (late, soon, clear):
            await journal.begin_step(turn, epoch, intent)
        await journal.begin_step(other, elsewhere, theirs)
        await journal.record_steps(turn, epoch, tuple(scene.step(i.step, in_doubt=True) for i in (late, soon)))
        await journal.record_steps(other, elsewhere, (scene.step("act/1/0", in_doubt=True),))
        late, soon, theirs = (msgspec.structs.replace(intent, in_doubt=True) for intent in (late, soon, theirs))
        assert await journal.doubts() == (soon, theirs, late)
        assert await journal.doubts(agent=AGENT_NAME) == (soon, late)
        assert await journal.settle_doubt(clear.key) is False, "it is not in doubt"
        assert {*await self._intents(store, turn.id)} == {late, soon, clear}
        await journal.park(turn, epoch, scene.parking(turn))
        assert {*await self._intents(store, turn.id)} == {late, soon}
        await journal.complete(scene.turn("1", (), Status.SILENT), epoch, (), (), ())
        await journal.finish(scene.turn("1", (), Status.SILENT), epoch, (), ())
        assert await journal.doubts() == (soon, theirs, late)
        assert [await journal.settle_doubt(key) for key in (soon.key, soon.key, "unknown")] == [True, False, False]
        assert await journal.doubts() == (theirs, late)

    # --- parking ---

    @pytest.mark.anyio
    async def test_a_parked_turn_leaves_the_queue(self, store: Store) -> None:
        """A turn that waits is no work, its question is delivered, what it was about to do is off, and it is listed by the
        end of its waiting."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        parkings = []
        for number, until in enumerate((300.0, 100.0, 200.0)):
            turn = scene.turn(str(number))
            await journal.open_turn(turn, epoch, None, ())
            await journal.begin_step(turn, epoch, scene.intent(turn, "act/1/0"))
            question, parking = scene.sending(turn), scene.parking(turn, until=until)
            waits = scene.turn(str(number), (), Status.PARKED)
            for _ in range(2):
                await journal.park(waits, epoch, parking, (scene.step("generate/1"),), (), (), (question,))
            parkings.append(parking)
            work = await journal.work(AGENT_NAME, ROOM.id)
            assert (work.turns, work.outbox[-1], len(work.outbox)) == ((), question, number + 1)
            found = await journal.reopen(turn.id)
            assert found is not None
            assert (found.parking, found.intents, found.record.outcome.status) == (parking, (), Status.PARKED)
            assert not found.completed
        assert await journal.parked() == (parkings[1], parkings[2], parkings[0])

    @pytest.mark.anyio
    async def test_an_answer_lets_a_parked_turn_run_on(self, store: Store) -> None:
        """The answer is recorded as the step that was waited for and its row is taken; the turn runs on, and a second answer
        finds nobody waiting."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        seqs = [(await journal.append_inbound(*here, f"e{n}", scene.payload(str(n)))).seq for n in range(3)]
        epoch = await journal.claim_room(*here, ME, LEASE)
        turn = scene.turn("1", (seqs[0],))
        await journal.open_turn(turn, epoch, None, ())
        await journal.park(scene.turn("1", (seqs[0],), Status.PARKED), epoch, scene.parking(turn))
        answer, second = scene.step("ask/1", "Yes."), scene.step("ask/1", "No.")
        assert await journal.unpark(turn, epoch, answer, seqs[1]) is True
        assert await journal.parked() == ()
        work = await journal.work(*here)
        assert (work.turns, [row.seq for row in work.rows]) == ((turn.id,), [seqs[2]])
        assert await journal.unpark(turn, epoch, second, seqs[2]) is False
        assert (await journal.work(*here)).rows == (), "nobody will ever wait for that row"
        found = await journal.turn(turn.id)
        assert found is not None
        assert (found.outcome.status, plain(found.steps)) == (Status.RUNNING, plain([answer]))
        rows = {row.seq: row for row in await exported(store) if isinstance(row, Queued)}
        assert [(rows[seq].turn, bool(rows[seq].discarded)) for seq in seqs] == [
            (turn.id, False),
            (turn.id, False),
            ("", True),
        ]
        assert await journal.activate(turn, epoch) == 1, "an answer is progress"

    @pytest.mark.anyio
    async def test_an_answer_to_another_question_is_nobodys(self, store: Store) -> None:
        """Where a turn waits for another step, for none or is not there, an answer changes nothing but that its row is
        discarded; the time may run out without any row."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        epoch = await journal.claim_room(*here, ME, LEASE)
        turn, runs = scene.turn("1"), scene.turn("2")
        waits = scene.turn("1", (), Status.PARKED)
        await journal.open_turn(turn, epoch, None, ())
        await journal.open_turn(runs, epoch, None, ())
        await journal.park(waits, epoch, scene.parking(turn, "ask/2"))
        for number, (who, step) in enumerate(((turn, "ask/1"), (runs, "ask/1"), (scene.turn("unknown"), "ask/2"))):
            seq = (await journal.append_inbound(*here, f"e{number}", scene.payload("Yes."))).seq
            assert await journal.unpark(who, epoch, scene.step(step), seq) is False
            assert (await journal.work(*here)).rows == ()
        assert await journal.parked() == (scene.parking(turn, "ask/2"),)
        assert await journal.turn(turn.id) == waits
        assert await journal.turn(runs.id) == runs
        assert await journal.unpark(turn, epoch, scene.step("ask/2")) is True
        assert await journal.parked() == ()

    @pytest.mark.anyio
    async def test_a_parked_turn_may_end(self, store: Store) -> None:
        """A turn that waits can be ended where it is: then it waits no more, and an answer comes too late."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        turn, stopped = scene.turn("1"), scene.turn("1", (), Status.STOPPED)
        await journal.open_turn(turn, epoch, None, ())
        await journal.park(turn, epoch, scene.parking(turn))
        await journal.complete(stopped, epoch, (), (), ())
        assert await journal.parked() == ()
        assert (await journal.work(AGENT_NAME, ROOM.id)).turns == (turn.id,)
        assert await journal.unpark(turn, epoch, scene.step("ask/1")) is False
        await journal.park(turn, epoch, scene.parking(turn))
        assert await journal.parked() == (), "what has ended does not wait"
        assert await journal.turn(turn.id) == stopped

    async def _activations(self, store: Store, turn: str) -> int:
        found = await store.journal.reopen(turn)
        assert found is not None
        return found.activations

    async def _intents(self, store: Store, turn: str) -> tuple[object, ...]:
        found = await store.journal.reopen(turn)
        assert found is not None
        return found.intents
