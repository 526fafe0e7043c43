"""What every store keeps as a whole: its archive, and what it lets go of."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import (
    Embedded,
    Entry,
    Handled,
    Heard,
    MemoryKind,
    Outgoing,
    Part,
    Place,
    Queued,
    Retention,
    Sending,
    Status,
    Store,
    StoredPart,
    TurnRecord,
)
from carrier_core.archive import ORDER
from carrier_core.testing.store import InMemoryStore
from carrier_core.testing.suites.inventory import SECRET, fill
from carrier_core.testing.suites.scene import (
    AGENT_NAME,
    ANA,
    BEA,
    GROUP,
    LEASE,
    ME,
    OTHER,
    OTHER_AGENT,
    ROOM,
    Scene,
    exported,
    plain,
)

DAY = 86_400.0


class ArchiveLaws:
    """Laws about export, restore, forgetting a person and retention; a part of ``StoreConformance``."""

    # --- the archive ---

    @pytest.mark.anyio
    async def test_an_archive_holds_everything(self, store: Store) -> None:
        """An archive has every row in the order of the types, just as that of any other store with the same content, the
        kit's store in memory for one. Vectors are left out where a store keeps none."""
        await fill(store)
        entries = await exported(store)
        kinds = [ORDER.index(type(entry)) for entry in entries]
        assert kinds == sorted(kinds)
        left_out = {*ORDER} - {type(entry) for entry in entries}
        assert left_out <= {Embedded}, f"there is nothing of {left_out}"
        assert _lines(entries) == _lines(await _reference(with_vectors=not left_out))

    @pytest.mark.anyio
    async def test_an_archive_is_taken_over_whole(self, store: Store) -> None:
        """An archive that is restored into an empty store, batch by batch, is that store's archive from then on; restoring
        it again adds nothing. Work goes on where it was: numbers, epochs, known events, turns and deliveries."""
        original = InMemoryStore()
        await fill(original)
        entries = await exported(original)
        new = 0
        for start in range(0, len(entries), 7):
            new += await store.restore(tuple(entries[start : start + 7]))
        taken = await exported(store)
        kept = [entry for entry in entries if not isinstance(entry, Embedded) or entry in taken]
        assert _lines(taken) == _lines(kept)
        assert new == len(kept)
        assert len(kept) == len(entries) or not any(isinstance(entry, Embedded) for entry in taken)
        assert await store.restore(tuple(entries)) == 0
        assert _lines(await exported(store)) == _lines(kept)
        journal, reference = store.journal, original.journal
        for agent, room in (
            (AGENT_NAME, ROOM.id),
            (AGENT_NAME, OTHER.id),
            (AGENT_NAME, GROUP.id),
            (OTHER_AGENT, ROOM.id),
        ):
            assert await journal.work(agent, room) == await reference.work(agent, room)
            history = await store.memory.history(agent, room, limit=99)
            assert history == await original.memory.history(agent, room, limit=99)
        for entry in entries:
            if isinstance(entry, Handled):
                assert plain(await journal.reopen(entry.record.id)) == plain(await reference.reopen(entry.record.id))
            elif isinstance(entry, Heard):
                assert (await journal.append_inbound(entry.agent, ROOM.id, entry.key, b"{}")).is_new is False
            elif isinstance(entry, Place):
                appended = await journal.append_inbound(entry.agent, entry.room, f"new in {entry.room}", b"{}")
                assert appended.seq == entry.seq + 1
                assert await journal.claim_room(entry.agent, entry.room, ME, LEASE) > entry.epoch
        assert await journal.parked() == await reference.parked()
        assert await journal.doubts() == await reference.doubts()
        assert await store.memory.participants(GROUP.id) == (BEA,)
        found = await store.memory.recall(Scene().query("door code"))
        assert found, "a memory that was restored is not recalled"

    @pytest.mark.anyio
    async def test_restoring_leaves_what_is_there(self, store: Store) -> None:
        """A row that the store has already stays as it is when an archive has another of its key."""
        scene, journal = Scene(), store.journal
        fact, schedule = scene.memory("new", key="k"), scene.schedule("1", 500.0)
        turn, part = scene.turn("1", (), Status.REPLIED), StoredPart("aa", Part("new"))
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        await store.memory.put((fact,))
        await journal.schedule(schedule)
        sent = Outgoing(scene.post(turn), Sending.SENT, at=3.0)
        await journal.complete(turn, epoch, (), (part,), (sent,))
        before = plain(await exported(store))
        older: tuple[Entry, ...] = (
            StoredPart("aa", Part("old")),
            Handled(scene.turn("1"), "running"),
            scene.sending(turn),
            msgspec.structs.replace(schedule, next_at=100.0),
            scene.memory("old", key="k"),
        )
        assert await store.restore(older) == 0
        assert plain(await exported(store)) == before
        assert await store.restore((*older, StoredPart("bb", Part("other")))) == 1
        assert await journal.parts(("aa", "bb")) == (part, StoredPart("bb", Part("other")))

    @pytest.mark.anyio
    async def test_the_archive_of_an_agent_is_its_own(self, store: Store) -> None:
        """The archive of one agent has nothing of another, and those of all agents together are the whole archive, but for
        the counters that are of no agent."""
        await fill(store)
        whole = _lines(await exported(store))
        robin, wren = [_lines(await exported(store, agent)) for agent in (AGENT_NAME, OTHER_AGENT)]
        for lines, other in ((robin, OTHER_AGENT), (wren, AGENT_NAME)):
            assert lines == [line for line in whole if line in lines], "in the order of the whole archive"
            strange = [line for line in lines if f"'agent': '{other}'" in line]
            assert strange == []
        assert {*robin} | {*wren} == {line for line in whole if "'scope': ['host', '']" not in line or "'Hold'" in line}
        assert not any(GROUP.id in line for line in wren if "'type': 'Schedule'" not in line), "wren was never there"
        assert not any(SECRET in line for line in wren if "'type': 'StoredPart'" in line)
        assert _lines(await exported(store, "nobody")) == []

    # --- forgetting a person ---

    @pytest.mark.anyio
    async def test_a_forgotten_person_leaves_no_trace(self, store: Store) -> None:
        """Whatever a person said, what was made of it and what was theirs is gone from every row of an archive; what others
        said stays, and so does the ledger of events. Forgetting them again finds nothing."""
        await fill(store)
        before = await exported(store)
        removed = await store.forget_person(ANA.id)
        assert any(removed.values())
        after = await exported(store)
        left = [line for line in _lines(after) if ANA.id in line or SECRET in line]
        assert left == []
        ledgers = [[entry for entry in entries if isinstance(entry, Heard | Place)] for entries in (before, after)]
        assert ledgers[0] == ledgers[1]
        everyone = {*await store.memory.list(agent=AGENT_NAME), *await store.memory.list(agent=OTHER_AGENT)}
        assert {memory.text for memory in everyone} == {"Nice weather.", "Bea kept bees.", "A wren is a bird."}
        assert await store.memory.participants(GROUP.id) == (BEA,)
        turns = {turn.person for turn in await store.journal.turns()}
        assert turns == {BEA.id}
        assert [schedule.person for schedule in await store.journal.schedules()] == [BEA]
        assert [row.seq for row in (await store.journal.work(AGENT_NAME, GROUP.id)).rows] == [2, 3, 4, 6]
        assert await store.journal.parts(("rain", "words")) == tuple(
            entry for entry in before if isinstance(entry, StoredPart) and entry.digest == "rain"
        )
        assert await store.memory.recall(Scene().query("door code")) == ()
        again = await store.forget_person(ANA.id)
        assert not any(again.values())
        assert _lines(await exported(store)) == _lines(after)

    # --- retention ---

    @pytest.mark.anyio
    async def test_memories_are_kept_as_the_rules_say(self, store: Store) -> None:
        """A rule limits the memories of one kind of one agent by age and by number, the newest being kept; without a limit
        all stay. What is removed is counted, and it takes as many calls as the limit asks for."""
        scene, now = Scene(), 100 * DAY
        said = [scene.memory(f"lighthouse {days}", at=now - days * DAY) for days in (1, 5, 9, 13, 17)]
        fact = scene.memory("An old fact.", kind=MemoryKind.FACT, at=1.0)
        theirs = scene.memory("Another's.", agent=OTHER_AGENT, at=1.0)
        await store.memory.put((*said[2:], *said[:2], fact, theirs))
        keep_all = (Retention("message"), Retention("message", days=17.5, most=5), Retention("document", days=1.0))
        assert await store.expire(AGENT_NAME, keep_all, now) == 0
        assert await self._expired(store, (Retention("message", days=13.5),), now) == [1, 0]
        assert {*await store.memory.list()} == {*said[:4], fact, theirs}
        rules = (Retention("message", most=3), Retention("message", days=8.0), Retention("fact", most=0))
        assert sum(await self._expired(store, rules, now, limit=1)) == 3
        assert {*await store.memory.list()} == {*said[:2], theirs}
        assert await store.memory.history(AGENT_NAME, ROOM.id, limit=9) == (said[1], said[0])
        found = await store.memory.recall(scene.query("lighthouse", limit=9))
        assert {recalled.memory.id for recalled in found} == {memory.id for memory in said[:2]}

    @pytest.mark.anyio
    async def test_turns_are_kept_as_the_rules_say(self, store: Store) -> None:
        """A turn goes with its rows, parts and sent replies, unless it is not finished, its reply is not settled or another
        turn has that part. The ledger stays, and so do memories and the turns of other agents."""
        now, journal = 100 * DAY, store.journal
        old = [await self._over(store, f"old{number}", now - (20 - number) * DAY) for number in range(2)]
        unsettled = await self._over(store, "unsettled", now - 17 * DAY, state=Sending.WAITING)
        theirs = await self._over(store, "theirs", now - 17 * DAY, agent=OTHER_AGENT)
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, ME, LEASE)
        runs, ends = (Scene().turn(name, started=now - 16 * DAY) for name in ("runs", "ends"))
        await journal.open_turn(runs, epoch, None, ())
        await journal.complete(ends, epoch, (), (), ())
        young = [await self._over(store, f"young{number}", now - (9 - number) * DAY) for number in range(4)]
        assert await store.expire(AGENT_NAME, (Retention("turn"), Retention("turn", days=21.0, most=9)), now) == 0
        assert sum(await self._expired(store, (Retention("turn", days=15.0, most=7),), now, limit=1)) > 1
        kept = {turn.id for turn in await journal.turns(limit=99)}
        assert kept == {each.id for each in (unsettled, theirs, runs, ends, *young)}
        await self._expired(store, (Retention("turn", most=3),), now)
        kept = {turn.id for turn in await journal.turns(limit=99)}
        assert kept == {each.id for each in (unsettled, theirs, runs, ends, *young[1:])}
        lines = _lines(await exported(store))
        for turn in (*old, young[0]):
            assert not any(turn.id in line for line in lines), "a row of it is left"
            assert await journal.reopen(turn.id) is None
        named = ("shared", *(f"own {turn.id}" for turn in (*old, young[0], young[1])))
        assert [part.digest for part in await journal.parts(named)] == ["shared", f"own {young[1].id}"]
        assert len(await store.memory.list(limit=99)) == 8, "what was said is no part of a turn"
        assert [row.seq for row in await exported(store) if isinstance(row, Queued)] == [3, 1, 5, 6, 7]
        assert (await journal.append_inbound(AGENT_NAME, ROOM.id, "old0", b"{}")).is_new is False

    async def _expired(self, store: Store, rules: tuple[Retention, ...], now: float, limit: int = 500) -> list[int]:
        """What each call removed until nothing was left."""
        removed = [await store.expire(AGENT_NAME, rules, now, limit=limit)]
        while removed[-1]:
            assert len(removed) < 50, "it never ends"
            removed.append(await store.expire(AGENT_NAME, rules, now, limit=limit))
        return removed

    async def _over(
        self, store: Store, name: str, started: float, agent: str = AGENT_NAME, state: Sending = Sending.SENT
    ) -> TurnRecord:
        """A finished turn with a row, a part of its own and one that others have too, a memory and a reply part."""
        journal, scene = store.journal, Scene()
        seq = (await journal.append_inbound(agent, ROOM.id, name, scene.payload(name))).seq
        epoch = await journal.claim_room(agent, ROOM.id, ME, LEASE)
        turn = scene.turn(name, (seq,), Status.REPLIED, agent=agent, started=started)
        own = f"own {turn.id}"
        turn = msgspec.structs.replace(turn, parts=("shared", own))
        await journal.open_turn(scene.turn(name, (seq,), agent=agent, started=started), epoch, None, ())
        parts = (StoredPart("shared", Part("It rains.")), StoredPart(own, Part(name)))
        await journal.complete(turn, epoch, (scene.memory(name, key=name, agent=agent),), parts, (scene.sending(turn),))
        await journal.finish(turn, epoch, (), (scene.sending(turn, state=state),))
        return turn


def _lines(entries: list[Entry]) -> list[str]:
    """The entries of an archive as lines of text."""
    return [repr(plain(entry)) for entry in entries]


async def _reference(*, with_vectors: bool) -> list[Entry]:
    store = InMemoryStore()
    await fill(store)
    return [entry for entry in await exported(store) if with_vectors or not isinstance(entry, Embedded)]
