"""Who knows whom."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_core import Context, MemoryKind, Part, State, Turn

_MOST = 40  # relationships that are told


class Relationships(Context):
    """What the agent has noticed of how people know each other, the newest first, those of the person who asks before others."""

    name = "relationships"
    dynamic = True
    description = (
        "How the people whom you know are related to each other: family, friends, colleagues, who talks with whom."
    )
    size = 4_000

    async def provide(self, turn: Turn) -> State | None:
        """A part for each, with the provenance of its memory; None where there is none."""
        known = await turn.known(MemoryKind.RELATIONSHIP, limit=_MOST)
        ordered = sorted(
            known, key=lambda memory: turn.person.id not in _people(memory.data) and memory.entity != turn.person.id
        )
        parts = tuple(
            Part(memory.text, self.name, memory.provenance, memory=memory.id, order=order.RELATIONSHIPS, at=memory.at)
            for memory in ordered
            if memory.text.strip()
        )
        return State(parts) if parts else None


def _people(data: object) -> tuple[object, ...]:
    people = data.get("people") if isinstance(data, dict) else None
    return tuple(people) if isinstance(people, list) else ()
