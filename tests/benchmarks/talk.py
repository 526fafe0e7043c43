"""What is said in the benchmarks, by whom and where, and a host that answers it."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import NamedTuple

import anyio

from carrier_core.daemon import spare_collector
from carrier_core.host import Host
from carrier_core.messages import Entity, Inbound, Room
from carrier_core.outcomes import Event
from carrier_core.plugins import Plugins
from carrier_core.settings import Config, load
from tests.benchmarks.backends import Site
from tests.benchmarks.gauges import calibration, waited

AGENT = "tifa"
HISTORY = 16  # turns, which make the 32 messages that a prompt shows

_CONFIG = """
[agents.{agent}]
{agent_keys}
[plugins]
enabled = [{plugins}]
[policy]
trusted = ["carrier-context-standard"]
[clients.terminal]
enabled = false
[log]
level = "warning"
"""
_PLUGINS = ("carrier-provider-scripted", "carrier-context-standard", "carrier-actions-standard")
_CHARACTERS = Path(__file__).parents[2] / "config" / "characters"

Place = tuple[Room, Entity]
"""A room and the person who talks there."""


# --- what is said --------------------------------------------------------------------------------------------------------

_SHAPES = (
    "I {verb} a {adjective} {noun} with {name} in {place} {when}.",
    "My {kin} {name} {verb} the {noun} that we had left near {place}, and now the {noun} is {adjective}.",
    "What do you think about the {noun} in {place}? {name} says that it is {adjective}.",
    "{when} {name} and I {verb} a {noun} before the {noun} got {adjective}.",
    "Could you remind me which {noun} my {kin} {verb} {when}?",
    "The {adjective} {noun} from {place} is still at the {noun} of {name}; I {verb} it {when}.",
    "I never {verb} a {noun} as {adjective} as the one that {name} keeps in {place}.",
    "Tell me something about the {noun} of {place}.",
    "We live in {place} now, next to the {noun}, and my {kin} {verb} a {adjective} {noun}.",
)
_WORDS = {
    "noun": "market garage radio bicycle garden lighthouse kitchen violin bakery train harbour window letter festival "
    "library mountain recipe camera boat bridge neighbour doctor school concert ticket apartment orchard coffee storm "
    "football painting museum dog cat horse lamp blanket chess puzzle guitar candle bottle suitcase jacket passport "
    "meeting contract invoice printer server keyboard monitor river forest beach island tent stove soup bread cheese",
    "adjective": "old small quiet broken red bright strange heavy cold warm cheap famous green empty crowded wooden "
    "narrow golden sleepy noisy careful gentle rusty modern lost favourite",
    "verb": "found repaired sold bought painted visited carried forgot borrowed watched cleaned measured planned "
    "photographed returned promised cooked opened moved described ordered cancelled",
    "kin": "brother sister mother father cousin neighbour teacher colleague uncle aunt friend boss",
    "when": "yesterday;this morning;last week;on Tuesday;two years ago;before the winter;last summer;on my birthday;"
    "after work;at the weekend;in March",
}
_LISTS = {key: words.split(";") if ";" in words else words.split() for key, words in _WORDS.items()}
_SYLLABLES = (
    "ba be ri lo mi na ka to sa ve li du ra mo ne shi tan vor gel hus pen dra mel rin quo zel fa bru cor wyn".split()
)
_NAMES = 20_000


def _named(number: int) -> str:
    """One of the names of people and places."""
    name = ""
    number += len(_SYLLABLES)
    while number:
        number, index = divmod(number, len(_SYLLABLES))
        name += _SYLLABLES[index]
    return name.capitalize()


_NAMED = [_named(number) for number in range(_NAMES)]
_WEIGHTS = [*accumulate(1 / (rank + 20) for rank in range(_NAMES))]  # few names are heard often, most hardly ever


class Speech:
    """Sentences that nobody has said before: the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def line(self) -> str:
        """Some 5 to 20 words."""
        choose = self._random.choice
        text = choose(_SHAPES)
        for key in ("name", "place"):
            for _ in range(text.count(f"{{{key}}}")):
                text = text.replace(f"{{{key}}}", self.name(), 1)
        for key, words in _LISTS.items():
            while f"{{{key}}}" in text:
                text = text.replace(f"{{{key}}}", choose(words), 1)
        return text[0].upper() + text[1:]

    def name(self) -> str:
        """A person's or a place's."""
        return self._random.choices(_NAMED, cum_weights=_WEIGHTS)[0]


# --- where, and with whom -----------------------------------------------------------------------------------------------


def places(count: int, first: int = 0) -> list[Place]:
    """So many rooms, with one person in each."""
    return [place(number) for number in range(first, first + count)]


