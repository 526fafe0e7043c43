"""The web for agents: a page is read, a service is called, and nothing but the public internet is ever reached.

Every connection goes through one guard (:mod:`carrier_actions_web.guard`), which checks the address that is connected to. The
HTTP client is imported with the first request, because that takes a while.
"""

from __future__ import annotations

import msgspec

from carrier_actions_web.fetch import FetchPage
from carrier_actions_web.rules import Rules
from carrier_actions_web.settings import Settings, ToolSettings
from carrier_actions_web.tools import Tool
from carrier_actions_web.web import Web
from carrier_core import Action, impl

__version__ = "0.1.0"
__all__ = ["Settings", "register_actions"]


@impl
def register_actions(settings: Settings) -> list[Action]:
    """The action fetch_page, and one for each tool that is declared."""
    secrets = {name: value.get_secret_value() for name, value in settings.secrets.items()}
    actions: list[Action] = []
    if settings.fetch:
        web = Web(settings.rules, settings.limits, agent=settings.user_agent)
        actions.append(FetchPage(web, characters=settings.characters, roams=settings.elsewhere))
    for tool in settings.tools:
        limits = msgspec.structs.replace(settings.limits, total=tool.seconds or settings.timeout)
        web = Web(rules_of(tool, settings), limits, agent=settings.user_agent)
        actions.append(Tool(tool, secrets, web, characters=settings.characters))
    return actions


def rules_of(tool: ToolSettings, settings: Settings) -> Rules:
    """What a tool may reach: its own host where that is private, and the public internet else, on its own port too."""
    target = tool.template.target
    if tool.private:
        opened = frozenset({(target.host, target.port)})
        return msgspec.structs.replace(settings.rules, private=opened, ports=())
    return msgspec.structs.replace(settings.rules, private=frozenset(), ports=tuple({*settings.ports, target.port}))
