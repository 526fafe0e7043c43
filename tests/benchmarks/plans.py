"""The statements that a host runs when it starts and in a default turn, and how the database looks for their rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio

from tests.benchmarks.backends import Backend, Site, Sqlite

Statements = dict[tuple[str, str], tuple[Any, ...]]
"""What was run with which values first, by (phase, statement)."""


class Listener:
    """Keeps each statement with the values that it was first run with. ``phase`` says during what."""

    def __init__(self) -> None:
        self.phase = "opening"
        self.statements: Statements = {}

    def heard(self, sql: str, values: Any) -> None:
        """A statement was run."""
        self.statements.setdefault((self.phase, " ".join(sql.split())), tuple(values or ()))

    @contextmanager
    def sqlite(self) -> Iterator[None]:
        """Listen to all connections that are made from now on."""
        import apsw

        def trace(cursor: object, sql: str, values: Any) -> bool:
            self.heard(sql, values)
            return True

        def hook(connection: apsw.Connection) -> None:
            connection.exec_trace = trace

        apsw.connection_hooks.append(hook)
        try:
            yield
        finally:
            apsw.connection_hooks.remove(hook)

    @contextmanager
    def postgres(self) -> Iterator[None]:
        """Listen to all connections that are made from now on."""
        import asyncpg

        connect = asyncpg.connect

        async def listened(*args: Any, **kwargs: Any) -> Any:
            connection = await connect(*args, **kwargs)
            connection.add_query_logger(lambda record: self.heard(record.query, record.args))
            return connection

        asyncpg.connect = listened
        try:
            yield
        finally:
            asyncpg.connect = connect


def plans(server: Backend, site: Site, statements: Statements) -> tuple[list[str], int]:
    """The statements with their plans; ``!`` marks steps that look at a whole table or index of more than a few pages.
    And how many steps are marked."""
    explain = _sqlite(site) if isinstance(server, Sqlite) else _postgres(site)
    big = server.big(site)
    lines: list[str] = []
    marked = without = 0
    phase = ""
    for (during, sql), values in statements.items():
        if sql.split()[0].upper() not in ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH") or "typeinfo_tree" in sql:
            continue  # the last is what asyncpg asks of a new connection
        plan = explain(sql, values)
        if not plan or (sql[:6].upper() == "INSERT" and not any("Scan using" in step for step in plan)):
            without += 1
            continue
        if during != phase:
            phase = during
            lines.append(f"--- {phase} ---")
        lines.append(sql if len(sql) <= 230 else f"{sql[:229]}…")
        steps = [("!" if _whole(step, big) else " ", _without_partition(step)) for step in plan]
        lines += [f"    {mark} {step}" for mark, step in dict.fromkeys(steps)]
        marked += sum(mark == "!" for mark, _ in steps)
    lines.append(f"({without} statements more only insert)")
    return lines, marked


def _whole(step: str, big: set[str]) -> bool:
    """Whether a step reads all of something that is big."""
    if "VIRTUAL TABLE" in step or not (words := re.search(r"SCAN (\w+)|Seq Scan on (\w+)", step)):
        return False
    index = re.search(r"INDEX (\w+)", step)
    return (index[1] if index else words[1] or words[2]) in big


def _without_partition(step: str) -> str:
    """The same for each partition of a table, and short."""
    step = re.sub(r"_\d+_(\d{4}_\d{2}|rest)", "_PARTITION", step)
    step = re.sub(r"(_PARTITION\w* \w+?|Sort Key: \w+?)_\d+\b", r"\1", step)
    return step if len(step) <= 160 else f"{step[:159]}…"


def _sqlite(site: Site) -> Callable[[str, tuple[Any, ...]], list[str]]:
    import apsw

    connection = apsw.Connection(str(site.state / "carrier.db"), flags=apsw.SQLITE_OPEN_READWRITE)

    def explain(sql: str, values: tuple[Any, ...]) -> list[str]:
        try:
            return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        except apsw.Error:
            return []

    return explain


def _postgres(site: Site) -> Callable[[str, tuple[Any, ...]], list[str]]:
    import asyncpg

    def explain(sql: str, values: tuple[Any, ...]) -> list[str]:
        async def run() -> list[str]:
            connection = await asyncpg.connect(site.url, server_settings={"search_path": "carrier, public"})
            try:
                rows = await connection.fetch(f"EXPLAIN (COSTS OFF) {sql}", *values)
                return [str(row[0]) for row in rows if not str(row[0]).strip().startswith(("Output", "InitPlan"))]
            except asyncpg.PostgresError as error:
                return [f"(no plan: {error})"]
            finally:
                await connection.close()

        return anyio.run(run)

    return explain
