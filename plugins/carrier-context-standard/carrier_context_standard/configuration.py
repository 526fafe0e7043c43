"""What the agent may know of how it is set up."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_core import OPERATOR, Context, Part, Provenance, State, Turn


class Configuration(Context):
    """What of its configuration helps the agent to answer: what it is, what it remembers, and its bounds. No secrets, no names
    of files and hosts."""

    name = "settings"
    dynamic = True
    description = (
        "How you are set up: your kind, time zone, what you remember, and the bounds of what you can do in one turn."
    )
    size = 2_000

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._provenance = Provenance((OPERATOR,))

    async def provide(self, turn: Turn) -> State | None:
        """One part."""
        settings = turn.agent.settings
        limits, memory, agent = settings.limits, settings.memory, turn.agent
        scope = (
            "of this room" if memory.scope == "room" else "of all rooms, as far as those who read along may know them"
        )
        lines = [
            f"You are an agent of the kind {turn.agent.kind.name}.",
            f"Your time zone is {self._zone}.",
            f"You are shown the last {settings.conversation_length} messages of a room at most, and "
            f"{memory.results} memories about what was said; messages are remembered {scope}.",
            f"In one turn you may be asked {agent.rounds} times and call {agent.calls} actions, within {agent.seconds:g} seconds.",
        ]
        if limits.tokens is not None:
            lines.append(f"A turn may use {limits.tokens} tokens.")
        for kind, kept in sorted(settings.retention.items()):
            bounds = [f"for {kept.days:g} days"] if kept.days is not None else []
            bounds += [f"{kept.most} of them at most"] if kept.most is not None else []
            if bounds:
                lines.append(f"You keep each {kind} {', '.join(bounds)}.")
        return State((Part("\n".join(lines), self.name, self._provenance, order=order.SETTINGS),))
