"""What very many memories cost: start-up until ready, and a turn beside the same turn on an empty database.

The database has ten memories in each room (see ``crowd.py``). It is made once, in ``$BENCH_CACHE`` or ``.bench/cache``, and copied
for each run. ``--memories N`` says how many: 100,000 in 10,000 rooms without it, so that ``make bench`` stays short; the figures
that have goals are those of

    make bench ARGS="million --memories 1000000"

Three comparisons, each on two hosts in one process, by turns, the least of several samples, over 100 rooms:

- ``turn``: rooms with a full history on both sides, the big database against an empty one in which only these rooms talk;
- ``cold``: rooms in which nothing was said since the start, against a database that has these rooms and no others;
- the parts: CPU of the event loop in each method of the store, and of the writer's thread, on the first pair.

The empty database fills while it is measured: a turn there costs a third more after a hundred messages in each room than in the
first sample, where all that was said stands in the prompt and there is nothing to recall. The least of all samples is therefore the
ratio at its worst, the median of pairs the one that lasts.

Then the plans of all statements of opening, of a cold turn and of a warm one. ``million`` runs on SQLite, ``million-postgres``
on PostgreSQL.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

import anyio

from carrier_core.host import Host
from carrier_core.logs import configure
from carrier_core.settings import LogSettings
from tests.benchmarks.backends import Backend, Site, backend
from tests.benchmarks.crowd import IN_A_ROOM, fill, kept, room_of
from tests.benchmarks.gauges import Parts, Threads
from tests.benchmarks.plans import Listener, plans
from tests.benchmarks.starting import CARRIERD, TICKS, environment
from tests.benchmarks.talk import HISTORY, Conversation, Cost, Place, batched, config, cost, running

MEMORIES = 100_000
ROOMS = 100
EACH = 3  # turns of a room in one sample
SAMPLES = 7
COLD = 5  # samples of one turn in each of 100 rooms
METERED = 3  # samples in which the parts are told apart, which costs a little itself
STARTS = 3
BIG, EMPTY, ALONE = "big", "empty", "alone"

Result = dict[str, dict[str, object]]


def cache() -> Path:
    """Where big databases are kept."""
    return Path(os.environ.get("BENCH_CACHE") or ".bench/cache").absolute()


# --- starting --------------------------------------------------------------------------------------------------------------


class Start(NamedTuple):
    """A start of the daemon until it says that it is ready: wall and CPU seconds, and its memory then in MB."""

    wall: float
    cpu: float
    memory: float


def started(site: Site, store: str) -> Start:
    """Start the daemon on a database, and stop it."""
    loaded = config(site.folder, store, site.environ)
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        address = f"{folder}/notify"
        listener.bind(address)
        listener.settimeout(0.5)
        clock = time.perf_counter()
        process = subprocess.Popen(
            [CARRIERD, "run", "--config", str(loaded.path), "--state", str(site.state)],
            cwd=folder,
            env=environment(NOTIFY_SOCKET=address, **site.environ),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not _ready(listener):
                assert process.poll() is None, "the daemon did not start"
            wall = time.perf_counter() - clock
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.terminate()
            process.wait(60)
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return Start(wall, (int(fields[11]) + int(fields[12])) / TICKS, int(memory.split()[1]) / 1024)


def _ready(listener: socket.socket) -> bool:
    try:
        return b"READY=1" in listener.recv(4096)
    except TimeoutError:
        return False


# --- turns ------------------------------------------------------------------------------------------------------------------


def chosen(memories: int) -> tuple[list[Place], list[int]]:
    """Rooms to talk in again and again, and the numbers of others to say one thing in; all of one person, and all over."""
    numbers = [number for number in range(memories // IN_A_ROOM) if number % 50 != 49]
    some = Random(1).sample(numbers, ROOMS * (1 + COLD + METERED))
    return [room_of(number)[:2] for number in some[:ROOMS]], some[ROOMS:]


class Spent(NamedTuple):
    """CPU milliseconds a turn by part, calls a turn, and the wall milliseconds of each recall."""

    parts: dict[str, float]
    calls: dict[str, float]
    walls: list[float]


class Compared(NamedTuple):
    """By database: the costs of turns, CPU milliseconds and calls a turn by part, wall milliseconds of recalls."""

    costs: dict[str, list[Cost]]
    parts: dict[str, dict[str, float]]
    calls: dict[str, dict[str, float]]
    walls: dict[str, list[float]]


@asynccontextmanager
async def hosts(sites: dict[str, Site], store: str) -> AsyncIterator[dict[str, Host]]:
    """A host on each of the databases, all in this process."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(running(site, store)) for name, site in sites.items()}


