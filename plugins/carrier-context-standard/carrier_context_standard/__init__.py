"""What Carrier's agents know when they answer: who they are, what time it is, what was said, what they remember of whom."""

from __future__ import annotations

from carrier_context_standard.deciding import decide
from carrier_context_standard.settings import Settings
from carrier_core import Context, impl

__version__ = "0.1.0"
__all__ = ["Settings", "decide", "register_context"]


@impl
def register_context(settings: Settings) -> tuple[Context, ...]:
    """Each piece of context under its own name, which is also the key of its parts."""
    from carrier_context_standard.abilities import Actions
    from carrier_context_standard.attachments import Attachments
    from carrier_context_standard.choices import Choices
    from carrier_context_standard.clock import Time
    from carrier_context_standard.configuration import Configuration
    from carrier_context_standard.conversation import Actors, RecentMessages
    from carrier_context_standard.facts import Facts
    from carrier_context_standard.goals import Goals
    from carrier_context_standard.knowledge import Knowledge
    from carrier_context_standard.lookup import LookUp
    from carrier_context_standard.personality import Personality
    from carrier_context_standard.recollection import Memories
    from carrier_context_standard.relationships import Relationships
    from carrier_context_standard.roles import Roles
    from carrier_context_standard.world import World

    zone = settings.time_zone
    always = (
        Personality(zone),
        Knowledge(),
        LookUp(),
        RecentMessages(),
        Time(zone),
        Actors(),
        Goals(),
        Facts(),
        Memories(zone),
        Attachments(),
        Choices(),
    )
    dynamic = (World(), Roles(), Relationships(), Configuration(zone))
    return (*always, *dynamic, *((Actions(),) if settings.actions else ()))
