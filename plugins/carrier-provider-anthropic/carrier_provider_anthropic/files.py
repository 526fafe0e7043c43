"""Files that came with a message, as the API is shown them."""

from __future__ import annotations

from carrier_core import Attachment
from carrier_provider_anthropic.thinking import Block

IMAGES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
DOCUMENTS = frozenset(("application/pdf",))


def shown(attachment: Attachment) -> Block | None:
    """An image or a PDF that the API can fetch, or whose content is in its URL; None for any other file."""
    media_type = attachment.media_type.partition(";")[0].strip().lower()
    if media_type in IMAGES:
        kind = "image"
    elif media_type in DOCUMENTS:
        kind = "document"
    else:
        return None
    if attachment.url.startswith("https://"):
        return {"type": kind, "source": {"type": "url", "url": attachment.url}}
    head, comma, data = attachment.url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}
    return None
