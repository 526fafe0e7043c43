"""A tool of a server, as an action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carrier_actions_mcp.listed import effect_of, is_idempotent
from carrier_actions_mcp.naming import name_of
from carrier_actions_mcp.results import of_server, origin_of, result_of
from carrier_actions_mcp.schemas import violation
from carrier_core import Action, ActionCall, ActionResult, Effect, Json, Rejected, Role, Turn

if TYPE_CHECKING:
    from carrier_actions_mcp.listed import Listed
    from carrier_actions_mcp.server import Server

_MARGIN = 5.0  # seconds that the host waits longer than the server is waited for


class Tool(Action):
    """Asks the server; it is started if it does not run."""

    def __init__(self, server: Server, listed: Listed, *, reviewed: bool = False) -> None:
        settings = server.settings
        prefix = f"{server.name}_" if settings.prefix is None else settings.prefix
        self.server = server
        self.listed = listed
        self.name = name_of(prefix, listed.name)
        self.description = listed.description or f"The tool {listed.name} of the MCP server {server.name}."
        self.parameters = listed.parameters
        self.effect = effect_of(listed, settings)
        self.idempotent = is_idempotent(listed, settings)
        self.role = Role(settings.role)
        self.seconds = settings.start_seconds + settings.seconds + _MARGIN
        if self.effect is Effect.READ:
            self.seconds += settings.seconds  # a read is made again where the server died
        self.origins = () if settings.trusted or reviewed else (origin_of(server.name),)

    def check(self, arguments: dict[str, Json]) -> str:
        """What is wrong with them by the schema. Regular expressions, which are the server's, are not run here."""
        return violation(arguments, self.listed.parameters)

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """Call the tool. NotDone if the server was not asked, InDoubt if nobody can tell whether it was done."""
        try:
            answer = await self.server.call(self.listed, dict(call.arguments), repeat=self.effect is Effect.READ)
        except Rejected as error:  # in the server's words, so with its provenance
            return ActionResult(error.message, ok=False, provenance=of_server(self.server.name, turn, call))
        return result_of(self.server.name, self.listed, answer, turn, call, mask=self.server.mask)
