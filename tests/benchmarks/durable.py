"""What durability costs: whole default turns with everything on disk (SQLite with ``synchronous=FULL``), over 100 rooms.

Turns a second; commits that a turn waits for, and transactions of the database, in which the commits of many turns go
together; and the CPU time of the journal alone. For that the journal's calls of real turns are kept with their arguments,
and made again on a fresh database, by as many rooms at once, with nothing else around them: CPU of all threads of this
process, less that of the same loop with nothing in it. "The journal alone" makes these calls without memories and people,
which are stored in the same transactions but are not the journal's; "with memories" makes them as they were.

``durable`` runs on SQLite, ``durable-postgres`` on PostgreSQL, whose server's CPU time is told apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from statistics import median
from typing import Any

import anyio
import anyio.lowlevel

from carrier_core import Store, impl
from carrier_core.logs import configure
from carrier_core.settings import LogSettings
from carrier_core.testing import InMemoryStore
from tests.benchmarks.backends import Backend, Site, backend
from tests.benchmarks.gauges import Batches, Threads
from tests.benchmarks.talk import HISTORY, Conversation, Cost, cost, places, running

ROOMS = 100
EACH = 10  # turns of a room in one sample
SAMPLES = 5
KEPT = 24  # turns of a room whose calls are made again
AT_ONCE = 6  # of these, how many make a sample

Result = dict[str, dict[str, object]]
Call = tuple[str, tuple[Any, ...]]


class InMemory:
    """A plugin with a store that keeps nothing on disk."""

    @impl
    def register_stores(self) -> Store:
        """The contract's simplest form."""
        return InMemoryStore()


# --- whole turns ---------------------------------------------------------------------------------------------------------


async def turns(site: Site, store: str, outside: Callable[[], float], samples: int = SAMPLES) -> dict[str, Any]:
    """Whole turns over 100 rooms, after their history is there."""
    extra = None if store else {"in-memory": InMemory()}
    async with running(site, store, extra=extra) as host:
        conversation = Conversation(host, places(ROOMS))
        await conversation.go_on(HISTORY)
        batches = Batches(host.store) if store else None
        threads = Threads.seconds()
        costs = [await cost(partial(conversation.go_on, EACH), EACH * ROOMS, outside) for _ in range(samples)]
        count = samples * EACH * ROOMS
        spent = {name: (seconds - threads.get(name, 0)) / count for name, seconds in Threads.seconds().items()}
        return {"costs": costs, "batches": batches, "count": count, "threads": spent}


# --- the journal alone -----------------------------------------------------------------------------------------------------

_CALLS = "append_inbound claim_room open_turn begin_step record_steps complete finish deliver discard".split()


