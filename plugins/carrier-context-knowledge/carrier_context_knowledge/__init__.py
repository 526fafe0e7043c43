"""Documents for Carrier's agents: taken in with ``carrierd ingest``, recalled with the source named."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from carrier_core import impl

if TYPE_CHECKING:
    from carrier_context_knowledge.settings import Settings
    from carrier_core import AgentRuntime, Command, Context, Host

__version__ = "0.1.0"
__all__ = ["Settings", "register_commands", "register_context", "start_agent", "start_host"]

_SETTINGS: WeakKeyDictionary[Host, Settings] = WeakKeyDictionary()


@impl
def register_context(settings: Settings) -> Context:
    """What documents say about the message."""
    from carrier_context_knowledge.documents import Documents

    return Documents(settings)


@impl
def register_commands(settings: Settings) -> Command:
    """``carrierd ingest``."""
    from carrier_context_knowledge.ingest import Ingest

    return Ingest(settings)


@impl
async def start_host(host: Host, settings: Settings) -> None:
    """Agents are started without settings."""
    _SETTINGS[host] = settings


@impl
async def start_agent(agent: AgentRuntime) -> None:
    """Take in the files that the character names, beside everything else."""
    if any(item.path for item in agent.character.knowledge):
        from carrier_context_knowledge.character import take_in

        agent.host.spawn(take_in, agent, _SETTINGS[agent.host].bounds)


def __getattr__(name: str) -> object:
    if (
        name == "Settings"
    ):  # the process that reads documents needs none, and pydantic takes longer than all else to import
        from carrier_context_knowledge.settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
