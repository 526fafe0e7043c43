"""Tasks: how an agent of the kind task keeps its plan, tells how far it is, and ends."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from carrier_actions_standard.arguments import Sentence
from carrier_actions_standard.goals import MOST_STEPS, Goal, Step, changed, data_of, read, write
from carrier_actions_standard.likeness import same
from carrier_actions_standard.words import claimed, refused, told
from carrier_core import Action, ActionCall, ActionResult, Effect, Memory, MemoryKind, Part, Then, Turn

KIND = "task"
"""The kind of agent that has a plan."""

_LONGEST = 8_000  # characters of a report
_STATUS = {"done": "done", "failed": "failed", "needs_person": "open"}


class PlannedStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of a plan."""

    text: Annotated[Sentence, msgspec.Meta(description="What is done in it, in the same words each time.")]
    done: Annotated[bool, msgspec.Meta(description="Whether it is done.")] = False


class Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole plan as it is now."""

    steps: Annotated[
        tuple[PlannedStep, ...],
        msgspec.Meta(
            min_length=1,
            max_length=MOST_STEPS,
            description="All steps in order, the done ones too. What is not among them is not planned any more.",
        ),
    ]


class Finished(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the task ended."""

    outcome: Annotated[
        Literal["done", "failed", "needs_person"],
        msgspec.Meta(description="done; failed: it cannot be done; needs_person: it goes on when somebody has helped."),
    ]
    report: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=_LONGEST,
            pattern=r"\S",
            description="What the person is to read: what came of it, what is left, and, with needs_person, what you need.",
        ),
    ]


class _OfTask(Action):
    """An action for agents that work on a task."""

    kinds = frozenset((KIND,))


class Plan(_OfTask):
    """Keeps the plan of the turn, and tells the room of steps that got done."""

    name = "plan"
    similes = ("PLAN", "MAKE_PLAN", "UPDATE_PLAN", "REVISE_PLAN", "STEPS", "TODO_LIST")
    description = (
        "Keep your plan for the task, or revise it: all steps in order. Call it before you begin, whenever a step is done, and when "
        "what you find out changes the plan. The person is told of steps that got done."
    )
    examples = ("A task “compare two hotels”: steps “look up the first”, “look up the second”, “compare them”",)
    effect = (
        Effect.READ
    )  # it changes nothing but what the turn itself is told next, and that has the origins of all that led to it
    arguments = Planned

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The plan as it is now, and the next step."""
        steps = tuple(Step(step.text.strip(), step.done) for step in call.read(Planned).steps)
        before = await plan_of(turn)
        known = read(before).steps if before is not None else ()
        done = [step for step in steps if step.done]
        for step in done:  # before the plan is written: done again after a crash, it says what is not said yet
            if not any(same(step.text, earlier.text) and earlier.done for earlier in known):
                await turn.say(f"Done: {step.text} ({len(done)} of {len(steps)}).", provenance=call.own)
        if before is None:
            goal = Goal("open", steps, turn.person.id, turn.now, turn.now, key=turn.id)
            text = turn.message.text.strip() or "The task"
            origin = claimed(call.provenance)
            kept = await turn.remember(text, kind=MemoryKind.GOAL, data=data_of(goal), key=turn.id, provenance=origin)
        else:
            goal = changed(before, turn.now, "open", steps)
            kept = await write(turn, before, goal, claimed(call.provenance))
        if kept is None:
            return refused(call, "The plan was not stored: a plugin of this agent keeps goals from being remembered.")
        left = next((step.text for step in steps if not step.done), "")
        following = f"The next step is: {left}" if left else "All steps are done: call finish."
        return told(call, f"The plan is kept. {following}", data={"memory": kept.id})


class Finish(_OfTask):
    """Ends the turn with a report."""

    name = "finish"
    similes = ("FINISH", "TASK_DONE", "COMPLETE_TASK", "GIVE_UP", "ASK_PERSON", "END_TASK")
    description = (
        "End your work on the task: done, failed, or because you need a person. The report is what the person reads; do not write it "
        "outside of the call too."
    )
    examples = ("After the last step: outcome “done”, report “Both hotels are free; the first is cheaper.”",)
    effect = Effect.READ
    arguments = Finished

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """The report becomes the reply, and the plan's goal is done, failed, or still open where a person is needed."""
        ended = call.read(Finished)
        plan = await plan_of(turn)
        if plan is not None:
            goal = read(plan)
            steps = tuple(Step(step.text, True) for step in goal.steps) if ended.outcome == "done" else goal.steps
            await write(turn, plan, changed(plan, turn.now, _STATUS[ended.outcome], steps), claimed(call.provenance))
        said = Part(ended.report.strip(), key="reply", provenance=claimed(call.provenance))
        text = f"The task has ended: {ended.outcome}."
        return told(call, text, say=(said,), then=Then.END, data={"outcome": ended.outcome})


async def plan_of(turn: Turn) -> Memory | None:
    """The plan of this turn, if there is one."""
    goals = await turn.known(MemoryKind.GOAL, limit=50)
    return next((goal for goal in goals if goal.turn == turn.id and read(goal).key == turn.id), None)
