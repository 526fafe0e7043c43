"""What files came with the message."""

from __future__ import annotations

from carrier_context_standard import order
from carrier_context_standard.names import shown
from carrier_core import Attachment, Context, Part, Provenance, State, Turn


class Attachments(Context):
    """Name, type and size of each file that came with the message; what is in them is not looked at."""

    name = "attachments"
    size = 4_000

    async def provide(self, turn: Turn) -> State | None:
        """A part for each file, with the provenance of the message's part; None where there is none."""
        parts = tuple(
            Part(
                f"With the message came {described(part.attachment)}.",
                self.name,
                whose(part, turn),
                order=order.ATTACHMENTS,
            )
            for part in turn.message.content
            if part.attachment is not None
        )
        return State(parts) if parts else None


def whose(part: Part, turn: Turn) -> Provenance:
    """The provenance of what is said of a part of the message; the host adds who said it."""
    given = part.provenance or turn.spoken
    return Provenance(given.origins, given.audience)


def described(attachment: Attachment) -> str:
    """``photo.jpg (image/jpeg, 1.2 MB)``."""
    details = [shown(attachment.media_type) or "of unknown type"]
    if attachment.size is not None:
        details.append(_size(attachment.size))
    return f"{shown(attachment.name) or 'a file'} ({', '.join(details)})"


def _size(size: int) -> str:
    """Decimal units, as platforms show them."""
    if size < 1_000:
        return f"{size} bytes"
    for unit, factor in (("kB", 1e3), ("MB", 1e6)):
        if size < factor * 1_000:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e9:.1f} GB"
