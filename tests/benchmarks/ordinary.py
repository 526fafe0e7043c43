"""Ordinary tasks: how many of what people usually ask for run without anybody having to approve anything.

The tasks are in ``ordinary_tasks.toml``. Each plays in a room of its own, with the standard actions, until the model has made all of
its calls; what has to be set up before is approved and does not count.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from carrier_actions_web.fetch import FetchPage
from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Attachment,
    Context,
    Effect,
    Entity,
    Json,
    Part,
    PartKind,
    Provenance,
    Room,
    RoomKind,
    State,
    Turn,
    decode,
    impl,
    outside,
)
from tests.benchmarks.obeying import AGENT, Ended, Stage, obeying, toml
from tests.benchmarks.standins import NewsContext, ReadPage
from tests.benchmarks.tools import HERE

TASKER = "tasker"
"""The agent that works on tasks."""


class Call(msgspec.Struct, frozen=True):
    """A call of the model's."""

    name: str
    arguments: dict[str, Json] = {}


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An ordinary task; its file says what is what."""

    said: str
    calls: tuple[tuple[Call, ...], ...]
    where: str = "dm"
    before: tuple[str, ...] = ()
    setup: tuple[Call, ...] = ()
    choice: tuple[str, ...] = ()
    outside: str = ""
    url: str | None = None
    text: str = ""


class Result(msgspec.Struct, frozen=True):
    """What came of a task: why it was asked, if it was, and which of its calls were not carried out."""

    task: Task
    asked: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def runs(self) -> bool:
        """Whether all of it was done and nobody was asked."""
        return not self.asked and not self.missing


def ordinary_tasks() -> tuple[Task, ...]:
    """All tasks."""
    return msgspec.toml.decode((HERE / "ordinary_tasks.toml").read_bytes(), type=dict[str, tuple[Task, ...]])["tasks"]


async def ordinary(tasks: tuple[Task, ...] | None = None, config: str = "") -> list[Result]:
    """What comes of each task."""
    chosen = ordinary_tasks() if tasks is None else tasks
    async with _stage(chosen, config) as (stage, world):
        return [await _done(stage, world, task, number) for number, task in enumerate(chosen)]


class World(msgspec.Struct):
    """What there is: what pages and plugins say, by URL or room."""

    pages: dict[str, str] = {}
    news: dict[str, str] = {}


@asynccontextmanager
async def _stage(tasks: tuple[Task, ...], config: str) -> AsyncIterator[tuple[Stage, World]]:
    world = World()
    actions = (ReadPage(world.pages), Page(world.pages), Offer())
    owners = toml([f"fake:{_ana(number).native}" for number in range(len(tasks))])
    agents = f"[agents.{AGENT}.roles]\nowner = {owners}\n[agents.{TASKER}]\nkind = 'task'\n"
    async with obeying((), _rules(tasks), actions, plugins=(Contexts(world.news),), config=agents + config) as stage:
        for name in ("Bob", "Carla"):
            await stage.say(stage.client.dm(name), name, "Hello.")
        for name in ("general", "kitchen"):
            await stage.client.say(Room.of("fake", name, kind=RoomKind.GROUP), "Bob", "Hello.", agent=AGENT)
        yield stage, world


async def _done(stage: Stage, world: World, task: Task, number: int) -> Result:
    room = Room.of("fake", f"task{number}", kind=RoomKind.GROUP if task.where == "group" else RoomKind.DM)
    agent = TASKER if task.where == "task" else AGENT
    await _prepare(stage, world, task, number, room)
    parts: tuple[Part, ...] = ()
    if task.outside == "quote":
        parts = (Part(task.text, kind=PartKind.QUOTE),)
    elif task.outside == "file":
        parts = (Part(kind=PartKind.ATTACHMENT, attachment=Attachment("application/pdf", task.text, size=40_000)),)
    before = len(stage.done)
    ended = await stage.say(room, _ana(number), task.said, parts=parts, agent=agent, answers=("approve",) * 9)
    return Result(task, ended.asked, await _missing(stage, task, ended, before))


async def _missing(stage: Stage, task: Task, ended: Ended, before: int) -> tuple[str, ...]:
    """The calls that were not carried out, or not to any effect."""
    carried = [(each.call.name, each.call.arguments) for each in stage.done[before:]]
    missing = [call.name for calls in task.calls for call in calls if (call.name, call.arguments) not in carried]
    record = await stage.running.store.journal.turn(ended.turn)
    acts = [step for step in record.steps if step.name.startswith("act/")] if record is not None else []
    values = [decode(step.value, object) for step in acts if bytes(step.value) != b"null"]
    acted = [value for value in values if isinstance(value, ActionResult)]
    failed = [each.text for each in acted if not each.ok]
    return (*missing, *failed)


async def _prepare(stage: Stage, world: World, task: Task, number: int, room: Room) -> None:
    """What happened before."""
    ana = _ana(number)
    if task.setup:
        await stage.say(room, ana, f"Robin, set it up {number}.", answers=("approve",) * 9)
    if task.choice:
        await stage.say(room, ana, f"Robin, offer it {number}.")
    for line in task.before:
        who, _, text = line.partition(": ")
        name = who if text and who in ("Bob", "Carla") else ""
        await stage.say(room, stage.client.person(name) if name else ana, text if name else line)
    if task.outside == "earlier":
        world.pages[room.id] = task.text
        await stage.say(room, ana, "What does the note say, Robin?")
    elif task.outside == "plugin":
        world.news[room.id] = "It is a holiday in Porto."
    elif task.url is not None:
        world.pages[task.url or room.id] = task.text


def _ana(number: int) -> Entity:
    return Entity.of("fake", f"ana-{number}", name="Ana")


def _rules(tasks: tuple[Task, ...]) -> str:
    rules = ["version = 1\nstandard = false\n"]
    for number, task in enumerate(tasks):
        rounds = [[{"name": call.name, "arguments": call.arguments} for call in calls] for calls in task.calls]
        if task.url is not None:
            first = {"name": "fetch_page", "arguments": {"url": task.url}} if task.url else {"name": "read_page"}
            rounds.insert(0, [first])
        rules.append(_rule(task.said, rounds))
        rules.append(
            _rule(f"set it up {number}.", [[{"name": call.name, "arguments": call.arguments}] for call in task.setup])
        )
        rules.append(_rule(f"offer it {number}.", [[{"name": "offer", "arguments": {"options": list(task.choice)}}]]))
    rules.append(_rule("What does the note say", [[{"name": "read_page"}]], "{{ result }}"))
    return "\n".join([*rules, "[[rules]]\ntext = 'All right.'\n"])


def _rule(said: str, rounds: list[list[dict[str, Json]]], text: str = "Here you are.") -> str:
    steps = ", ".join([*(f"{{ calls = {toml(calls)} }}" for calls in rounds), f"{{ text = {toml(text)} }}"])
    return f"[[rules]]\ncontains = {toml(said)}\nsteps = [{steps}]\n"


# --- stand-ins ----------------------------------------------------------------------------------------------------------


class Page(FetchPage):
    """``fetch_page`` as carrier-actions-web declares it, without a network."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        self._pages = pages

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """What the page says, which is its author's words."""
        url = str(call.arguments["url"])
        return ActionResult(self._pages.get(url, "Welcome!"), provenance=Provenance((outside(url),), turn.audience))


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be chosen."""

    options: tuple[str, ...]


class Offer(Action):
    """Has somebody choose, and waits for it."""

    name = "offer"
    description = "Offer options."
    effect = Effect.READ
    arguments = Options
    idempotent = True

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """What was chosen."""
        options = call.read(Options).options
        chosen = await turn.choose("Which one?", options, until=turn.now + 3600, provenance=call.own)
        return ActionResult(f"They chose {chosen}.")


class Contexts:
    """A plugin with context: news, which it does not label, and what can be looked up."""

    def __init__(self, news: Mapping[str, str]) -> None:
        self._news = NewsContext(news)

    @impl
    def register_context(self) -> tuple[Context, ...]:
        """Both."""
        return self._news, Hours()


class Hours(Context):
    """What is looked up."""

    name = "opening_hours"
    description = "When the shop is open."
    dynamic = True

    async def provide(self, turn: Turn) -> State:
        """One part."""
        return State((Part("The shop is open on Saturdays from 9 to 1.", "opening_hours"),))
