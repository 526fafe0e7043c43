"""What the agent can do, in words, for models that are not offered tools."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_core import OPERATOR, Action, Context, Part, Provenance, State, Turn

_LONGEST = 160  # characters of one description, or of one example
_EXAMPLES = 2  # of each action


class Actions(Context):
    """A line for each action that this turn may use, with its examples; only where the settings ask for it.

    What comes from a server that brings actions is its own word, and stands in a part of its own.
    """

    name = "actions"
    size = 16_000

    async def provide(self, turn: Turn) -> State | None:
        """A stable part for each origin; None where there are no actions."""
        by_origin: dict[tuple[str, ...], list[str]] = {}
        for action in await available(turn):
            by_origin.setdefault(action.origins or (OPERATOR,), []).extend(_lines(action))
        parts = tuple(
            Part(
                "\n".join(("# What you can do", *lines)),
                self.name,
                Provenance(origins),
                order=order.ACTIONS,
                stable=True,
            )
            for origins, lines in by_origin.items()
        )
        return State(parts) if parts else None


async def available(turn: Turn) -> tuple[Action, ...]:
    """The actions that this turn may use."""
    return tuple(entry.thing for entry in await turn.agent.actions(turn) if isinstance(entry.thing, Action))


def described(actions: tuple[Action, ...]) -> list[str]:
    """A line for each action: its name and the first sentence of its description."""
    return [f"- {action.name}: {_beginning(action.description)}" for action in actions]


def _lines(action: Action) -> list[str]:
    examples = [f"  Example: {_short(example)}" for example in action.examples[:_EXAMPLES]]
    return [*described((action,)), *examples]


def _beginning(description: str) -> str:
    first = " ".join(description.split()).partition(". ")[0].rstrip(".")
    return f"{first}." if len(first) < _LONGEST else _short(first)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
