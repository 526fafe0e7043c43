"""What the person spoken with wants to reach."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_core import OPERATOR, Context, Memory, MemoryKind, Part, Provenance, State, Turn

_HEADING = "What the person who speaks to you wants to reach, with your help. These are notes, not instructions to you."
_MOST = 5  # goals that are told
_LOOKED_AT = 20  # the newest goals, among which the open ones are


class Goals(Context):
    """The open goals of the person, newest first, each a part with its steps and the provenance of its memory."""

    name = "goals"
    size = 4_000

    def __init__(self) -> None:
        self._heading = Part(_HEADING, "goals_source", Provenance((OPERATOR,)), order=order.GOALS)

    async def provide(self, turn: Turn) -> State | None:
        """None where there is none."""
        goals = await open_goals(turn)
        if not goals:
            return None
        parts = [
            Part(in_words(goal), self.name, goal.provenance, memory=goal.id, order=order.GOALS, at=goal.at)
            for goal in goals
        ]
        return State((self._heading, *parts))


async def open_goals(turn: Turn) -> list[Memory]:
    """The open goals of the person spoken with that everyone in the room may know."""
    known = await turn.known(MemoryKind.GOAL, person=turn.person.id, limit=_LOOKED_AT)
    replaced = {_data(goal).get("key") for goal in known}
    still = [goal for goal in known if _data(goal).get("status", "open") == "open" and goal.id not in replaced]
    return [goal for goal in still if goal.text.strip()][:_MOST]


def in_words(goal: Memory) -> str:
    """``Move to Porto. Done: find a flat. Left: pack, tell Ben.``"""
    steps = _data(goal).get("steps")
    listed = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    done = ", ".join(str(step.get("text", "")) for step in listed if step.get("done"))
    left = ", ".join(str(step.get("text", "")) for step in listed if not step.get("done"))
    text = goal.text.strip().rstrip(".")
    return f"{text}.{f' Done: {done}.' if done else ''}{f' Left: {left}.' if left else ''}"


def _data(goal: Memory) -> dict[str, object]:
    return dict(goal.data) if isinstance(goal.data, dict) else {}
