"""The world of a task agent that is killed at every step: a client, an action and a file in which all that happens is written down.

The process dies (SIGKILL) before and after each write of the journal, each effect, each call of the model and each post: once at
every place, or at the one place that ``CARRIER_TEST_PLACE`` names. A line of the file that was written stays, since the kernel has
it; one that was not, did not happen. ``CARRIER_TEST_PLACE=none`` lets it live.
"""

import json
import os
import signal
from functools import wraps
from pathlib import Path

import anyio

from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Client,
    Effect,
    Entity,
    Inbound,
    NotSent,
    Part,
    PluginSettings,
    Provider,
    Receipt,
    Room,
    Sent,
    Then,
    Turn,
    action,
    impl,
)

PLACE = "CARRIER_TEST_PLACE"
GOAL = "Write down these five lines: alpha, beta, gamma, delta and omega."

WRITES = "append_inbound claim_room open_turn activate begin_step record_steps park unpark complete finish deliver"


class Settings(PluginSettings):
    """``world`` is the file; with ``keys`` the platform takes a post once, however often it is sent; ``finish`` is whether it has
    an action of that name."""

    world: str
    keys: bool = True
    finish: bool = True


class World:
    """What happened, in order, over all lives of the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._path = path
        self._wanted = os.environ.get(PLACE, "")
        self._died = {entry["place"] for entry in self.entries("died")}

    def entries(self, what: str) -> list[dict]:
        """The entries of one sort."""
        found = [json.loads(line) for line in self._path.read_text().splitlines()]
        return [entry for entry in found if entry["what"] == what]

    def note(self, what: str, **rest: object) -> None:
        """Write something down."""
        os.write(self._file, json.dumps({"what": what} | rest).encode() + b"\n")

    def passing(self, place: str) -> None:
        """Die here, if it has not been done before; or be seen here."""
        if self._wanted == "none":
            self.note("passed", place=place)
        elif place not in self._died and self._wanted in ("", place):
            self.note("died", place=place)
            os.kill(os.getpid(), signal.SIGKILL)


class Errands(Client):
    """Says what is to be done, again after each start, and keeps what it is told."""

    name = "errands"
    platform = "errands"

    def __init__(self, world: World, keys: bool) -> None:
        self.world = world
        self.idempotent = keys

    async def run(self, host, started):
        started()
        room = Room.of(self.platform, "desk")
        said = Inbound.say(room, Entity.of(self.platform, "ana", name="Ana"), GOAL, event="goal", at=1_700_000_000.0)
        accepted = await host.accept(said)
        result = await host.wait(accepted.heard[0].turn)
        while await self.world.journal.ready():
            await anyio.sleep(0.01)
        self.world.note("ended", status=result["status"], reason=result["reason"], reply=result["reply"])
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep_forever()

    async def send(self, part):
        self.world.passing(f"send {part.text} before")
        if not self.idempotent or not self._has(part):
            self.world.note("post", key=part.key, text=part.text)
        self.world.passing(f"send {part.text} after")
        return Receipt(part.key, part.key, 1_700_000_000.0)

    async def find(self, part):
        return Sent(Receipt(part.key, part.key, 1_700_000_000.0)) if self._has(part) else NotSent()

    def _has(self, part):
        return part.key in [entry["key"] for entry in self.world.entries("post")]


class Write(Action):
    """What must not happen twice."""

    name = "write"
    description = "Write down a line."
    parameters = {"type": "object", "properties": {"line": {"type": "string"}}, "required": ["line"]}
    effect = Effect.WRITE
    seconds = 1.0

    def __init__(self, world: World) -> None:
        self.world = world

    async def perform(self, turn, call):
        line = call.arguments["line"]
        await turn.say(f"Writing {line}.")
        self.world.passing(f"write {line} before")
        self.world.note("line", line=line, key=call.key)
        self.world.passing(f"write {line} after")
        return ActionResult(f"{line} is written")

    async def find(self, turn, call):
        known = call.key in [entry["key"] for entry in self.world.entries("line")]
        return ActionResult(f"{call.arguments['line']} is written") if known else NotSent()


@action(effect=Effect.READ)
async def finish(turn: Turn, call: ActionCall, outcome: str, report: str) -> ActionResult:
    """End the task."""
    return ActionResult("ended", say=(Part(report),), then=Then.END, data={"outcome": outcome})


_worlds: list[World] = []


def _world(settings: Settings) -> World:
    if not _worlds:
        _worlds.append(World(Path(settings.world)))
    return _worlds[0]


@impl
def register_clients(settings):
    return Errands(_world(settings), settings.keys)


@impl
def register_actions(settings):
    return [Write(_world(settings)), *([finish] if settings.finish else [])]


def _place(name, args, kwargs):
    """A write of the journal with what it is about: the same name in each life."""
    given = (*args, *kwargs.values())
    steps = [each.name for group in given if isinstance(group, tuple) for each in group if hasattr(each, "duration_ms")]
    steps += [each.step for each in given if hasattr(each, "deadline") and hasattr(each, "step")]
    texts = [
        f"{each.state} {each.part.text}"
        for group in given
        if isinstance(group, tuple)
        for each in group
        if hasattr(each, "part") and hasattr(each, "state")
    ]
    return " ".join([name, *steps, *texts]), steps


def _wrap(world, thing, name):
    inner = getattr(thing, name)

    @wraps(inner)
    async def write(*args, **kwargs):
        place, steps = _place(name, args, kwargs)
        world.passing(f"{place} before")
        result = await inner(*args, **kwargs)
        if name == "record_steps":
            world.note("recorded", steps=steps)
        world.passing(f"{place} after")
        return result

    setattr(thing, name, write)


def _watch(world, model):
    inner = model.generate

    @wraps(inner)
    async def generate(prompt, model, emit):
        step = f"generate/{1 + sum(message.role == 'tool' for message in prompt.messages)}"
        world.passing(f"{step} before")
        world.note("asked", step=step)
        completion = await inner(prompt, model, emit)
        world.passing(f"{step} after")
        return completion

    model.generate = generate


@impl(tryfirst=True)
async def start_host(host):
    world = _worlds[0]
    world.journal = host.store.journal
    for name in WRITES.split():
        _wrap(world, host.store.journal, name)
    for entry in host.plugins.all(Provider):
        if entry.thing.name == "scripted":
            _watch(world, entry.thing)