async def calls_of(site: Site, store: str) -> dict[str, list[list[Call]]]:
    """What real turns call the journal with: by room, turn after turn."""
    kept: dict[str, list[list[Call]]] = defaultdict(lambda: [[]])

    def keep(name: str, method: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def called(*args: Any) -> object:
            room = args[0].room if hasattr(args[0], "room") else args[1]
            kept[room][-1].append((name, args))
            if name == "finish":
                kept[room].append([])
            return await method(*args)

        return called

    async with running(site, store) as host:
        for name in _CALLS:
            setattr(host.store.journal, name, keep(name, getattr(host.store.journal, name)))
        await Conversation(host, places(ROOMS)).go_on(HISTORY + KEPT)
    return kept


def _alone(name: str, args: tuple[Any, ...]) -> Call:
    """The call without memories and people."""
    if name == "open_turn":
        return name, (*args[:2], None, ())
    if name == "complete":
        return name, (*args[:2], (), *args[3:])
    if name == "finish":
        return name, (*args[:2], (), *args[3:])
    return name, args


async def again(
    site: Site, store: str, kept: Iterable[list[list[Call]]], outside: Callable[[], float], *, empty: bool = False
) -> tuple[list[Cost], str]:
    """Make the calls again on a fresh store; milliseconds a turn of each sample, and how they were committed together."""
    async with running(site, store) as host:  # for its store: the host itself has nothing to do
        journal = host.store.journal

        async def one(turns: list[list[Call]]) -> None:
            for calls in turns:
                for name, args in calls:
                    await (anyio.lowlevel.checkpoint() if empty else getattr(journal, name)(*args))

        async def stretch(first: int, last: int) -> None:
            async with anyio.create_task_group() as group:
                for turns in kept:
                    group.start_soon(one, turns[first:last])

        await stretch(0, HISTORY)
        batches, threads = Batches(host.store), Threads.seconds()
        costs = [
            await cost(partial(stretch, first, first + AT_ONCE), AT_ONCE * ROOMS, outside)
            for first in range(HISTORY, HISTORY + KEPT, AT_ONCE)
        ]
        spent = {name: seconds - threads.get(name, 0) for name, seconds in Threads.seconds().items()}
        return costs, "" if empty else f"{_shares(spent, KEPT * ROOMS)}; requests in one: {batches.distribution()}"


def _shares(spent: dict[str, float], turns: int) -> str:
    """CPU milliseconds a turn by thread, in words."""
    return ", ".join(f"{_THREADS.get(name, name)} {seconds / turns * 1000:.2f}" for name, seconds in spent.items())


_THREADS = {"MainThread": "event loop", "carrier-memory-sqlite": "writer thread", "workers": "worker threads"}

# --- the table -------------------------------------------------------------------------------------------------------------


def least(costs: list[Cost]) -> float:
    """The least CPU time in this process."""
    return min(each.cpu for each in costs)


def entry(value: float, unit: str, **more: object) -> dict[str, object]:
    """A line of the table."""
    return {"value": round(value, 3), "unit": unit, **more}


def relative(costs: list[Cost]) -> dict[str, object]:
    """The median of what a turn costs beside the calibration loop at that time."""
    values = [each.relative for each in costs]
    loop = min(each.calibration for each in costs)
    words = f"thousandths of the calibration loop's CPU, median; least of that loop {loop:.1f} ms, most "
    return entry(median(values), f"{words}{max(each.calibration for each in costs):.1f}", samples=len(costs))


def whole(found: dict[str, Any], name: str, *, goals: bool) -> Result:
    """The lines on whole turns."""
    costs: list[Cost] = found["costs"]
    samples = len(costs)
    requests, transactions = found["batches"].per(found["count"])
    wall, waited = (sum(getattr(each, key) for each in costs) / samples for key in ("wall", "waited"))
    best = min(each.wall - each.waited for each in costs)
    results = {
        "turns_per_s": entry(1000 / wall, f"turns/s, {found['count']} in a row"),
        "turns_per_s_free": entry(
            1000 / (wall - waited), "turns/s, less the time that other processes had its processor"
        ),
        "turns_per_s_best": entry(
            1000 / best, f"turns/s, the same of the best of {samples} stretches", samples=samples
        ),
        "turn_cpu_ms": entry(least(costs), "ms CPU a turn", samples=samples),
        "turn_relative": relative(costs),
        "turn_cpu_mean_ms": entry(sum(each.cpu for each in costs) / samples, "ms CPU a turn", samples=samples),
        "commits": entry(requests, "commits awaited by a turn, those of a recall that has to index first included"),
        "transactions": entry(transactions, f"transactions a turn; requests in one: {found['batches'].distribution()}"),
    }
    if goals:
        results["turns_per_s"]["goal"] = ">= 500"
        results["commits"]["goal"] = "<= 4"
    if any(each.outside for each in costs):
        results["server_cpu_ms"] = entry(min(each.outside for each in costs), "ms CPU of the server a turn")
    for thread, seconds in found["threads"].items():
        kind = _THREADS.get(thread, thread)
        results[f"cpu_{kind.replace(' ', '_')}_ms"] = entry(seconds * 1000, "ms CPU a turn, mean")
    return {f"durable_{name}_{key}": value for key, value in results.items()}


def journal(server: Backend, name: str, *, goals: bool) -> Result:
    """The lines on the journal's own calls."""
    with server.site() as site:
        kept = anyio.run(calls_of, site, server.plugin)
    as_it_was = [*kept.values()]
    alone = [[[_alone(*call) for call in turn] for turn in turns] for turns in as_it_was]
    found: dict[str, list[Cost]] = {}
    words: dict[str, str] = {}
    for key, calls, empty in (("empty", as_it_was, True), ("alone", alone, False), ("whole", as_it_was, False)):
        with server.site() as site:
            found[key], words[key] = anyio.run(partial(again, empty=empty), site, server.plugin, calls, server.cpu)
    nothing = least(found["empty"])
    counted = Counter(name for turns in as_it_was for turn in turns[HISTORY:] for name, _ in turn)
    each = ", ".join(f"{name} {count / ROOMS / KEPT:.2f}" for name, count in counted.items())
    samples = len(found["alone"])
    results = {
        "journal_cpu_ms": entry(
            least(found["alone"]) - nothing,
            f"ms CPU a turn, the journal alone; {samples} samples of {AT_ONCE * ROOMS} turns; calls: {each}",
            samples=samples,
        ),
        "journal_relative": relative(found["alone"]),
        "journal_mean_ms": entry(
            sum(cost.cpu for cost in found["alone"]) / samples - nothing, f"ms CPU a turn, mean: {words['alone']}"
        ),
        "journal_memories_cpu_ms": entry(least(found["whole"]) - nothing, "ms CPU a turn, with memories and people"),
        "journal_wall_ms": entry(
            min(cost.wall - cost.waited for cost in found["alone"]), "ms wall a turn, the journal alone"
        ),
        "journal_empty_ms": entry(nothing, "ms CPU a turn of the same loop with nothing in it, taken off the others"),
    }
    if any(cost.outside for cost in found["alone"]):
        server_cpu = min(cost.outside for cost in found["alone"])
        results["journal_server_cpu_ms"] = entry(server_cpu, "ms CPU of the server a turn")
    if goals:
        results["journal_cpu_ms"]["goal"] = "<= 0.3"
    return {f"durable_{name}_{key}": value for key, value in results.items()}


def measure(name: str = "sqlite") -> Result:
    """Measure on one backend; with SQLite also what the same turns cost where nothing is kept on disk."""
    configure(LogSettings(), least="warning")
    goals = name == "sqlite"
    results: Result = {}
    with backend(name) as server:
        with server.site() as site:
            results |= whole(
                anyio.run(turns, site, server.plugin, server.cpu, SAMPLES if goals else 3), name, goals=goals
            )
        results |= journal(server, name, goals=goals)
        if name == "sqlite":
            with server.site() as site:
                found = anyio.run(turns, site, "", server.cpu, 3)
            results["durable_memory_turn_cpu_ms"] = entry(
                least(found["costs"]), "ms CPU a turn on the store in memory (it encodes and decodes every record too)"
            )
    return results
