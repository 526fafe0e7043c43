"""The tools of any MCP server (Model Context Protocol) as actions.

Servers are started when one of their tools is first called; what tools there are is known from the last time. The SDK is
imported with the first server, because that takes more than a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from carrier_actions_mcp.command import Mcp
from carrier_actions_mcp.offers import Offers
from carrier_actions_mcp.settings import Settings
from carrier_core import Command, impl

if TYPE_CHECKING:
    from carrier_core import Host

__version__ = "0.1.0"
__all__ = ["Settings", "register_commands", "start_host", "stop_host"]

_offers: WeakKeyDictionary[Host, Offers] = WeakKeyDictionary()


@impl
def register_commands(settings: Settings) -> Command:
    """``carrierd mcp``."""
    return Mcp(settings)


@impl
async def start_host(host: Host, settings: Settings) -> None:
    """Offer the tools that are known, and list those that are not. A server that cannot be started costs only its own tools."""
    offers = _offers[host] = Offers(host, settings)
    await offers.start()


@impl
async def stop_host(host: Host) -> None:
    """End all servers."""
    offers = _offers.pop(host, None)
    if offers is not None:
        await offers.stop()
