"""Feedback: the last ratings and verdicts, for a model that asks how it is doing."""

from __future__ import annotations

from carrier_core import Context, MemoryKind, Part, State, Turn
from carrier_evaluator_standard.ratings import in_words

SHOWN = 10
"""Ratings and verdicts that are told, the newest."""


class Feedback(Context):
    """What people thought of the agent's answers in this room, and why drafts were not accepted, the newest first."""

    name = "feedback"
    dynamic = True
    description = "What people thought of your last answers, and what was wrong with drafts of yours."
    size = 3_000

    async def provide(self, turn: Turn) -> State | None:
        """A part for each; None where there is none."""
        known = await turn.known(MemoryKind.RATING, room=turn.room.id, limit=SHOWN)
        parts = [
            Part(in_words(memory), self.name, memory.provenance, memory=memory.id, at=memory.at, order=40)
            for memory in known
        ]
        return State(tuple(parts)) if parts else None
