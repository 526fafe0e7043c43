"""What waits for somebody to choose."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_core import AGENT, Context, Part, Provenance, State, Turn


class Choices(Context):
    """The options of each question of this room that waits for an answer. The agent has asked it, so the words are its own."""

    name = "choices"
    size = 2_000

    async def provide(self, turn: Turn) -> State | None:
        """A part for each; None where nothing waits."""
        waiting = await turn.choices()
        if not waiting:
            return None
        provenance = Provenance((AGENT,), turn.spoken.audience)
        parts = tuple(
            Part(
                f"You have asked in this room and wait for somebody to choose: {' / '.join(question.options)}",
                self.name,
                provenance,
                order=order.CHOICES,
            )
            for question in waiting
        )
        return State(parts)
