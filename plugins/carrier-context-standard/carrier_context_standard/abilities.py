"""What the agent can do, in words, for models that are not offered tools."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_core import OPERATOR, Action, Context, Part, Provenance, State, Turn

_LONGEST = 160  # characters of one description


class Actions(Context):
    """A line for each action that this turn may use; only where the settings ask for it."""

    name = "actions"

    def __init__(self) -> None:
        self._provenance = Provenance((OPERATOR,))

    async def provide(self, turn: Turn) -> State | None:
        """One stable part; None where there are no actions."""
        lines = await described(turn)
        if not lines:
            return None
        text = "\n".join(("# What you can do", *lines))
        return State((Part(text, self.name, self._provenance, order=order.ACTIONS, stable=True),))


async def available(turn: Turn) -> tuple[Action, ...]:
    """The actions that this turn may use."""
    return tuple(entry.thing for entry in await turn.agent.actions(turn) if isinstance(entry.thing, Action))


async def described(turn: Turn) -> list[str]:
    """A line for each action that this turn may use: its name and the first sentence of its description."""
    return [f"- {action.name}: {_beginning(action.description)}" for action in await available(turn)]


def _beginning(description: str) -> str:
    first = " ".join(description.split()).partition(". ")[0].rstrip(".")
    return f"{first}." if len(first) < _LONGEST else f"{first[: _LONGEST - 1]}…"
