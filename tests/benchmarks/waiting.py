"""How much memory turns take that wait on a slow model: 10,000 of them in one process, each in a room of its own.

A provider keeps all answers back until every turn waits for one. Then the memory of the process is read, all are released, and
every turn has to be answered. It runs in a process of its own, so that nothing else is in its memory.

``waiting`` runs on SQLite in rooms in which nothing was said before, ``waiting-history`` in rooms with ten earlier messages
each, which are in the prompts that wait; ``waiting-postgres`` runs on PostgreSQL, in new rooms. ``--waiting N`` changes the
number of turns.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio

from carrier_core import Completion, Finish, Part, Prompt, Provider, Usage, impl
from carrier_core.host import Host
from carrier_core.logs import configure
from carrier_core.settings import LogSettings
from tests.benchmarks.backends import Site, backend
from tests.benchmarks.crowd import memories_of
from tests.benchmarks.gauges import resident
from tests.benchmarks.talk import Conversation, Place, Speech, batched, places, running

TURNS = 10_000
EARLIER = 10  # messages in a room that has a history
AT_ONCE = 200  # messages that are handed over together
PATIENCE = 600.0  # seconds until everybody waits, and until everybody is answered

Result = dict[str, dict[str, object]]


class Slow(Provider):
    """Answers nobody until everybody waits."""

    name = "slow"
    models = {"large": "slow"}

    def __init__(self, turns: int) -> None:
        self.waiting = 0
        self.everybody = anyio.Event()
        self.release = anyio.Event()
        self._turns = turns

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """The same to everybody."""
        self.waiting += 1
        if self.waiting == self._turns:
            self.everybody.set()
        await self.release.wait()
        return Completion((Part("I had to think about that."),), (), Finish.STOP, Usage(1, 1), self.name, model)


class Plugin:
    """Brings the slow provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @impl
    def register_providers(self) -> Provider:
        """The slow one."""
        return self._provider


async def hand_over(host: Host, rooms: list[Place]) -> list[str]:
    """One message in each room; the ids of their turns."""
    conversation, speech = Conversation(host, rooms), Speech(7)
    turns: list[str] = []

    async def one(place: Place) -> None:
        turns.append(await conversation.say(*place, speech.line(), 0))

    for some in batched(rooms, AT_ONCE):
        async with anyio.create_task_group() as group:
            for place in some:
                group.start_soon(one, place)
    return turns


async def hold(site: Site, store: str, count: int, earlier: int) -> dict[str, float]:
    """Let so many turns wait, then answer them."""
    rooms = places(count)
    slow = Slow(count)
    keys = f'models = {{ large = "slow" }}\nlimits = {{ seconds = {2 * PATIENCE} }}'
    async with running(site, store, extra={"slow": Plugin(slow)}, agent_keys=keys) as host:
        speech = Speech(3)
        for some in batched(rooms, 500) if earlier else ():
            await host.store.memory.put(
                tuple(memory for place in some for memory in memories_of(place, speech, earlier))
            )
        gc.collect()
        idle = resident()[0]
        with anyio.fail_after(PATIENCE):
            turns = await hand_over(host, rooms)
            await slow.everybody.wait()
        waiting = resident()[0]
        clock = time.perf_counter()
        slow.release.set()
        answered = 0
        with anyio.fail_after(PATIENCE):
            for turn in turns:
                answered += (await host.wait(turn))["status"] == "replied"
        return {
            "idle": idle,
            "waiting": waiting,
            "answered": answered,
            "seconds": time.perf_counter() - clock,
            "after": resident()[1],
        }


def apart(site: Site, store: str, count: int, earlier: int) -> dict[str, float]:
    """The same in a process of its own."""
    given = {"folder": str(site.folder), "environ": site.environ, "store": store, "count": count, "earlier": earlier}
    command = [sys.executable, "-m", "tests.benchmarks.waiting"]
    done = subprocess.run(command, input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(name: str = "sqlite", count: int = TURNS, earlier: int = 0) -> Result:
    """Measure on one backend."""
    with backend(name) as server, server.site() as site:
        found = apart(site, server.plugin, count, earlier)
    assert found["answered"] == count, found
    history = f"{earlier} earlier messages in each room" if earlier else "in new rooms"
    each = (found["waiting"] - found["idle"]) * 1024 / count
    words = (
        f"MB with {count} turns waiting, {history}: {found['idle']:.0f} MB before, {each:.1f} kB each; all answered within "
        f"{found['seconds']:.0f} s after their release, with at most {found['after']:.0f} MB"
    )
    key = f"waiting_{name}{'_history' if earlier else ''}_mb"
    return {key: {"value": round(found["waiting"], 1), "unit": words, "goal": "<= 500"}}


def main() -> None:
    """What :func:`apart` starts."""
    configure(LogSettings(), least="warning")
    given = json.load(sys.stdin)
    site = Site(Path(given["folder"]), given["environ"])
    print(json.dumps(anyio.run(hold, site, given["store"], given["count"], given["earlier"])))


if __name__ == "__main__":
    main()
