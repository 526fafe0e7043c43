"""What every store keeps: the laws of its journal and of its memory, and those of opening and closing it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest

from carrier_core import Part, Status, Store, StoredPart, Unavailable
from carrier_core.testing.suites.journal import JournalLaws
from carrier_core.testing.suites.memory import MemoryLaws
from carrier_core.testing.suites.scene import AGENT_NAME, ANA, ROOM, Scene


class StoreConformance(JournalLaws, MemoryLaws):
    """Subclass it and override ``make_store``: a function that makes a store, each time a new one.

    All that are opened on one folder are one database. ``exclusive`` says that the folder belongs to one process at a time,
    as with an embedded store. ``examples`` is the number of random cases of the law about audiences; it needs hypothesis.
    """

    exclusive = True
    examples = 100

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
        """What was written is there after closing and opening: rows, keys, numbers, epochs, turns, parts, memories, people."""
        scene, journal = Scene(), store.journal
        seqs = [(await journal.append_inbound(AGENT_NAME, ROOM.id, key, b"x")).seq for key in ("one", "two")]
        epoch = await journal.claim_room(AGENT_NAME, ROOM.id, "me")
        said, part = scene.memory("I live in Porto."), StoredPart("aa", Part("It rains."))
        running, ended = scene.turn("running"), scene.turn("ended", (seqs[0],), Status.REPLIED)
        await journal.open_turn(scene.turn("ended", (seqs[0],)), epoch, scene.connection(), (said,))
        await journal.complete(ended, epoch, (), (part,), ())
        await journal.open_turn(running, epoch, None, ())
        await store.close()

        store = make_store()
        await store.open(folder)
        try:
            journal = store.journal
            assert [row.seq for row in await journal.pending(AGENT_NAME, ROOM.id)] == seqs[1:]
            assert (await journal.append_inbound(AGENT_NAME, ROOM.id, "one", b"x")).is_new is False
            assert (await journal.append_inbound(AGENT_NAME, ROOM.id, "three", b"x")).seq > seqs[1]
            assert await journal.claim_room(AGENT_NAME, ROOM.id, "me") > epoch
            assert await journal.turn(ended.id) == ended
            assert await journal.unfinished() == (running,)
            assert await journal.parts(("aa",)) == (part,)
            assert await store.memory.history(AGENT_NAME, ROOM.id, limit=9) == (said,)
            assert [found.memory for found in await store.memory.recall(scene.query("Porto"))] == [said]
            assert await store.memory.participants(ROOM.id) == (ANA,)
            assert await store.memory.room(ROOM.id) == ROOM
        finally:
            await store.close()

    @pytest.mark.anyio
    async def test_a_folder_that_is_in_use_is_refused(
        self, store: Store, make_store: Callable[[], Store], folder: Path
    ) -> None:
        """A second store on the folder of an open one is Unavailable, and the first goes on."""
        if not self.exclusive:
            pytest.skip("several processes may share it")
        with pytest.raises(Unavailable):
            await make_store().open(folder)
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