def place(number: int) -> Place:
    """The room of this number and its person."""
    return Room.of("local", f"r{number}"), Entity.of("local", f"person{number}", name=_NAMED[number % _NAMES])


def config(folder: Path, store: str, environ: Mapping[str, str], *, agent_keys: str = "") -> Config:
    """The configuration of a host with the default plugins and the store of this plugin, none if it is empty."""
    plugins = ", ".join(f'"{name}"' for name in (*_PLUGINS, store) if name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "carrier.toml"
    path.write_text(_CONFIG.format(agent=AGENT, plugins=plugins, agent_keys=agent_keys))
    if not (folder / "characters").exists():
        (folder / "characters").symlink_to(_CHARACTERS)
    return load(path, environ, folder)


@asynccontextmanager
async def running(
    site: Site, store: str, *, extra: Mapping[str, object] | None = None, agent_keys: str = ""
) -> AsyncIterator[Host]:
    """A host on a database, as the daemon runs it. ``extra`` are plugins of the benchmark's own.

    Context has a minute instead of two seconds, and nothing may fail: a turn that leaves out what comes late would be measured
    as a cheap one.
    """
    loaded = config(site.folder, store, site.environ, agent_keys=agent_keys)
    plugins = Plugins(loaded, extra=extra)
    plugins.find()
    plugins.load()
    plugins.take_secrets()
    assert not plugins.faults, plugins.faults
    failed: list[Event] = []
    async with Host(loaded, site.state, plugins=plugins, clients="none").running() as host:
        host.budgets.update(dict.fromkeys(("provide_state", "Context.provide", "recall"), 60.0))
        host.events.listen(lambda event: failed.append(event) if event.name == "plugin_failed" else None)
        gc.collect()
        spare_collector()
        try:
            yield host
        finally:
            gc.unfreeze()
    assert not failed, failed[0]


class Said(NamedTuple):
    """What a stretch of conversation came to: its turns, the bytes of the text on both sides, the wall time of each turn
    in milliseconds."""

    turns: int
    text: int
    walls: list[float]


class Conversation:
    """People who each wait for the answer before they say the next thing. ``number`` counts what was said in each room."""

    def __init__(self, host: Host, rooms: Sequence[Place], *, seed: int = 1, number: int = 0) -> None:
        self.host = host
        self.rooms = rooms
        self.number = number
        self._speech = Speech(seed)

    async def go_on(self, each: int) -> Said:
        """So many turns in every room, one after another there and all rooms at once."""
        walls: list[float] = []
        text = 0

        async def one(room: Room, person: Entity) -> None:
            nonlocal text
            for number in range(self.number, self.number + each):
                line = self._speech.line()
                result = await self.host.wait(await self.say(room, person, line, number))
                assert result["status"] == "replied", result
                reply = result["reply"]
                assert isinstance(reply, dict)
                text += len(line.encode()) + len(str(reply["text"]).encode())
                walls.append(float(str(result["duration_ms"])))

        async with anyio.create_task_group() as group:
            for room, person in self.rooms:
                group.start_soon(one, room, person)
        self.number += each
        return Said(each * len(self.rooms), text, walls)

    async def say(self, room: Room, person: Entity, line: str, number: int) -> str:
        """One message; returns the id of its turn."""
        event = f"{room.native}/{number}"
        inbound = Inbound.say(room, person, line, event=event, at=time.time(), client="local", agent=AGENT)
        return (await self.host.accept(inbound)).heard[0].turn


class Cost(NamedTuple):
    """What a turn cost over a stretch, in milliseconds: CPU in this process and elsewhere, wall time (of throughput), and how
    much of that the event loop could have run and had no processor, because others had them.

    ``calibration`` is what the calibration loop took before and after it, in milliseconds: on a machine that others use too,
    the same work takes up to twice the CPU time from one second to the next.
    """

    cpu: float
    outside: float
    wall: float
    waited: float
    calibration: float

    @property
    def relative(self) -> float:
        """CPU in this process, in thousandths of the calibration loop."""
        return self.cpu / self.calibration * 1000


async def cost(work: Callable[[], Awaitable[object]], turns: int, outside: Callable[[], float]) -> Cost:
    """Measure a stretch of so many turns."""
    speed = calibration()
    before = time.process_time(), outside(), time.perf_counter(), waited()
    await work()
    after = time.process_time(), outside(), time.perf_counter(), waited()
    used = [(end - start) / turns * 1000 for start, end in zip(before, after, strict=True)]
    return Cost(*used, (speed + calibration()) * 500)


def batched(items: Sequence[Place], size: int) -> Iterator[Sequence[Place]]:
    """Slices of a sequence."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
