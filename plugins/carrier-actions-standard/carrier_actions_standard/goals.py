"""Goals: what a person wants to reach, in steps, until it is done or given up.

A goal is a memory of its kind. Its text is the goal in one sentence, after "Done: ", "Failed: " or "Dropped: " where it is not open
any more, for whoever reads no more than that; its ``data``, which others read and write too, is::

    {"status": "open", "steps": [{"text": "find a flat", "done": false}], "person": ID, "set": SECONDS, "changed": SECONDS,
     "was": [{"status": "open", "steps": [...], "at": SECONDS, "turn": ID}], "key": KEY}

``status``, which counts, is open, done, failed or dropped. ``was`` are its earlier states, since ``at``, the oldest first, as many as are kept; ``key``
is what the memory is remembered under. Where a plugin made its id in another way, that is missing, and a changed goal is another
memory, whose key is the id of the older one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec

from carrier_actions_standard.arguments import Name, Sentence
from carrier_actions_standard.likeness import best, same
from carrier_actions_standard.words import claimed, refused, told, whose
from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Effect,
    Entity,
    Json,
    Memory,
    MemoryKind,
    Provenance,
    Turn,
    derive,
    make_id,
)

MOST_STEPS = 50
"""Steps of one goal."""

_SHOWN = {"done": "Done: ", "failed": "Failed: ", "dropped": "Dropped: "}
"""What stands before the text of a goal that is not open any more."""

_WAS = 20  # earlier states that are kept
_LOOKED_AT = 100  # goals among which one is looked for, the newest
_TOLD = 10  # goals that are told where it is not clear which one is meant

Steps = Annotated[tuple[Sentence, ...], msgspec.Meta(max_length=MOST_STEPS)]
Status = Literal["open", "done", "failed", "dropped"]


class Step(msgspec.Struct, frozen=True):
    """One step towards a goal."""

    text: str
    done: bool = False


class Goal(msgspec.Struct, frozen=True):
    """A goal as a program reads it: the ``data`` of its memory. What others keep there besides is not lost by reading it."""

    status: str = "open"
    steps: tuple[Step, ...] = ()
    person: str = ""
    set: float = 0.0
    changed: float = 0.0
    was: tuple[dict[str, Json], ...] = ()
    key: str = ""


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be reached."""

    goal: Annotated[Sentence, msgspec.Meta(description="The goal in one sentence, best in the person's own words.")]
    steps: Annotated[Steps, msgspec.Meta(description="The steps towards it, in order, if they are known.")] = ()


class Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be noted of a goal."""

    goal: Annotated[Name, msgspec.Meta(description="The goal, or the words in it that tell it from others.")]
    status: Annotated[
        Literal["unchanged", "open", "done", "failed", "dropped"],
        msgspec.Meta(description="What has become of it; leave it out while it is still open."),
    ] = "unchanged"
    done_steps: Annotated[Steps, msgspec.Meta(description="Steps that are done now, in the words of the goal.")] = ()
    add_steps: Annotated[Steps, msgspec.Meta(description="New steps, which come last.")] = ()


class SetGoal(Action):
    """Keeps a goal of the person."""

    name = "set_goal"
    similes = (
        "SET_GOAL",
        "CREATE_GOAL",
        "ADD_GOAL",
        "NEW_GOAL",
        "GOAL",
        "TRACK_GOAL",
        "TRACK",
        "I_WANT_TO",
        "I_WOULD_LIKE_TO",
        "I_PLAN_TO",
        "MY_GOAL",
        "MY_AIM",
        "KEEP_TRACK",
    )
    description = (
        "Keep a goal of the person you are talking with, so that you can help them to reach it: something that takes more than "
        "this conversation. When they tell you what they want to reach, or ask you to keep track of it."
    )
    examples = ("Ana: “I want to run a marathon this year, help me with it.” — goal “run a marathon this year”",)
    effect = Effect.WRITE
    arguments = Wanted
    idempotent = True

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The goal is open. One that they have already is set anew, with the steps that are given."""
        wanted = call.read(Wanted)
        text, steps = wanted.goal.strip(), tuple(Step(step.strip()) for step in wanted.steps)
        there = [each for each in await goals_of(turn, turn.person.id) if same(text_of(each), text)]
        origin = whose(turn, call, "goal", "steps")
        if there:
            goal = changed(there[0], turn.now, "open", steps or read(there[0]).steps)
            return await _told(turn, call, there[0], goal, origin)
        key = make_id("goal", turn.person.id, turn.room.id, text.casefold())
        goal = Goal("open", steps, turn.person.id, turn.now, turn.now, key=key)
        kept = await turn.remember(text, kind=MemoryKind.GOAL, data=data_of(goal), key=key, provenance=origin)
        if kept is None:
            return refused(call, "It was not stored: a plugin of this agent keeps goals from being remembered.")
        return told(call, f"The goal is set. {in_words(kept.text, goal)}", data={"memory": kept.id})