async def parts_of(host: Host, turns: int, talk: Conversation, each: int, outside: Callable[[], float]) -> Spent:
    """CPU milliseconds a turn by part, and how often each was called in a turn."""
    gauge = Parts(host.store)
    try:
        threads, before, elsewhere = Threads.seconds(), time.process_time(), outside()
        await talk.go_on(each)
        spent = {part: seconds / turns * 1000 for part, seconds in gauge.spent.items()}
        for thread, seconds in Threads.seconds().items():
            if thread != "MainThread":
                kind = "writer thread" if thread.startswith("carrier") else "worker threads"
                spent[kind] = spent.get(kind, 0.0) + (seconds - threads.get(thread, 0)) / turns * 1000
        spent["the rest of the event loop"] = (time.process_time() - before) / turns * 1000 - sum(spent.values())
        if outside():
            spent["server"] = (outside() - elsewhere) / turns * 1000
        return Spent(spent, {part: count / turns for part, count in gauge.calls.items()}, gauge.walls)
    finally:
        gauge.remove()


async def compare_warm(server: Backend, sites: dict[str, Site], memories: int) -> Compared:
    """The same turns on each database, by turns, in rooms with a full history."""
    rooms, _ = chosen(memories)
    async with hosts(sites, server.plugin) as there:
        talks = {name: Conversation(host, rooms, number=1_000) for name, host in there.items()}
        for talk in talks.values():
            await talk.go_on(HISTORY)
        found = Compared({name: [] for name in talks}, {}, {}, {})
        for _ in range(SAMPLES):
            for name, talk in talks.items():
                found.costs[name].append(await cost(partial(talk.go_on, EACH), EACH * ROOMS, server.cpu))
        for _ in range(METERED):
            for name, talk in talks.items():
                _least_parts(found, name, await parts_of(there[name], EACH * ROOMS, talk, EACH, server.cpu))
        return found


async def compare_cold(server: Backend, sites: dict[str, Site], memories: int) -> Compared:
    """One turn in each of many rooms on each database, by turns."""
    _, numbers = chosen(memories)
    found = Compared({name: [] for name in sites}, {}, {}, {})
    async with hosts(sites, server.plugin) as there:
        for sample, some in enumerate(batched([room_of(number)[:2] for number in numbers], ROOMS)):
            for name, host in there.items():
                once = Conversation(host, some, number=1_000)
                if sample < COLD:
                    found.costs[name].append(await cost(partial(once.go_on, 1), ROOMS, server.cpu))
                else:
                    _least_parts(found, name, await parts_of(host, ROOMS, once, 1, server.cpu))
    return found


def _least_parts(found: Compared, name: str, spent: Spent) -> None:
    known = found.parts.setdefault(name, {})
    known.update({part: min(value, known.get(part, value)) for part, value in spent.parts.items()})
    found.calls[name] = spent.calls
    found.walls.setdefault(name, []).extend(spent.walls)


async def listen(server: Backend, site: Site, memories: int, listener: Listener) -> None:
    """One turn in a cold room, then three in it while it is warm."""
    _, cold = chosen(memories)
    async with running(site, server.plugin) as host:
        talk = Conversation(host, [room_of(cold[-1])[:2]], number=2_000)
        listener.phase = "a turn in a room where nothing was said since the start"
        await talk.go_on(1)
        listener.phase = "a turn in a room that is warm (what was not run before)"
        before = {sql for _, sql in listener.statements}
        await talk.go_on(HISTORY + 4)
        listener.statements = {
            key: values
            for key, values in listener.statements.items()
            if key[0] != listener.phase or key[1] not in before
        }


