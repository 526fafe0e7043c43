"""A host whose model obeys whatever it reads: what such a model gets done, what it has to ask for, and what leaves a room.

A real host with the standard actions and context and the scripted provider in its obeying mode. Nothing is approved unless a case
says so; whatever is carried out is noted where the host carries it out, after policy and beside no other plugin.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import anyio
import msgspec

import carrier_actions_standard
import carrier_context_standard
import carrier_provider_scripted
from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Effect,
    Entity,
    InboundKind,
    Json,
    Part,
    Room,
    Schedule,
    Turn,
    impl,
)
from carrier_core.acting import effect_of
from carrier_core.testing import HostUnderTest, running_host

AGENT = "robin"
TRUSTED = ("carrier-context-standard",)
"""As in the configuration that Carrier comes with."""

_TURNS = 20  # of a room that are looked at
_ASKED = 12  # questions of one turn that are refused before it is given up


class Pair(msgspec.Struct, frozen=True):
    """A sentence, and the call that the model makes wherever it reads it."""

    sentence: str
    name: str
    arguments: dict[str, Json] = {}


class Done(msgspec.Struct, frozen=True):
    """A call that was carried out."""

    turn: str
    room: str
    call: ActionCall
    effect: Effect
    goes: bool = False


class Ended(msgspec.Struct, frozen=True):
    """What came of one message: the turns, how the last of them stands, and what was asked."""

    turn: str
    status: str
    asked: tuple[str, ...] = ()


class Watch:
    """Notes every call that gets to the point where it is carried out; answers none."""

    def __init__(self) -> None:
        self.done: list[Done] = []

    @impl(tryfirst=True)
    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult | None:
        """Nothing lies between this and the action."""
        entry = turn.table.thing(Action, call.name)
        goes = bool(entry is not None and getattr(entry.thing, "destination", ()))
        self.done.append(Done(turn.id, turn.room.id, call, effect_of(turn, call), goes))
        return None


class Stage:
    """A running host, and what was carried out on it. ``approved`` is how much was approved in each turn."""

    def __init__(self, running: HostUnderTest, watch: Watch) -> None:
        self.running = running
        self.client = running.client
        self.approved: Counter[str] = Counter()
        self._watch = watch

    @property
    def done(self) -> list[Done]:
        """All calls that were carried out, in order."""
        return self._watch.done

    def unapproved(self) -> list[Done]:
        """The calls with an effect that were carried out in a turn beyond those that were approved in it."""
        left = Counter(self.approved)
        found = []
        for each in self.done:
            if each.effect is not Effect.READ:
                left[each.turn] -= 1
                if left[each.turn] < 0:
                    found.append(each)
        return found

    def leaks(self, marker: str, allowed: Iterable[str], *, posts: bool = False) -> list[str]:
        """Where a private text got to: posts in other rooms than those allowed and, unless only ``posts`` count, arguments of calls
        that nobody approved."""
        rooms = set(allowed)
        found = [part.room.name for part in self.client.sends if marker in part.text and part.room.id not in rooms]
        carried = [
            each.call
            for each in (() if posts else self.carried())
            if marker in json.dumps(each.call.arguments, ensure_ascii=False)
        ]
        return [f"a post in {name}" for name in found] + [f"an argument of {call.name}" for call in carried]

    def carried(self) -> list[Done]:
        """The calls that took something out of the room, or changed something, and were not approved: reads that go somewhere too."""
        reads = [each for each in self.done if each.effect is Effect.READ and each.goes]
        return [*self.unapproved(), *reads]

    async def say(
        self,
        room: str | Room,
        person: str | Entity,
        text: str,
        *,
        parts: Sequence[Part] = (),
        answers: Sequence[str] = (),
        agent: str = AGENT,
    ) -> Ended:
        """Say something and wait until the turn has ended. What it asks is answered so, and refused when there are no more answers."""
        said = self.client.message(room, person, text, agent=agent)
        if parts:
            message = msgspec.structs.replace(said.message, content=(*said.message.content, *parts))
            said = msgspec.structs.replace(said, message=message)
        accepted = (await self.client.hand_over(said))[0]
        turn = accepted.heard[0].turn
        return await self.settle(turn, said.room, said.message.sender, answers)

    async def due(self, schedule: Schedule, person: Entity, answers: Sequence[str] = ()) -> Ended:
        """Let the time come for which something was scheduled, and wait for what becomes of it."""
        journal = self.running.store.journal
        before = {record.id for record in await journal.turns(limit=_TURNS, room=schedule.room.id)}
        self.running.clock.now = max(self.running.clock.now, schedule.next_at) + 1
        await self.running.host.agenda.tick()
        with anyio.fail_after(10):
            while True:
                turns = await journal.turns(limit=_TURNS, room=schedule.room.id)
                new = [record.id for record in turns if record.id not in before]
                if new:
                    return await self.settle(new[0], schedule.room, person, answers)
                await anyio.sleep(0.001)

    async def settle(self, turn: str, room: Room, person: Entity, answers: Sequence[str] = ()) -> Ended:
        """Wait for a turn, and answer what it asks."""
        asked: list[str] = []
        while True:
            status = str((await self.client.host.wait(turn))["status"])
            parked = [each for each in await self.running.store.journal.parked() if each.turn == turn]
            if status != "parked" or not parked or "/approval/" not in parked[0].step:
                return Ended(turn, status, tuple(asked))
            asked.append(parked[0].reason)
            if len(asked) > _ASKED:
                return Ended(turn, status, tuple(asked))
            answer = answers[len(asked) - 1] if len(asked) <= len(answers) else "refuse"
            self.approved[turn] += answer == "approve"
            blank = self.client.message(room, person, answer, agent=parked[0].agent)
            target = parked[0].step.rpartition("/")[2]
            given = msgspec.structs.replace(blank, kind=InboundKind.APPROVAL, target=target, value=answer)
            reason = (await self.client.hand_over(given))[0].reason
            if reason:
                raise AssertionError(f"The answer {answer} was not taken: {reason}.")


@asynccontextmanager
async def obeying(
    pairs: Iterable[Pair],
    rules: str,
    actions: Iterable[Action] = (),
    *,
    plugins: Iterable[object] = (),
    config: str = "",
    policy: str = "",
) -> AsyncIterator[Stage]:
    """Run a host with this model, the standard plugins and these actions."""
    watch, box = Watch(), ModuleType("toolbox")
    offered = tuple(actions)

    def register_actions() -> tuple[Action, ...]:
        return offered

    setattr(box, "register_actions", impl(register_actions))  # noqa: B010 - a module has no such attribute yet
    with TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "pairs.toml").write_text(pairs_file(pairs), encoding="utf-8")
        (folder / "rules.toml").write_text(rules, encoding="utf-8")
        objects = (carrier_context_standard, carrier_actions_standard, carrier_provider_scripted, watch, box, *plugins)
        async with running_host(objects, config=f"{policy or _POLICY}\n{_CONFIG}\n{config}", folder=folder) as running:
            yield Stage(running, watch)


_POLICY = f"""
[policy]
trusted = {json.dumps(TRUSTED)}
"""

_CONFIG = """
[plugin.carrier-provider-scripted]
rules = "rules.toml"
obey = "pairs.toml"
"""


def pairs_file(pairs: Iterable[Pair]) -> str:
    """A file of pairs."""
    tables = [
        f"[[pairs]]\nsentence = {toml(pair.sentence)}\ncall = {{ name = {toml(pair.name)}, arguments = {toml(pair.arguments)} }}\n"
        for pair in pairs
    ]
    return "\n".join(["version = 1\n", *tables])


def toml(value: Json) -> str:
    """A value as TOML has it. ValueError for null, which it has not."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml(str(key))} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    if value is None:
        raise ValueError("TOML has no null")
    return json.dumps(value, ensure_ascii=False)
