"""What a tool returned, as the result of an action: text for the model, bounded; whatever is binary is named, not pasted."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from carrier_actions_mcp.schemas import clean, violation
from carrier_core import OPERATOR, ActionCall, ActionResult, Json, Provenance, Turn, outside

if TYPE_CHECKING:
    from mcp_types import CallToolResult

    from carrier_actions_mcp.listed import Listed

MOST_TEXT: Final = 100_000
"""Characters of one result; a flood is cut. The host cuts again, at what it lets any action return."""

MOST_DATA: Final = 65_536
"""Bytes of structured content, as JSON; more of it is left out."""

_MOST_BLOCKS = 200
_NAMED = 300  # characters of a URI, a name or a type that a server gives


Shown = Callable[[str], str]


def result_of(
    server: str, tool: Listed, answer: CallToolResult, turn: Turn, call: ActionCall, *, mask: Shown = str
) -> ActionResult:
    """The result of a call; ``mask`` hides in each of its texts what nobody is to read."""

    def shown(text: str) -> str:
        return mask(clean(text))

    texts = list(_texts(answer, shown))
    data, note = _data(tool, answer, shown)
    if not texts and data is not None:
        texts = [msgspec.json.encode(data).decode()]
    text = _cut("\n".join([*texts, *([note] if note else [])]))
    provenance = of_server(server, turn, call)
    return ActionResult(text or "It returned nothing.", ok=not answer.is_error, data=data, provenance=provenance)


def of_server(server: str, turn: Turn, call: ActionCall) -> Provenance:
    """Where a result is from: the server, and whoever's words led to the call, since it may repeat its arguments. Only who may
    know those, and is in this room, may know it."""
    led = call.provenance
    origins = () if led is None else tuple(origin for origin in led.origins if origin != OPERATOR)
    audience = turn.audience if led is None else turn.audience & led.audience
    return Provenance((*origins, origin_of(server)), audience)


def origin_of(server: str) -> str:
    """The origin of what a server says."""
    return outside(f"mcp/{server}")


def _texts(answer: CallToolResult, shown: Shown) -> Iterator[str]:
    left = MOST_TEXT
    for number, block in enumerate(answer.content):
        if number == _MOST_BLOCKS or left < 0:
            yield f"[{len(answer.content) - number} more pieces are left out]"
            return
        if block.type == "text":
            text = shown(block.text)  # before it is cut: half a key is one too
        elif block.type == "resource":
            text = _resource(block.resource, shown)
        elif block.type == "resource_link":
            kind = _typed(block.mime_type, shown)
            text = f"[resource {_short(block.name, shown)}: {_short(str(block.uri), shown)}{kind}]"
        else:
            text = f"[{block.type}{_typed(block.mime_type, shown)}, {_size(block.data)}]"
        left -= len(text)
        yield text[: MOST_TEXT + 1]


def _resource(resource: object, shown: Shown) -> str:
    uri = _short(str(getattr(resource, "uri", "")), shown)
    kind = _typed(getattr(resource, "mime_type", None), shown)
    text = getattr(resource, "text", None)
    if isinstance(text, str):
        return f"[resource {uri}{kind}]\n{shown(text)}"
    return f"[resource {uri}{kind}, {_size(str(getattr(resource, 'blob', '')))}]"


def _typed(kind: str | None, shown: Shown) -> str:
    return f", {_short(kind, shown)}" if kind else ""


def _short(text: str, shown: Shown) -> str:
    text = shown(text)
    return text if len(text) <= _NAMED else f"{text[: _NAMED - 1]}…"


def _size(data: str) -> str:
    """How much it is; what is no base64 has the size that it has as text."""
    try:
        count = len(base64.b64decode(data, validate=True))
    except ValueError:
        count = len(data)
    return f"{count:,} bytes"


def _data(tool: Listed, answer: CallToolResult, shown: Shown) -> tuple[Json, str]:
    """The structured content, and what the model is told where it is left out."""
    data: Json = answer.structured_content
    if data is None:
        return None, ""
    try:
        size = len(msgspec.json.encode(data))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None, "[Its structured content cannot be read.]"
    if size > MOST_DATA:
        return None, "" if answer.content else f"[Its structured content, {size:,} bytes, is too long.]"
    hidden = _shown(data, shown)
    if tool.output is not None and not answer.is_error and violation(data, tool.output):
        wrong = violation(hidden, tool.output) or "it is of another form"  # the words may repeat what is wrong
        return None, f"[Its structured content is not what the tool declares, and left out: {wrong}]"
    return hidden, ""


def _shown(data: Json, shown: Shown) -> Json:
    if isinstance(data, str):
        return shown(data)
    if isinstance(data, list):
        return [_shown(each, shown) for each in data]
    if isinstance(data, dict):
        return {shown(key): _shown(each, shown) for key, each in data.items()}
    return data


def _cut(text: str) -> str:
    if len(text) <= MOST_TEXT:
        return text
    return f"{text[:MOST_TEXT]}\n[The rest is left out: it is longer than {MOST_TEXT:,} characters.]"
