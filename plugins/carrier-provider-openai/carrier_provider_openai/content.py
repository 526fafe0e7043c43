"""What is said to a model, in the forms that both protocols share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from carrier_core import ActionCall, Effort, Part, PromptMessage, text_of

EFFORTS: Mapping[Effort | None, Literal["none", "low", "medium", "high"]] = {
    Effort.NONE: "none",
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
}
"""How much a model is to think; what is not here is not said."""

_PICTURES = frozenset(("image/gif", "image/jpeg", "image/png", "image/webp"))
# No plain http: a server of one's own would fetch addresses of its inner network for whoever can send a message.
_ADDRESSES = ("https://", "data:image/")


def pieces(message: PromptMessage) -> list[tuple[Literal["text", "image"], str]]:
    """What a message consists of: texts, and the addresses of pictures among them. One text alone if there is no picture."""
    found: list[tuple[Literal["text", "image"], str]] = []
    texts: list[Part] = []
    for part in message.parts:
        address = _picture(part)
        if part.text or not address:
            texts.append(part)
        if address:
            if texts:
                found.append(("text", text_of(texts)))
                texts = []
            found.append(("image", address))
    if texts or not found:
        found.append(("text", text_of(texts)))
    return found


def _picture(part: Part) -> str:
    """Where the picture is that a part brings; empty if there is none that can be sent."""
    file = part.attachment
    if file is None or file.media_type.partition(";")[0].strip().lower() not in _PICTURES:
        return ""
    return file.url if file.url.startswith(_ADDRESSES) else ""


def arguments(call: ActionCall) -> str:
    """The arguments of a call, as the model wrote them."""
    return json.dumps(call.arguments, ensure_ascii=False)


def result(message: PromptMessage) -> str:
    """What came of a call. The protocols have no field for a failure, so it is said."""
    return f"The call failed: {message.text}" if message.failed else message.text
