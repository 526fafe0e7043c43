"""What a server lists, taken as it comes, before the SDK reads it: for the SDK one bad tool spoils the whole list."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from carrier_actions_mcp.listed import MOST_TOOLS
from carrier_core import Json

if TYPE_CHECKING:
    from mcp.shared.message import SessionMessage
    from pydantic import BaseModel

LIST: Final = "tools/list"
"""The request for a server's tools."""

MOST_ENTRIES: Final = MOST_TOOLS + 1
"""Of one page of a list; what comes after them is not looked at. With one more it shows that there are more."""


class Sieve:
    """Sees each message of a session. Of a list of tools it keeps every entry, in ``entries``, and lets the SDK have the names
    and the schemas of those that it can read: it needs no more, to send some arguments as headers (2026-07-28)."""

    def __init__(self) -> None:
        self.entries: list[Json] = []
        self._asked: set[str] = set()

    def sent(self, item: SessionMessage) -> None:
        """A message goes out."""
        from mcp_types import JSONRPCRequest

        if isinstance(item.message, JSONRPCRequest) and item.message.method == LIST:
            self._asked.add(str(item.message.id))

    def received(self, item: SessionMessage | Exception) -> None:
        """A message came in, which may be changed here."""
        from mcp_types import JSONRPCResponse

        message = None if isinstance(item, Exception) else item.message
        if not isinstance(message, JSONRPCResponse) or str(message.id) not in self._asked:
            return
        self._asked.discard(str(message.id))
        listed = message.result.get("tools")
        if isinstance(listed, list):
            self.entries = listed[:MOST_ENTRIES]
            message.result["tools"] = [bare for each in self.entries if (bare := _bare(each)) is not None]


def _bare(entry: Json) -> Json:
    """The tool as the SDK gets it; None if that would refuse it."""
    if not isinstance(entry, dict) or not isinstance(entry.get("inputSchema"), dict):
        return None
    schema = entry["inputSchema"]
    assert isinstance(schema, dict)
    # It wants the type to be said, which a reference may do, and reads `$schema`.
    made = {"type": "object", **{key: value for key, value in schema.items() if key != "$schema"}}
    bare: Json = {"name": entry.get("name"), "inputSchema": made}
    page = {"tools": [bare], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    try:
        for model in _models():
            model.model_validate(page)
    except (ValueError, RecursionError):  # the first is what pydantic raises, too
        return None
    return bare


@cache
def _models() -> tuple[type[BaseModel], ...]:
    """As what the SDK reads a list: as the protocol's revisions have it, and as its own type."""
    from mcp_types import ListToolsResult
    from mcp_types.methods import SERVER_RESULTS

    revisions = {model for (method, _), model in SERVER_RESULTS.items() if method == LIST}
    return (ListToolsResult, *(model for model in revisions if isinstance(model, type)))
