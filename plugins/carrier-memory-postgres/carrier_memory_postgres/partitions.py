"""The partitions of the memories: one for each agent, in it one for each month and one for whatever has no month.

They are made when they are first needed, and those of this and the next month when the store is opened. A memory from
long ago, or from the future, lies in the one without bounds: a clock that jumps makes no partitions.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.connections import Link, Speaker, lock_key
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.vectors import tables

PAST, FUTURE = 24, 1
"""Months that have a partition of their own, seen from this one."""
NONE = -1
"""The month of what has none."""

_SQL = queries("partitions")

Month = int
"""Months since the beginning of the year 0."""


def month_of(at: float, now: float) -> Month:
    """The month that a time falls in, or none if that is far from now."""
    try:
        month = _month(at)
    except (ValueError, OverflowError, OSError):
        return NONE
    return month if -PAST <= month - _month(now) <= FUTURE else NONE


def bounds(month: Month) -> tuple[float, float]:
    """The beginning and the end of a month, in seconds since the epoch."""
    first, last = (datetime(each // 12, each % 12 + 1, 1, tzinfo=UTC) for each in (month, month + 1))
    return first.timestamp(), last.timestamp()


def _month(at: float) -> Month:
    date = datetime.fromtimestamp(at, UTC)
    return date.year * 12 + date.month - 1


async def ensure_partitions(batch: Batch, memories: Iterable[tuple[str, float]]) -> None:
    """Make the partitions that memories of these agents and times belong into."""
    now, known = time.time(), batch.known.partitions
    wanted = {(agent, month_of(at, now)) for agent, at in memories} - known
    if wanted:
        wanted |= {(agent, NONE) for agent, _ in wanted}
        await make_partitions(batch.link, wanted)
        known.update(wanted)


async def make_ahead(link: Speaker) -> None:
    """Make the partitions of this and the next month for every agent that there is."""
    month = _month(time.time())
    agents = [agent for (agent,) in await link.fetch(_SQL["agents"])]
    if agents:
        await make_partitions(link, {(agent, each) for agent in agents for each in (month, month + 1)})


async def make_partitions(link: Speaker, wanted: set[tuple[str, Month]]) -> None:
    """Make partitions that are not there yet, in the transaction that is under way: one process at a time."""
    there = await _there(link, wanted)
    if wanted <= there:
        return
    await link.fetch(_SQL["lock"], lock_key("partitions"))
    there = await _there(link, wanted)
    for agent, month in sorted(wanted - there):
        if month == NONE:
            await _make_agent(link, agent)
        else:
            await _make_month(link, agent, month)


async def _there(link: Speaker, wanted: set[tuple[str, Month]]) -> set[tuple[str, Month]]:
    rows = await link.fetch(_SQL["of_agents"], sorted({agent for agent, _ in wanted}))
    return {(agent, NONE if since is None else _month(since)) for agent, since in rows}


async def _make_agent(link: Speaker, agent: str) -> None:
    name = await _name(link)
    quoted = "'" + agent.replace("'", "''") + "'"
    await link.execute(_SQL["make_agent"].format(name=name, agent=quoted))
    await link.fetch(_SQL["note"], f"{name}_rest", agent, None, None)


async def _make_month(link: Speaker, agent: str, month: Month) -> None:
    rest = str((await link.fetch(_SQL["rest"], agent))[0][0])
    parent = rest.removesuffix("_rest")
    name = f"{parent}_{month // 12}_{month % 12 + 1:02}"
    since, until = bounds(month)
    await link.execute(_SQL["make_month"].format(name=name, parent=parent, rest=rest, since=since, until=until))
    await link.fetch(_SQL["note"], name, agent, since, until)


async def _name(link: Speaker) -> str:
    return f"memories_{(await link.fetch(_SQL['number']))[0][0]}"


# --- the end of a month ----------------------------------------------------------------------------------------------


async def over(link: Speaker, agent: str, cutoffs: Mapping[str, float]) -> str:
    """The name of a month's partition of which nothing is to be kept: every kind of memory in it has a time up to which all
    go. Empty if there is none."""
    if not cutoffs:
        return ""
    for name, until in await link.fetch(_SQL["over"], agent, max(cutoffs.values())):
        kinds = [kind for (kind,) in await link.fetch(_SQL["kinds"].format(name=name))]
        if all(cutoffs.get(kind, float("-inf")) >= until for kind in kinds):
            return str(name)
    return ""


async def detach(link: Speaker, name: str) -> None:
    """Take a month out of the table, in the transaction that is under way: nobody finds it any more."""
    parent = "_".join(name.split("_")[:2])
    new = f"gone_{(await link.fetch(_SQL['number']))[0][0]}"
    await link.execute(_SQL["changed"].format(name=name))
    await link.execute(_SQL["detach"].format(parent=parent, name=name))
    await link.execute(_SQL["rename"].format(name=name, new=new))
    await link.fetch(_SQL["detached"], name, new)


async def drop_detached(link: Link, agent: str) -> int:
    """Remove the months that were taken out, with all that leads to them; how many memories they had. On a connection of
    its own: turns go on meanwhile. One that was cut off is gone on with the next time."""
    count = 0
    for (name,) in await link.fetch(_SQL["dropping"], agent):
        await link.execute("BEGIN")
        try:
            for _, table in await tables(link):
                vectors = f"vectors_{table.number}"
                await link.execute(_SQL["forget_vectors"].format(name=name, vectors=vectors))
            count += (await link.fetch(_SQL["forget_rows"].format(name=name)))[0][0]
            await link.execute(_SQL["drop"].format(name=name))
            await link.fetch(_SQL["dropped"], name)
            await link.execute("COMMIT")
        except BaseException:
            link.terminate()
            raise
    return count
