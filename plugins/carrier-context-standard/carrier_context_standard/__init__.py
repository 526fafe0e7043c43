"""What Carrier's agents know when they answer: who they are, what time it is, what was said, what they remember."""

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
    from carrier_context_standard.clock import Time
    from carrier_context_standard.conversation import Actors, RecentMessages
    from carrier_context_standard.knowledge import Knowledge
    from carrier_context_standard.personality import Personality
    from carrier_context_standard.recollection import Memories

    always = (
        Personality(settings.time_zone),
        Knowledge(),
        RecentMessages(),
        Actors(),
        Time(settings.time_zone),
        Memories(settings.time_zone),
        Attachments(),
    )
    return (*always, Actions()) if settings.actions else always
