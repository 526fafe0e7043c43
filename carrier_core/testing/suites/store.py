"""What every store keeps: the laws of its journal and of its memory, and those of opening and closing it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest

from carrier_core import Handled, Heard, Place, Store, Unavailable
from carrier_core.testing.suites.archive import ArchiveLaws
from carrier_core.testing.suites.inventory import fill
from carrier_core.testing.suites.memory import MemoryLaws
from carrier_core.testing.suites.outbox import OutboxLaws
from carrier_core.testing.suites.queue import QueueLaws
from carrier_core.testing.suites.scene import AGENT_NAME, LEASE, ME, ROOM, Scene, exported, plain
from carrier_core.testing.suites.schedules import ScheduleLaws
from carrier_core.testing.suites.spending import SpendingLaws
from carrier_core.testing.suites.steps import StepLaws
from carrier_core.testing.suites.turns import TurnLaws


class StoreConformance(QueueLaws, TurnLaws, StepLaws, OutboxLaws, ScheduleLaws, SpendingLaws, MemoryLaws, ArchiveLaws):
    """Subclass it and override ``make_store``: a function that makes a store, each time a new one.

    All that are opened on one folder are one database. ``exclusive`` says that the folder belongs to one process at a time,
    as with an embedded store. ``examples`` is the number of random cases of the law about audiences, ``sequences`` that of
    the one about sequences of calls; both need hypothesis.
    """

    exclusive = True
    examples = 100
    sequences = 40

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The backend that the host runs on."""
        return "asyncio"

    @pytest.fixture
    def make_store(self) -> Callable[[], Store]:
        """A function that makes a store, which is not open yet."""
        raise NotImplementedError("Override the fixture `make_store`.")

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """The state directory of ``store``."""
        return tmp_path / "state"

    @pytest.fixture
    async def store(self, make_store: Callable[[], Store], folder: Path) -> AsyncIterator[Store]:
        """A store that is open, on a folder of its own."""
        store = make_store()
        await store.open(folder)
        yield store
        await store.close()

    @pytest.mark.anyio
    async def test_it_has_a_name_and_says_how_it_is(self, store: Store) -> None:
        """A store has a name, and a word on its state while it is open."""
        assert isinstance(store.name, str)
        assert store.name
        assert await store.health()

    @pytest.mark.anyio
    async def test_all_is_there_when_it_is_opened_again(
        self, store: Store, make_store: Callable[[], Store], folder: Path
    ) -> None:
        """All that was written is there after closing and opening, and work goes on where it was: numbers, epochs, known
        events, turns with their steps, effects, deliveries, schedules, memories and people."""
        await fill(store)
        before, known = plain(await exported(store)), await exported(store)
        opened = [await store.journal.reopen(entry.record.id) for entry in known if isinstance(entry, Handled)]
        await store.close()

        store = make_store()
        await store.open(folder)
        try:
            journal = store.journal
            assert plain(await exported(store)) == before
            turns = [await journal.reopen(entry.record.id) for entry in known if isinstance(entry, Handled)]
            assert plain(turns) == plain(opened)
            for entry in known:
                if isinstance(entry, Heard):
                    assert (await journal.append_inbound(entry.agent, ROOM.id, entry.key, b"x")).is_new is False
                elif isinstance(entry, Place):
                    appended = await journal.append_inbound(entry.agent, entry.room, f"new in {entry.room}", b"x")
                    assert (appended.seq, appended.is_new) == (entry.seq + 1, True)
                    assert await journal.claim_room(entry.agent, entry.room, ME, LEASE) > entry.epoch
            assert len(await journal.parked()) == len(await journal.doubts()) == 1
            history = await store.memory.history(AGENT_NAME, ROOM.id, limit=1)
            found = await store.memory.recall(Scene().query("door code"))
            assert {memory.room for memory in (*history, *(each.memory for each in found))} == {ROOM.id}
            assert await store.memory.room(ROOM.id) is not None
        finally:
            await store.close()

    @pytest.mark.anyio
    async def test_a_folder_that_is_in_use_is_refused(
        self, store: Store, make_store: Callable[[], Store], folder: Path
    ) -> None:
        """A second store on the folder of an open one is Unavailable where one process has it to itself, and works where several
        may share it; the first goes on either way."""
        second = make_store()
        if self.exclusive:
            with pytest.raises(Unavailable):
                await second.open(folder)
        else:
            await second.open(folder)
            await second.close()
        await store.memory.put((Scene().memory("still here"),))

    @pytest.mark.anyio
    async def test_reading_what_is_not_there_is_refused(self, make_store: Callable[[], Store], tmp_path: Path) -> None:
        """Opening for reading makes nothing: where there is no database it is Unavailable."""
        empty = tmp_path / "empty"
        with pytest.raises(Unavailable):
            await make_store().open_read_only(empty)
        assert not empty.exists() or not [*empty.iterdir()]

    def test_nothing_is_recalled_outside_of_its_audience(self, make_store: Callable[[], Store], tmp_path: Path) -> None:
        """Whoever is in which room, whatever is known there: all that every reader may know is recalled, and nothing else."""
        pytest.importorskip("hypothesis")
        from anyio.from_thread import start_blocking_portal
        from hypothesis import HealthCheck, given, settings

        from carrier_core.testing.suites.audiences import Case, Village, cases

        store, number = make_store(), count()

        with start_blocking_portal() as portal:

            @settings(
                max_examples=self.examples,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=[*HealthCheck],
            )
            @given(cases)
            def law(case: Case) -> None:
                portal.call(Village(f"village{next(number)}").check, store, case)

            portal.call(store.open, tmp_path / "villages")
            try:
                law()
            finally:
                portal.call(store.close)

    def test_any_sequence_of_calls_is_kept(self, make_store: Callable[[], Store], tmp_path: Path) -> None:
        """Whatever the journal is asked for in whatever order, closed and opened in between, it answers and keeps what a
        plain model of it does."""
        pytest.importorskip("hypothesis")
        from carrier_core.testing.suites.sequences import check

        check(make_store, tmp_path / "sequences", self.sequences)