class UpdateGoal(Action):
    """Notes what has become of a goal."""

    name = "update_goal"
    similes = (
        "UPDATE_GOAL",
        "GOAL_DONE",
        "FINISH_GOAL",
        "COMPLETE_GOAL",
        "CLOSE_GOAL",
        "DROP_GOAL",
        "MARK_GOAL",
        "MARK_DONE",
        "MARK",
        "FINISHED",
        "COMPLETED",
        "ACHIEVED",
        "REACHED",
        "DONE",
        "GAVE_UP",
    )
    description = (
        "Note what has become of a goal: steps that are done, new steps, or that the goal itself is done, has failed or is dropped. "
        "As soon as you hear of it."
    )
    examples = (
        "Ana: “I found a flat!” — goal “move to Porto”, done_steps “find a flat”",
        "Ana: “I have run the marathon.” — goal “marathon”, status “done”",
    )
    effect = Effect.WRITE
    arguments = Changed
    idempotent = True

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The goal as it is then; where it is not clear which is meant, those that there are."""
        wanted = call.read(Changed)
        known = await goals_of(turn)
        own = [each for each in known if read(each).person == turn.person.id]
        found = meant(own, wanted.goal) or meant(known, wanted.goal)
        if len(found) != 1:
            shown = (found or known)[:_TOLD]
            lines = [f"- {in_words(text_of(each), read(each))}" for each in shown]
            problem = "Several goals fit; ask which is meant" if found else "No goal fits"
            text = "\n".join((f"{problem}. There are:", *(lines or ["none"])))
            return told(call, text, also=[each.provenance for each in shown], ok=False)
        goal = read(found[0])
        steps, unknown = with_done(goal.steps, wanted.done_steps)
        if unknown:
            steps = (*steps, *(Step(text.strip(), True) for text in unknown))  # done, though it was never planned
        steps = (*steps, *(Step(text.strip()) for text in wanted.add_steps))[:MOST_STEPS]
        status = goal.status if wanted.status == "unchanged" else wanted.status
        return await _told(turn, call, found[0], changed(found[0], turn.now, status, steps), None)


async def goals_of(turn: Turn, whom: str = "") -> tuple[Memory, ...]:
    """The goals that everyone in the room may know, open ones first, then the newest; those of a person, or all."""
    goals = await turn.known(MemoryKind.GOAL, person=whom, limit=_LOOKED_AT)
    replaced = {read(goal).key for goal in goals}
    current = [goal for goal in goals if goal.id not in replaced]
    return tuple(sorted(current, key=lambda goal: read(goal).status != "open"))


def meant(goals: Sequence[Memory], words: str) -> list[Memory]:
    """The goals that somebody means by these words: open ones rather than others."""
    named = [goal for goal in goals if words.strip() == goal.id or same(text_of(goal), words)]
    named = named or best(words, goals, text_of)
    still = [goal for goal in named if read(goal).status == "open"]
    return still or named


def read(memory: Memory) -> Goal:
    """What is kept of a goal; an open one without steps where that cannot be read."""
    try:
        return msgspec.convert(memory.data, Goal)
    except msgspec.ValidationError:
        return Goal(person=memory.entity, set=memory.at, changed=memory.at)


def text_of(memory: Memory) -> str:
    """The goal of a memory, without what tells that it is over."""
    return memory.text.removeprefix(_SHOWN.get(read(memory).status, ""))


def shown(text: str, goal: Goal) -> str:
    """The text of the memory of a goal: ``Done: run a marathon``."""
    return f"{_SHOWN.get(goal.status, '')}{text}"


def data_of(goal: Goal) -> dict[str, Json]:
    """The goal as the ``data`` of its memory."""
    made: dict[str, Json] = msgspec.json.decode(msgspec.json.encode(goal))
    return made


def changed(memory: Memory, now: float, status: str, steps: tuple[Step, ...]) -> Goal:
    """The goal of a memory in another state, with the one that it was in."""
    goal = read(memory)
    if (status, steps) == (goal.status, goal.steps):
        return goal
    earlier: dict[str, Json] = {
        "status": goal.status,
        "steps": data_of(goal)["steps"],
        "at": goal.changed,
        "turn": memory.turn,
    }
    was = (*goal.was, earlier)[-_WAS:]
    return msgspec.structs.replace(goal, status=status, steps=steps, changed=now, was=was)


def with_done(steps: Iterable[Step], done: Iterable[str]) -> tuple[tuple[Step, ...], list[str]]:
    """The steps, those that are named being done, and the names that fit none of them or several."""
    kept, unknown = list(steps), []
    for name in done:
        fit = [step for step in kept if same(step.text, name)] or best(name, kept, lambda step: step.text)
        fit = [step for step in fit if not step.done] or fit
        if len(fit) == 1:
            kept[kept.index(fit[0])] = Step(fit[0].text, True)
        else:
            unknown.append(name)
    return tuple(kept), unknown


async def write(turn: Turn, memory: Memory, goal: Goal, origin: Provenance | None) -> Memory | None:
    """Keep the goal of a memory as it is now; its origin is what the memory had, and what led to the change."""
    about = derive((memory.provenance, origin)) if origin is not None else memory.provenance
    key = goal.key or memory.id  # one whose id was made in another way is kept under that from now on, and hides it
    data = memory.data if isinstance(memory.data, dict) else {}
    made = {**data, **data_of(msgspec.structs.replace(goal, key=key))}
    who = Entity(memory.entity, turn.room.platform, "", memory.name)
    return await turn.remember(
        shown(text_of(memory), goal), kind=MemoryKind.GOAL, data=made, key=key, person=who, provenance=claimed(about)
    )


async def _told(turn: Turn, call: ActionCall, memory: Memory, goal: Goal, origin: Provenance | None) -> ActionResult:
    """Keep a goal that has changed, and say how it stands."""
    kept = await write(turn, memory, goal, origin or claimed(call.provenance))
    if kept is None:
        return refused(call, "It was not stored: a plugin of this agent keeps goals from being remembered.")
    text = f"Noted. {in_words(text_of(memory), goal)}"
    return told(call, text, also=(memory.provenance,), data={"memory": kept.id})


def in_words(text: str, goal: Goal) -> str:
    """``Move to Porto (open; done: find a flat; left: pack)``."""
    done = ", ".join(step.text for step in goal.steps if step.done)
    left = ", ".join(step.text for step in goal.steps if not step.done)
    parts = [goal.status, *([f"done: {done}"] if done else []), *([f"left: {left}"] if left else [])]
    return f"{text} ({'; '.join(parts)})"
