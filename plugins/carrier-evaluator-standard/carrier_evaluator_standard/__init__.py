"""What Carrier's agents learn from a turn, and what keeps their drafts honest: facts, goals, quality, safety."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from carrier_core import Context, Evaluator, Host, Memory, Outcome, Turn, impl
from carrier_evaluator_standard.settings import Settings

__version__ = "0.1.0"
__all__ = ["Settings", "reflect", "register_context", "register_evaluators", "start_host"]

_settings: WeakKeyDictionary[Host, Settings] = WeakKeyDictionary()
"""What each host of this process has set: its turns learn by that."""


@impl
def register_evaluators(settings: Settings) -> tuple[Evaluator, ...]:
    """Quality and safety, where they are not turned off."""
    from carrier_evaluator_standard.quality import Quality
    from carrier_evaluator_standard.safety import Safety

    clients = None if settings.clients is None else frozenset(settings.clients)
    evaluators: list[Evaluator] = []
    if settings.safety:
        evaluators.append(Safety(settings.hosts, clients))
    if settings.quality != "off":
        evaluators.append(Quality(settings.longest, model=settings.quality == "model", clients=clients))
    return tuple(evaluators)


@impl
def register_context(settings: Settings) -> tuple[Context, ...]:
    """The context ``feedback``, where it is turned on."""
    from carrier_evaluator_standard.feedback import Feedback

    return (Feedback(),) if settings.feedback else ()


@impl
async def start_host(host: Host, settings: Settings) -> None:
    """Keep by what its turns are learned from."""
    _settings[host] = settings


@impl
async def reflect(turn: Turn, outcome: Outcome) -> tuple[Memory, ...] | None:
    """What is learned from the turn: facts, relationships, goals, ratings, verdicts, and now and then a summary."""
    from carrier_evaluator_standard.learning import Lesson

    settings = _settings.get(turn.agent.host)
    if settings is None or (settings.clients is not None and turn.client not in settings.clients):
        return None
    return await Lesson(turn, outcome, settings).learned() or None
