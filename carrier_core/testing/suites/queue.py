"""What every journal keeps: inbound rows, whose a room is, and what is to be done in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import msgspec
import pytest

from carrier_core import Fenced, InboundRow, Part, Queued, Sending, Status, Store, StoredPart, Unavailable
from carrier_core.testing.suites.scene import (
    AGENT_NAME,
    LEASE,
    ME,
    OTHER,
    OTHER_AGENT,
    ROOM,
    Scene,
    exported,
    plain,
)


class QueueLaws:
    """Laws of the journal about its queue; a part of ``StoreConformance``."""

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
        rows = (await store.journal.work(AGENT_NAME, ROOM.id)).rows
        assert [row.payload for row in rows] == [b"first", b"x"]

    @pytest.mark.anyio
    async def test_every_agent_hears_the_same_event(self, store: Store) -> None:
        """Repetitions are told by agent and key: two agents in one room both hear an event."""
        one = await store.journal.append_inbound(AGENT_NAME, ROOM.id, "event", b"x")
        two = await store.journal.append_inbound(OTHER_AGENT, ROOM.id, "event", b"x")
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
            rows = (await store.journal.work(AGENT_NAME, room)).rows
            assert [row.seq for row in rows] == numbers
            assert [int(row.payload) for row in rows] == sorted(found)

    @pytest.mark.anyio
    async def test_a_payload_comes_back_byte_for_byte(self, store: Store) -> None:
        """Payloads are opaque: any bytes, a megabyte of them too, come back as they were."""
        payloads = [b"", b"\x00\xff\xfe", "🌊".encode(), bytes(range(256)) * 4096]
        for number, payload in enumerate(payloads):
            await store.journal.append_inbound(AGENT_NAME, ROOM.id, f"event {number}", payload)
        rows = (await store.journal.work(AGENT_NAME, ROOM.id)).rows
        same = [row.payload for row in rows] == payloads  # compared here: showing how a megabyte differs takes minutes
        assert same, "a payload came back changed"

    @pytest.mark.anyio
    async def test_a_room_is_ready_as_long_as_there_is_work(self, store: Store) -> None:
        """A room is ready while it has rows that nobody took, turns that run or were not finished, or parts to deliver."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        assert await journal.ready() == ()
        seqs = [(await journal.append_inbound(*here, f"e{n}", b"x")).seq for n in range(3)]
        await journal.append_inbound(AGENT_NAME, OTHER.id, "elsewhere", b"x")
        assert {*await journal.ready()} == {here, (AGENT_NAME, OTHER.id)}
        epoch = await journal.claim_room(*here, ME, LEASE)
        turn = scene.turn("1", (seqs[0],))
        await journal.open_turn(turn, epoch, None, ())
        assert [row.seq for row in (await journal.work(*here)).rows] == seqs[1:]
        await journal.discard(*here, (seqs[1], seqs[2]), "an edit")
        work = await journal.work(*here)
        assert (work.rows, work.turns, work.outbox) == ((), (turn.id,), ())
        assert here in await journal.ready(), "a turn runs"
        post, ended = scene.sending(turn), scene.turn("1", (seqs[0],), Status.REPLIED)
        await journal.complete(ended, epoch, (), (), (post,))
        work = await journal.work(*here)
        assert (work.rows, work.turns, work.outbox) == ((), (turn.id,), (post,))
        await journal.finish(ended, epoch, (), ())
        for state in (Sending.SENDING, Sending.IN_DOUBT, Sending.WAITING, Sending.DEAD, Sending.SENDING, Sending.SENT):
            await journal.deliver(*here, epoch, (msgspec.structs.replace(post, state=state),))
            to_do = [each.state for each in (await journal.work(*here)).outbox]
            expected = [state] if state in (Sending.WAITING, Sending.SENDING) else []
            assert (to_do, here in await journal.ready()) == (expected, bool(expected)), state
        assert await journal.ready() == ((AGENT_NAME, OTHER.id),)

    @pytest.mark.anyio
    async def test_the_turns_of_a_room_are_gone_on_with_in_order(self, store: Store) -> None:
        """A room's turns are in the order in which they were opened, whatever became of them in between."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        epoch = await journal.claim_room(*here, ME, LEASE)
        elsewhere = await journal.claim_room(AGENT_NAME, OTHER.id, ME, LEASE)
        turns = [scene.turn(name) for name in ("d", "a", "c", "b")]
        for turn in turns:
            await journal.open_turn(turn, epoch, None, ())
        await journal.open_turn(scene.turn("there", room=OTHER), elsewhere, None, ())
        await journal.park(scene.turn("a", (), Status.PARKED), epoch, scene.parking(turns[1]))
        await journal.complete(scene.turn("d", (), Status.SILENT), epoch, (), (), ())
        await journal.record_steps(turns[3], epoch, (scene.step("decide"),))
        assert (await journal.work(*here)).turns == (turns[0].id, turns[2].id, turns[3].id)
        await journal.unpark(turns[1], epoch, scene.step("ask/1"))
        assert (await journal.work(*here)).turns == tuple(turn.id for turn in turns)
        await journal.finish(scene.turn("d", (), Status.SILENT), epoch, (), ())
        assert (await journal.work(*here)).turns == tuple(turn.id for turn in turns[1:])

    @pytest.mark.anyio
    async def test_rows_are_discarded_and_rewritten(self, store: Store) -> None:
        """Discarded rows are out of the queue for good, with their reason; one that still waits may get another payload."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        texts = [scene.payload(str(number)) for number in range(4)]
        seqs = [(await journal.append_inbound(*here, f"e{n}", text)).seq for n, text in enumerate(texts)]
        epoch = await journal.claim_room(*here, ME, LEASE)
        turn = scene.turn("1", (seqs[0],))
        await journal.open_turn(turn, epoch, None, ())
        new = tuple(InboundRow(seq, scene.payload(f"{seq}, edited")) for seq in (*seqs, 999))
        await journal.discard(*here, (seqs[0], seqs[2], 999), "an edit", new)
        assert (await journal.work(*here)).rows == (new[1], new[3])
        opened = await journal.reopen(turn.id)
        assert opened is not None
        assert opened.inbound == (InboundRow(seqs[0], texts[0]),), "a row that was taken is its turn's"
        assert (await journal.append_inbound(*here, "e2", texts[2])).is_new is False, "the event is known still"
        rows = {row.seq: row for row in await exported(store) if isinstance(row, Queued)}
        assert [rows[seq].discarded for seq in seqs] == ["", "", "an edit", ""]
        assert [rows[seq].turn for seq in seqs] == [turn.id, "", "", ""]

    @pytest.mark.anyio
    async def test_a_turn_takes_its_rows_and_those_that_it_supersedes(self, store: Store) -> None:
        """A turn takes the rows that it answers; those that a later one made idle are discarded as superseded. So does a
        turn that was never opened, when it ends."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        seqs = [(await journal.append_inbound(*here, f"e{n}", scene.payload(str(n)))).seq for n in range(7)]
        epoch = await journal.claim_room(*here, ME, LEASE)
        opened = msgspec.structs.replace(scene.turn("1", (seqs[2],)), superseded=(seqs[0], seqs[1]))
        await journal.open_turn(opened, epoch, None, ())
        assert [row.seq for row in (await journal.work(*here)).rows] == seqs[3:]
        never = msgspec.structs.replace(scene.turn("2", (seqs[4], seqs[5]), Status.FAILED), superseded=(seqs[3],))
        await journal.complete(never, epoch, (), (), ())
        assert [row.seq for row in (await journal.work(*here)).rows] == seqs[6:]
        rows = {row.seq: row for row in await exported(store) if isinstance(row, Queued)}
        late = "superseded"
        assert [rows[seq].discarded for seq in seqs] == [late, late, "", late, "", "", ""]
        assert [rows[seq].turn for seq in seqs if not rows[seq].discarded] == [opened.id, never.id, never.id, ""]

    # --- whose a room is ---

    @pytest.mark.anyio
    async def test_every_claim_has_a_higher_epoch(self, store: Store) -> None:
        """Each claim of a room has a higher epoch than all before, whoever makes it."""
        epochs = []
        for owner in (ME, ME, "you", ME):
            epochs.append(await store.journal.claim_room(AGENT_NAME, ROOM.id, owner, LEASE))
            if len(epochs) > 1:
                await store.journal.heartbeat(owner, 0)
        assert epochs == sorted({*epochs})

    @pytest.mark.anyio
    async def test_a_room_is_its_owners_while_the_lease_lives(self, store: Store) -> None:
        """Nobody else gets a room while its owner's lease lives; the owner gets it again, and whoever comes after the lease
        has ended. A refusal names the owner and fences nobody."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        epoch = await journal.claim_room(*here, "this-one", LEASE)
        with pytest.raises(Unavailable, match="this-one"):
            await journal.claim_room(*here, "another", LEASE)
        await journal.open_turn(scene.turn("1"), epoch, None, ())
        assert await journal.claim_room(AGENT_NAME, OTHER.id, "another", LEASE), "nobody has this one"
        assert await journal.claim_room(OTHER_AGENT, ROOM.id, "another", LEASE), "nor this one"
        again = await journal.claim_room(*here, "this-one", 0)
        assert again > epoch
        await journal.heartbeat("this-one", LEASE)
        with pytest.raises(Unavailable):
            await journal.claim_room(*here, "another", LEASE)
        await journal.heartbeat("this-one", 0)
        assert await journal.claim_room(*here, "another", LEASE) > again
        with pytest.raises(Unavailable, match="another"):
            await journal.claim_room(*here, "this-one", LEASE)

    @pytest.mark.anyio
    async def test_a_stale_epoch_writes_nothing(self, store: Store) -> None:
        """Whoever lost a room to another owner is Fenced out of it, and nothing of what they bring is stored."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        seqs = [(await journal.append_inbound(*here, f"e{n}", scene.payload("x"))).seq for n in range(2)]
        stale = await journal.claim_room(*here, ME, LEASE)
        names = ("running", "parked", "completed", "finished")
        runs, waits, ends, ended = (scene.turn(name) for name in names)
        for turn in (runs, waits, ends, ended):
            await journal.open_turn(turn, stale, None, ())
        await journal.park(waits, stale, scene.parking(waits))
        for turn in (ends, ended):
            await journal.complete(turn, stale, (), (), (scene.sending(turn),))
        await journal.finish(ended, stale, (), ())
        await journal.claim_room(*here, ME, LEASE)
        before = plain(await exported(store))
        lost, part, step = (scene.memory("lost"),), (StoredPart("aa", Part("x")),), (scene.step("lost"),)
        sent, row = (scene.sending(ends, state=Sending.SENT),), (scene.sending(runs, 7),)
        writes: dict[str, Callable[[], Awaitable[object]]] = {
            "open_turn": lambda: journal.open_turn(scene.turn("new", (seqs[0],)), stale, scene.connection(), lost),
            "activate": lambda: journal.activate(runs, stale),
            "begin_step": lambda: journal.begin_step(runs, stale, scene.intent(runs, "act/1/0"), step, part, lost),
            "record_steps": lambda: journal.record_steps(runs, stale, step, part, lost),
            "park": lambda: journal.park(runs, stale, scene.parking(runs), step, part, lost, row),
            "unpark": lambda: journal.unpark(waits, stale, scene.step("ask/1"), seqs[1]),
            "unpark too late": lambda: journal.unpark(waits, stale, scene.step("ask/2"), seqs[1]),
            "complete": lambda: journal.complete(scene.turn("running", (seqs[0],)), stale, lost, part, row),
            "complete what was never opened": lambda: journal.complete(scene.turn("no"), stale, lost, part, row),
            "finish": lambda: journal.finish(msgspec.structs.replace(ends, duration_ms=7.0), stale, lost, sent),
            "deliver": lambda: journal.deliver(*here, stale, sent),
        }
        for name, write in writes.items():
            with pytest.raises(Fenced):
                await write()
            assert plain(await exported(store)) == before, f"{name} wrote something"
