"""What waits for somebody to choose."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_core import Context, Part, State, Turn


class Choices(Context):
    """The options of each question of this room that waits for an answer, which are the words of whoever led to them."""

    name = "choices"
    size = 2_000

    async def provide(self, turn: Turn) -> State | None:
        """A part for each; None where nothing waits."""
        waiting = await turn.choices()
        if not waiting:
            return None
        parts = tuple(
            Part(
                f"You have asked in this room and wait for somebody to choose: {' / '.join(question.options)}",
                self.name,
                provenance,
                order=order.CHOICES,
            )
            for question, provenance in waiting
        )
        return State(parts)