# --- the table --------------------------------------------------------------------------------------------------------------


def _least(costs: list[Cost], key: str = "cpu") -> float:
    return min(float(getattr(each, key)) for each in costs)


def _ratio(found: Compared, other: str) -> dict[str, object]:
    one, beside = found.costs[BIG], found.costs[other]
    first, second = _least(one), _least(beside)
    pairs = median(each.cpu / other.cpu for each, other in zip(one, beside, strict=True))
    words = (
        f"times, CPU of a turn: {first:.2f} ms beside {second:.2f} ms, least of {len(one)}; median of pairs {pairs:.2f}"
    )
    if any(each.outside for each in one):
        words += f"; of the server {_least(one, 'outside'):.2f} ms beside {_least(beside, 'outside'):.2f} ms"
        together = (first + _least(one, "outside")) / (second + _least(beside, "outside"))
        words += f", together {together:.2f} times"
    value = round(first / second, 2)
    return {"value": value, "unit": words, "samples": len(one), "detail": _by_part(found, other)}


def _by_part(found: Compared, other: str) -> list[str]:
    big, beside, calls = found.parts[BIG], found.parts[other], found.calls[BIG]
    lines = [f"   {BIG}   {other}   growth  calls   of a turn's CPU, in ms, least of {METERED}"]
    for part in sorted(big, key=lambda part: beside.get(part, 0.0) - big[part]):
        first, second = big[part], beside.get(part, 0.0)
        count = f"{calls[part]:.2f}" if part in calls else ""
        lines.append(f"{first:6.3f}  {second:6.3f}  {first - second:+6.3f}  {count:>5}   {part}")
    for name in (BIG, other):
        walls = sorted(found.walls[name])
        middle, late = walls[len(walls) // 2], walls[len(walls) * 95 // 100]
        lines.append(
            f"a recall's wall time, {ROOMS} rooms at once, {name}: p50 {middle:.0f} ms, p95 {late:.0f}, most {walls[-1]:.0f}"
        )
    return lines


def measure(name: str = "sqlite", memories: int = MEMORIES) -> Result:
    """Measure on one backend."""
    configure(LogSettings(), least="warning")
    results: Result = {}
    with backend(name, cache()) as server:
        template, seconds = kept(server, memories)
        made = f"made in {seconds:.0f} s" if seconds else "made earlier"
        with server.site(template) as big:
            size, _ = server.sizes(big)
            words = f"MB, {memories} memories in {memories // IN_A_ROOM} rooms, {made}"
            results["size_mb"] = {"value": round(size / 1e6), "unit": words}
            starts = [started(big, server.plugin) for _ in range(1 + STARTS)]  # the first one reads from the disk
            best = min(starts[1:])
            words = (
                f"s wall until ready, least of {STARTS} ({starts[0].wall:.2f} the first time); "
                f"{best.cpu:.2f} s CPU, {best.memory:.0f} MB"
            )
            results["start_s"] = {"value": round(best.wall, 3), "unit": words, "goal": "< 1"}
            with server.site() as empty, server.site() as alone:
                anyio.run(fill, alone, server.plugin, chosen(memories)[1])
                cold = anyio.run(compare_cold, server, {BIG: big, ALONE: alone}, memories)
                warm = anyio.run(compare_warm, server, {BIG: big, EMPTY: empty}, memories)
                results["turn_ratio"] = _ratio(warm, EMPTY) | {"goal": "<= 1.5"}
                results["cold_ratio"] = _ratio(cold, ALONE)
            listener = Listener()
            with listener.sqlite() if name == "sqlite" else listener.postgres():
                anyio.run(listen, server, big, memories, listener)
            detail, marked = plans(server, big, listener.statements)
            words = "steps that look at a whole table or index of more than a few pages; the plans:"
            results["scans"] = {"value": marked, "unit": words, "detail": detail}
    return {f"million_{name}_{key}": value for key, value in results.items()}
