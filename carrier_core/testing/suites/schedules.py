"""What every journal keeps of schedules."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from carrier_core import Appended, Missed, RoomKind, Schedule, Store
from carrier_core.testing.suites.scene import AGENT_NAME, BEA, GROUP, OTHER_AGENT, ROOM, Scene


class ScheduleLaws:
    """Laws of the journal about schedules; a part of ``StoreConformance``."""

    @pytest.mark.anyio
    async def test_a_schedule_is_kept_until_it_is_cancelled(self, store: Store) -> None:
        """Schedules come back whole, the next one first; one of a known id replaces the older, and one that is cancelled is
        gone."""
        journal, scene = store.journal, Scene()
        room = msgspec.structs.replace(GROUP, kind=RoomKind.THREAD, world="w1", realm="eu")
        whole = Schedule(
            "s1", AGENT_NAME, room, BEA, "olá 🌊", "cron 0 8 * * 1", 300.5, "c", "Europe/Lisbon", Missed.ALL, 9.25
        )
        soon, theirs = scene.schedule("soon", 100.0), scene.schedule("theirs", 200.0, agent=OTHER_AGENT)
        for schedule in (whole, soon, theirs):
            await journal.schedule(schedule)
        assert await journal.schedules() == (soon, theirs, whole)
        assert await journal.schedules(agent=AGENT_NAME) == (soon, whole)
        later = msgspec.structs.replace(soon, next_at=400.0, text="Later.")
        await journal.schedule(later)
        assert await journal.schedules() == (theirs, whole, later)
        assert [await journal.cancel(key) for key in (whole.id, whole.id, "unknown")] == [True, False, False]
        assert await journal.schedules() == (theirs, later)

    @pytest.mark.anyio
    async def test_schedules_are_due_when_their_slot_has_come(self, store: Store) -> None:
        """Due is what has its slot now or before, the longest waiting first, and no more than the limit."""
        journal, scene = store.journal, Scene()
        made = [scene.schedule(str(number), at) for number, at in enumerate((300.0, 100.0, 200.0, 400.0))]
        for schedule in made:
            await journal.schedule(schedule)
        assert await journal.due(99.999) == ()
        assert await journal.due(100.0) == (made[1],)
        assert await journal.due(399.0) == (made[1], made[2], made[0])
        assert await journal.due(1e9, limit=2) == (made[1], made[2])

    @pytest.mark.anyio
    async def test_a_slot_happens_once(self, store: Store) -> None:
        """A slot becomes one row of the schedule's room under its key, and the next slot is set; who fires it later, or at
        the same time, is told that somebody was quicker."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        schedule = scene.schedule("1", 100.0)
        await journal.schedule(schedule)
        fired: list[Appended | None] = []

        async def fire(number: int) -> None:
            fired.append(await journal.fire(schedule, b"%d" % number, 200.0))

        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(fire, number)
        assert [each.is_new for each in fired if each is not None] == [True], "exactly one was the first"
        assert len((await journal.work(*here)).rows) == 1
        assert await journal.schedules() == (msgspec.structs.replace(schedule, next_at=200.0),)
        assert (await journal.append_inbound(*here, schedule.key, b"x")).is_new is False, "the slot is in the ledger"
        await journal.schedule(schedule)
        again = await journal.fire(schedule, b"again", 200.0)
        assert again is not None
        assert again.is_new is False, "it happened, although somebody set it again"
        following = msgspec.structs.replace(schedule, next_at=200.0)
        second = await journal.fire(following, b"second", 300.5)
        assert second is not None
        assert second.is_new
        assert [row.payload for row in (await journal.work(*here)).rows][1:] == [b"second"]
        assert await journal.fire(msgspec.structs.replace(schedule, id="unknown"), b"x", 200.0) is None

    @pytest.mark.anyio
    async def test_a_slot_may_be_skipped_or_the_last(self, store: Store) -> None:
        """Without a payload a slot passes without a row; without a next slot the schedule is gone. Neither happens where the
        slot is another by now."""
        journal, scene, here = store.journal, Scene(), (AGENT_NAME, ROOM.id)
        schedule = scene.schedule("1", 100.0)
        await journal.schedule(schedule)
        await journal.fire(schedule, None, 200.0)
        following = msgspec.structs.replace(schedule, next_at=200.0)
        assert await journal.schedules() == (following,)
        assert (await journal.work(*here)).rows == ()
        assert await journal.fire(schedule, None, 150.0) is None
        assert await journal.fire(schedule, b"late", None) is None
        assert await journal.schedules() == (following,)
        last = await journal.fire(following, b"last", None)
        assert last is not None
        assert last.is_new
        assert await journal.schedules() == ()
        assert [row.payload for row in (await journal.work(*here)).rows] == [b"last"]
        assert await journal.fire(following, b"more", 300.0) is None
        assert await journal.schedules() == ()
