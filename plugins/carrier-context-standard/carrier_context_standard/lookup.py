"""What the model can look up besides what it is shown."""

from __future__ import annotations

from functools import lru_cache

from carrier_context_standard import order
from carrier_core import OPERATOR, Action, Context, Part, Provenance, State, Turn

ACTION = "look_up"
"""The action that brings it."""


class LookUp(Context):
    """The names and descriptions of the context that is dynamic, where the model is offered the action that asks for it."""

    name = "look_up"
    size = 4_000

    async def provide(self, turn: Turn) -> State | None:
        """One stable part; None where there is nothing to look up, or no way to."""
        table = turn.table
        if table.thing(Action, ACTION) is None:
            return None
        things = [entry.thing for entry in table.things(Context)]
        return _state(
            tuple((thing.name, thing.description) for thing in things if isinstance(thing, Context) and thing.dynamic)
        )


@lru_cache(maxsize=64)
def _state(known: tuple[tuple[str, str], ...]) -> State | None:
    """The same object from turn to turn."""
    if not known:
        return None
    lines = [
        f"- {name}: {' '.join(description.split())}" if description else f"- {name}" for name, description in known
    ]
    text = "\n".join((f"# What you can look up with the tool {ACTION}, by its name", *lines))
    return State((Part(text, LookUp.name, Provenance((OPERATOR,)), order=order.LOOK_UP, stable=True),))
