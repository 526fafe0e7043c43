"""What every journal keeps."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from carrier_core import (
    Fenced,
    Memory,
    Part,
    Ran,
    Receipt,
    Status,
    StepRecord,
    Store,
    StoredPart,
    Usage,
)
from carrier_core.testing.suites.scene import AGENT_NAME, ANA, BEA, OTHER, ROOM, Scene


class JournalLaws:
    """The laws of the journal; a part of ``StoreConformance``."""

    # --- inbound ---

    @pytest.mark.anyio
    async def test_an_event_is_appended_once(self, store: Store) -> None:
        """An inbound whose key the agent has had is not appended again; it is told the first one's number."""
        first = await store.journal.append_inbound(AGENT_NAME, ROOM.id, "event", b"first")
        assert first.is_new
        again = await store.journal.append_inbound(AGENT_NAME, ROOM.id, "event", b"second")
        assert (again.seq, again.is_new) == (first.seq, False)
        new: list[bool] = []

        async def append() -> None:
            new.append((await store.journal.append_inbound(AGENT_NAME, ROOM.id, "other", b"x")).is_new)

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(append)
        assert new.count(True) == 1, "of the same event at one time exactly one is new"
        rows = await store.journal.pending(AGENT_NAME, ROOM.id)
        assert [row.payload for row in rows] == [b"first", b"x"]

    @pytest.mark.anyio
    async def test_every_agent_hears_the_same_event(self, store: Store) -> None:
        """Repetitions are told by agent and key: two agents in one room both hear an event."""
        one = await store.journal.append_inbound(AGENT_NAME, ROOM.id, "event", b"x")
        two = await store.journal.append_inbound("wren", ROOM.id, "event", b"x")
        assert (one.is_new, two.is_new) == (True, True)

    @pytest.mark.anyio
    async def test_numbers_follow_the_order_of_arrival(self, store: Store) -> None:
        """Rows that arrive together get rising numbers in the order in which they arrived, in each room by itself."""
        seqs: dict[str, dict[int, int]] = {ROOM.id: {}, OTHER.id: {}}

        async def append(room: str, number: int) -> None:
            payload = b"%d" % number
            appended = await store.journal.append_inbound(AGENT_NAME, room, f"{room}/{number}", payload)
            seqs[room][number] = appended.seq

        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(append, (ROOM.id, OTHER.id)[number % 2], number)
        for room, found in seqs.items():
            numbers = [found[number] for number in sorted(found)]
            assert numbers == sorted({*numbers}), f"the numbers in a room do not rise: {numbers}"
            rows = await store.journal.pending(AGENT_NAME, room)
            assert [row.seq for row in rows] == numbers
            assert [int(row.payload) for row in rows] == sorted(found)

    @pytest.mark.anyio
    async def test_a_payload_comes_back_byte_for_byte(self, store: Store) -> None:
        """Payloads are opaque: any bytes, a megabyte of them too, come back as they were."""
        payloads = [b"", b"\x00\xff\xfe", "🌊".encode(), bytes(range(256)) * 4096]
        for number, payload in enumerate(payloads):
            await store.journal.append_inbound(AGENT_NAME, ROOM.id, f"event {number}", payload)
        rows = await store.journal.pending(AGENT_NAME, ROOM.id)
        same = [row.payload for row in rows] == payloads  # compared here: showing how a megabyte differs takes minutes
        assert same, "a payload came back changed"

    @pytest.mark.anyio
    async def test_a_room_is_ready_until_its_rows_are_taken(self, store: Store) -> None:
        """A room is ready while it has rows that no turn has taken and that were not discarded."""
        journal, scene = store.journal, Scene()
        assert await journal.ready() == ()
        seqs = [(await journal.append_inbound(AGENT_NAME, ROOM.id, f"e{n}", b"x")).seq for n in range(3)]
        await journal.append_inbound(AGENT_NAME, OTHER.id, "elsewhere", b"x")
        assert {*await journal.ready()} == {(AGENT_NAME, ROOM.id), (AGENT_NAME, OTHER.id)}
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        await journal.open_turn(scene.turn("1", (seqs[0],)), epoch, None, ())
        assert [row.seq for row in await journal.pending(AGENT_NAME, ROOM.id)] == seqs[1:]
        await journal.discard(AGENT_NAME, ROOM.id, (seqs[1], seqs[2]), "an edit")
        assert await journal.pending(AGENT_NAME, ROOM.id) == ()
        assert await journal.ready() == ((AGENT_NAME, OTHER.id),)

    # --- whose a room is ---

    @pytest.mark.anyio
    async def test_every_claim_has_a_higher_epoch(self, store: Store) -> None:
        """Each claim of a room has a higher epoch than all before."""
        epochs = [await store.journal.claim_room(AGENT_NAME, ROOM.id, owner) for owner in ("me", "you", "me")]
        assert epochs == sorted({*epochs})

    @pytest.mark.anyio
    async def test_a_stale_epoch_writes_nothing(self, store: Store) -> None:
        """Whoever lost a room to another owner is Fenced out of it, and nothing of what they bring is stored."""
        journal, scene = store.journal, Scene()
        seq = (await journal.append_inbound(AGENT_NAME, ROOM.id, "event", b"x")).seq
        stale = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "you")
        running, ended = scene.turn("1", (seq,)), scene.turn("1", (seq,), Status.REPLIED)
        lost = scene.memory("lost")
        with pytest.raises(Fenced):
            await journal.open_turn(running, stale, scene.connection(), (lost,))
        assert await journal.turn(running.id) is None
        assert await store.memory.participants(ROOM.id) == ()
        assert len(await journal.pending(AGENT_NAME, ROOM.id)) == 1
        await journal.open_turn(running, epoch, None, ())
        with pytest.raises(Fenced):
            await journal.complete(ended, stale, (lost,), (StoredPart("aa", Part("x")),), (scene.post(ended),))
        assert [turn.id for turn in await journal.unfinished()] == [running.id]
        assert await journal.parts(("aa",)) == ()
        await journal.complete(ended, epoch, (), (), ())
        with pytest.raises(Fenced):
            await journal.finish(msgspec.structs.replace(ended, duration_ms=7.0), stale, (lost,), ())
        assert await journal.turn(ended.id) == ended
        assert await store.memory.get((lost.id,)) == ()

    # --- turns ---

    @pytest.mark.anyio
    async def test_a_turn_is_opened_once(self, store: Store) -> None:
        """Opening a turn stores who spoke and what was said, and tells of a newcomer; opening it again changes nothing."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        said, never = scene.memory("said"), scene.memory("never")
        turn = scene.turn("1")
        assert await journal.open_turn(turn, epoch, scene.connection(), (said,)) is True
        assert await journal.open_turn(turn, epoch, scene.connection(BEA), (never,)) is False
        assert await store.memory.get((said.id, never.id)) == (said,)
        assert [entity.id for entity in await store.memory.participants(ROOM.id)] == [ANA.id]
        assert await journal.open_turn(scene.turn("2"), epoch, scene.connection(), ()) is False, "Ana is no newcomer"

    @pytest.mark.anyio
    async def test_a_turn_ends_with_all_that_it_brings(self, store: Store) -> None:
        """Completing a turn stores its outcome, its memories and its parts; it is unfinished until then."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        running, ended = scene.turn("1"), scene.turn("1", (), Status.REPLIED)
        await journal.open_turn(running, epoch, None, ())
        assert await journal.unfinished() == (running,)
        said = scene.memory("Hello.", by_agent=True)
        part = StoredPart("aa", Part("It rains.", key="weather"))
        await journal.complete(ended, epoch, (said,), (part,), (scene.post(ended),))
        assert await journal.unfinished() == ()
        assert await journal.turn(ended.id) == ended
        assert await store.memory.get((said.id,)) == (said,)
        assert await journal.parts(("aa",)) == (part,)

    @pytest.mark.anyio
    async def test_a_turn_ends_whole_or_not_at_all(self, store: Store) -> None:
        """Outcome, memories and parts are one transaction: if one of them cannot be stored, none is."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        running, ended = scene.turn("1"), scene.turn("1", (), Status.REPLIED)
        await journal.open_turn(running, epoch, None, ())
        good, bad = scene.memory("good"), scene.memory("a lone surrogate: \ud800")
        try:
            await journal.complete(ended, epoch, (good, bad), (StoredPart("aa", Part("x")),), ())
        except Exception:
            whole = False
        else:
            whole = True
        turn = await journal.turn(ended.id)
        assert turn is not None
        there = [
            turn.outcome.status is Status.REPLIED,
            await journal.unfinished() == (),
            len(await store.memory.get((good.id,))) == 1,
            len(await journal.parts(("aa",))) == 1,
        ]
        assert there == [whole] * 4, f"ended, not unfinished, remembered, part stored: {there}"

    @pytest.mark.anyio
    async def test_completing_again_changes_nothing(self, store: Store) -> None:
        """A turn that has ended stays as it ended."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        ended, other = scene.turn("1", (), Status.REPLIED), scene.turn("1", (), Status.FAILED)
        await journal.open_turn(scene.turn("1"), epoch, None, ())
        await journal.complete(ended, epoch, (), (), ())
        never = scene.memory("never")
        await journal.complete(other, epoch, (never,), (), ())
        assert await journal.turn(ended.id) == ended
        assert await store.memory.get((never.id,)) == ()

    @pytest.mark.anyio
    async def test_finishing_adds_the_trace_and_what_was_learned(self, store: Store) -> None:
        """After the delivery the whole record replaces the first one and what was learned is stored; a receipt for a post
        that there is not is harmless."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        ended = scene.turn("1", (), Status.REPLIED)
        post = scene.post(ended)
        await journal.open_turn(scene.turn("1"), epoch, None, ())
        await journal.complete(ended, epoch, (), (), (post,))
        whole, fact = msgspec.structs.replace(ended, duration_ms=7.0), scene.memory("Ana has a dog.")
        await journal.finish(whole, epoch, (fact,), (Receipt(post.key, "native", 3.0), Receipt("unknown")))
        assert await journal.turn(ended.id) == whole
        assert await store.memory.get((fact.id,)) == (fact,)

    @pytest.mark.anyio
    async def test_a_record_comes_back_whole(self, store: Store) -> None:
        """A turn's record comes back as it was, with values of types that this release does not know."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
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
            seed=2**32 - 1,
            generation=3,
            duration_ms=7.125,
        )
        await journal.open_turn(whole, epoch, None, ())
        await journal.complete(whole, epoch, (), (), ())
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
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
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
        """The latest turns come first, of one agent or room where that is asked for, and no more than the limit."""
        journal, scene = store.journal, Scene()
        for number in range(6):
            room = (ROOM, OTHER)[number % 2]
            epoch = await journal.claim_room(AGENT_NAME, room.id, "me")
            await journal.open_turn(scene.turn(str(number), room=room), epoch, None, ())
        ids = [scene.turn(str(number)).id for number in range(6)]
        assert [turn.id for turn in await journal.turns()] == ids[::-1]
        assert [turn.id for turn in await journal.turns(limit=2)] == [ids[5], ids[4]]
        assert [turn.id for turn in await journal.turns(room=OTHER.id)] == [ids[5], ids[3], ids[1]]
        assert [turn.id for turn in await journal.turns(agent=AGENT_NAME, room=ROOM.id)] == [ids[4], ids[2], ids[0]]
        assert await journal.turns(agent="wren") == ()

    @pytest.mark.anyio
    async def test_a_part_is_stored_once_under_its_hash(self, store: Store) -> None:
        """Parts are kept under their hashes by whichever turn came first, and are given out in the order asked for."""
        journal, scene = store.journal, Scene()
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        first, second, later = (
            StoredPart("aa", Part("one")),
            StoredPart("bb", Part("two")),
            StoredPart("aa", Part("3")),
        )
        for number, parts in enumerate(((first, second), (later,))):
            await journal.open_turn(scene.turn(str(number)), epoch, None, ())
            await journal.complete(scene.turn(str(number), (), Status.SILENT), epoch, (), parts, ())
        assert await journal.parts(("bb", "gone", "aa")) == (second, first)


def texts(memories: tuple[Memory, ...]) -> list[str]:
    """Their texts, in order."""
    return [memory.text for memory in memories]
