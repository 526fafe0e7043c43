"""Reception: whatever a client hands over is made valid and bounded before anything else sees it."""

from __future__ import annotations

import re

import msgspec

from carrier_core.messages import Entity, Inbound, Part, Room

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CR = re.compile(r"\r\n?")
_NAME = 256  # characters of a name or a native id's label


def clean(inbound: Inbound, most: int) -> Inbound:
    """The inbound with valid text of at most ``most`` bytes (UTF-8); ``trail`` says what was repaired.

    Lone surrogates become U+FFFD, control characters but tab and newline go, line ends become newlines. Parts that are
    empty after that go; attachments stay. Provenance that a client set is not taken over.
    """
    trail: list[str] = []
    parts: list[Part] = []
    left = most
    for part in inbound.message.content:
        text = clean_text(part.text)
        if text != part.text:
            trail.append("cleaned")
        encoded = text.encode()
        if len(encoded) > left:
            text = encoded[:left].decode(errors="ignore")
            trail.append(f"cut at {most} bytes")
        left -= len(text.encode())
        if text.strip() or part.attachment is not None:
            same = text == part.text and part.provenance is None
            parts.append(part if same else msgspec.structs.replace(part, text=text, provenance=None))
    message = msgspec.structs.replace(inbound.message, content=tuple(parts), sender=_entity(inbound.message.sender))
    return msgspec.structs.replace(
        inbound, message=message, room=_room(inbound.room), trail=(*inbound.trail, *dict.fromkeys(trail))
    )


def clean_text(text: str) -> str:
    """The text without what no store, model or terminal can take."""
    if text.isascii() and text.isprintable():
        return text
    text = _SURROGATE.sub("\ufffd", _CR.sub("\n", text))
    return _CONTROL.sub("", text)


def _entity(entity: Entity) -> Entity:
    name = clean_text(entity.name).replace("\n", " ")[:_NAME]
    return entity if name == entity.name else msgspec.structs.replace(entity, name=name)


def _room(room: Room) -> Room:
    name = clean_text(room.name).replace("\n", " ")[:_NAME]
    return room if name == room.name else msgspec.structs.replace(room, name=name)
