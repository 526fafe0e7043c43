"""What breaks between the store and its server costs time, and does nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from carrier_core import Appended, Charge, Hold, Sending, Settlement, Spent, Status, Unavailable, Usage

pytestmark = pytest.mark.anyio

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'carrier %'"


_SOCKET = ".s.PGSQL.5432"

COUNTER = Charge(("host", ""), "2027-01-31", most_tokens=100)


class Proxy:
    """Listens at a Unix socket in ``folder`` and passes everything on to the server's, in ``target``.

    ``cut_answer`` is a statement: once it was answered by the server, that connection is cut before the answer gets through.
    ``down`` refuses connections.
    """

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder = folder
        self.cut_answer = b""
        self.cuts = 0
        self.down = False
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_unix_server(self._serve, str(self.folder / _SOCKET))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            if not self.down:
                up = await asyncio.open_unix_connection(str(self._target / _SOCKET))
                try:
                    await self._pass_on(reader, writer, *up)
                finally:
                    up[1].close()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pass_on(self, reader, writer, up_reader, up_writer) -> None:
        armed = asyncio.Event()

        async def to_server() -> None:
            while data := await reader.read(65536):
                if self.cut_answer and self.cut_answer in data:
                    armed.set()
                up_writer.write(data)
                await up_writer.drain()

        async def to_client() -> None:
            while data := await up_reader.read(65536):
                if armed.is_set():
                    self.cuts += 1
                    return
                writer.write(data)
                await writer.drain()

        tasks = [asyncio.create_task(to_server()), asyncio.create_task(to_client())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Load:
    """Turns in some rooms, one after another in each, until they are told to stop; what was promised by then."""

    def __init__(self, store, scene, rooms: int) -> None:
        self._store = store
        self._scene = scene
        self.rooms = [f"room{number}" for number in range(rooms)]
        self.appended: dict[str, list[Appended]] = {room: [] for room in self.rooms}
        self.finished: dict[str, list[str]] = {room: [] for room in self.rooms}
        self.going = True
        self.turns = 0
        self.more = asyncio.Condition()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for room in self.rooms:
                group.create_task(self._run(room))

    async def have(self, count: int) -> None:
        """Wait until so many turns more have ended."""
        wanted = self.turns + count
        async with asyncio.timeout(30), self.more:
            await self.more.wait_for(lambda: self.turns >= wanted)

    async def _run(self, room: str) -> None:
        journal, scene = self._store.journal, self._scene
        epoch = await journal.claim_room("tifa", room, "me", 60)
        number = 0
        while self.going:
            number += 1
            appended = await journal.append_inbound("tifa", room, f"{room}/{number}", b"%d" % number)
            self.appended[room].append(appended)
            turn = scene.turn(f"{room}/{number}", (appended.seq,), room=room)
            ended = scene.turn(f"{room}/{number}", (appended.seq,), Status.REPLIED, room=room)
            said = scene.memory(f"message {number}", room=msgspec.structs.replace(scene.room, id=room))
            await journal.open_turn(turn, epoch, None, (said,))
            assert await journal.activate(turn, epoch) == 2
            post = scene.post(turn)
            await journal.complete(ended, epoch, (), (), (post,))
            await journal.finish(ended, epoch, (), (msgspec.structs.replace(post, state=Sending.SENT),))
            self.finished[room].append(turn.id)
            self.turns += 1
            async with self.more:
                self.more.notify_all()

    async def check(self, store) -> None:
        """Everything that was promised is there, once and in order."""
        for room in self.rooms:
            appended = self.appended[room]
            assert appended == [Appended(number + 1, is_new=True) for number in range(len(appended))]
            turns = await store.journal.turns(agent="tifa", room=room, limit=10_000)
            assert [turn.id for turn in reversed(turns)] == self.finished[room]
            work = await store.journal.work("tifa", room)
            assert (work.turns, work.rows, work.outbox) == ((), (), ())
            said = await store.memory.history("tifa", room, limit=10_000)
            assert [memory.text for memory in said] == [f"message {number + 1}" for number in range(len(appended))]


async def test_a_server_that_is_restarted_under_load_costs_nothing_but_time(make_store, tmp_path, scene, postgres):
    store = make_store(retry_seconds=30)
    await store.open(tmp_path)
    load = Load(store, scene, 8)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        for _ in range(2):
            await load.have(40)
            await asyncio.to_thread(postgres.stop)
            await asyncio.to_thread(postgres.start)
        await load.have(40)
        load.going = False
    await load.check(store)
    await store.close()


async def test_connections_that_are_cut_in_the_middle_of_batches_cost_nothing_but_time(
    make_store, tmp_path, scene, sql
):
    store = make_store(retry_seconds=30)
    await store.open(tmp_path)
    load = Load(store, scene, 8)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        for _ in range(12):
            await load.have(7)
            assert await sql(CUT)
        load.going = False
    await load.check(store)
    await store.close()


@pytest.fixture
async def line(tmp_path, url):
    target = Path(parse_qs(urlsplit(url).query)["host"][0])
    folder = tmp_path / "line"
    folder.mkdir()
    async with Proxy(folder, target) as proxy:
        yield proxy


@pytest.fixture
async def on_line(line, make_store, database, tmp_path):
    """A store whose line to the server can be cut."""
    store = make_store(retry_seconds=10)
    store._database.settings = store._database.settings.model_copy(
        update={"url": type(store._database.settings.url)(line.url(database))}
    )
    await store.open(tmp_path)
    yield store
    line.cut_answer, line.down = b"", False
    await store.close()


async def test_an_answer_that_is_lost_after_the_commit_is_given_all_the_same(on_line, line, scene):
    journal = on_line.journal
    epoch = await journal.claim_room("tifa", scene.room.id, "me", 60)
    schedule = _schedule(scene)
    await journal.schedule(schedule)

    async def cut(attempt):
        cuts = line.cuts
        line.cut_answer = b"COMMIT"
        task = asyncio.create_task(attempt)
        async with asyncio.timeout(10):
            while line.cuts == cuts:
                await asyncio.sleep(0)
            line.cut_answer = b""
            return await task

    assert await cut(journal.append_inbound("tifa", scene.room.id, "a", b"a")) == Appended(1, is_new=True)
    assert await journal.append_inbound("tifa", scene.room.id, "a", b"a") == Appended(1, is_new=False)
    turn = scene.turn("1", (1,))
    assert await cut(journal.open_turn(turn, epoch, scene.connection(), ())) is True
    assert await journal.open_turn(turn, epoch, scene.connection(), ()) is False
    assert await cut(journal.activate(turn, epoch)) == 2
    assert await journal.activate(turn, epoch) == 3
    assert await cut(journal.fire(schedule, b"slot", 200.0)) == Appended(2, is_new=True)
    assert await journal.fire(schedule, b"slot", 200.0) is None
    assert await cut(journal.cancel(schedule.id)) is True
    assert await cut(journal.claim_room("tifa", scene.room.id, "me", 60)) == epoch + 1
    fact = scene.memory("I live in Porto.")
    await on_line.memory.put((fact,))
    assert await cut(on_line.memory.forget((fact.id,))) == 1
    assert await cut(journal.hold(Hold("call", (COUNTER,), Usage(60), 1.0))) == ()
    await cut(journal.settle((Settlement("call", (COUNTER,), Usage(50)), Settlement("other", (COUNTER,), Usage(7)))))
    assert await journal.spent() == (Spent(COUNTER.scope, COUNTER.window, Usage(57)),)
    assert line.cuts == 9


async def test_an_answer_that_nobody_waited_for_any_more_is_given_to_who_asks_again(on_line, line, scene):
    """The server stays away for longer than a request is tried: whoever asks again is told what he would have been."""
    writer, journal = on_line._database.writer, on_line.journal
    epoch = await journal.claim_room("tifa", scene.room.id, "me", 60)
    schedule = _schedule(scene)
    await journal.schedule(schedule)
    writer._patience = 0.0

    async def lose(attempt):
        line.cut_answer, line.down = b"COMMIT", True
        with pytest.raises(Unavailable):
            await attempt
        line.cut_answer, line.down = b"", False

    await lose(journal.append_inbound("tifa", scene.room.id, "a", b"a"))
    assert await journal.append_inbound("tifa", scene.room.id, "a", b"a") == Appended(1, is_new=True)
    assert await journal.append_inbound("tifa", scene.room.id, "a", b"a") == Appended(1, is_new=False)
    turn = scene.turn("1", (1,))
    await lose(journal.open_turn(turn, epoch, scene.connection(), ()))
    assert await journal.open_turn(turn, epoch, scene.connection(), ()) is True
    assert await journal.open_turn(turn, epoch, scene.connection(), ()) is False
    await lose(journal.fire(schedule, b"slot", 200.0))
    assert await journal.fire(schedule, b"slot", 200.0) == Appended(2, is_new=True)
    assert await journal.fire(schedule, b"slot", 200.0) is None
    assert [row.payload for row in (await journal.work("tifa", scene.room.id)).rows] == [b"slot"]
    calls = (Settlement("one", (COUNTER,), Usage(50)), Settlement("two", (COUNTER,), Usage(7)))
    await lose(journal.settle(calls))
    await journal.settle(calls)
    assert await journal.spent() == (Spent(COUNTER.scope, COUNTER.window, Usage(57)),), "they are counted once"
    await lose(journal.hold(Hold("three", (COUNTER,), Usage(43), 1.0)))
    assert await journal.hold(Hold("three", (COUNTER,), Usage(43), 1.0)) == ()
    assert await journal.hold(Hold("four", (COUNTER,), Usage(1), 1.0)) == (COUNTER,)


async def test_a_server_that_is_away_too_long_is_reported_and_found_again(on_line, line, scene, sql):
    journal = on_line.journal
    await journal.append_inbound("tifa", "r1", "a", b"a")
    on_line._database.writer._patience = on_line._database.pool._patience = 0.0
    line.down = True
    await sql(CUT)
    for attempt in (journal.append_inbound("tifa", "r1", "b", b"b"), journal.ready(), on_line.health()):
        with pytest.raises(Unavailable, match=r"cannot be reached|was lost") as caught:
            await attempt
        assert "DATABASE_URL" in str(caught.value) or "again by itself" in str(caught.value)
    line.down = False
    assert await journal.append_inbound("tifa", "r1", "b", b"b") == Appended(2, is_new=True)
    assert await journal.ready() == (("tifa", "r1"),)
    assert "open" in await on_line.health()


def _schedule(scene):
    from carrier_core import Schedule

    return Schedule("s1", "tifa", scene.room, scene.ana, "Drink water.", "every 100", 100.0)
