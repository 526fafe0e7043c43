"""Reception: whatever a client hands over is made valid and bounded before anything else sees it."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from carrier_core.messages import Attachment, Entity, Inbound, Message, Part, PartKind, Room, World
from carrier_core.provenance import Provenance, outside

T = TypeVar("T", bound=msgspec.Struct)

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
_WRONG = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ud800-\udfff]")  # any of what is repaired
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CR = re.compile(r"\r\n?")
_UNSEEN = re.compile(r"[\s\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f]*")
_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # they turn round what follows a name in a line
_NAME = 256  # characters of a name


def clean(inbound: Inbound, most: int) -> Inbound:
    """The inbound with valid text of at most ``most`` bytes (UTF-8); ``trail`` says what was repaired.

    Lone surrogates become U+FFFD, control characters but tab and newline go, line ends become newlines. Parts in which
    nothing can be seen after that go; attachments stay. Names are one line of at most 256 characters. Ids and whatever
    else is text are made valid and not cut. Of the provenance that a client set only that of quoted, forwarded and attached
    parts is taken over, as far as it says that they come from outside.
    """
    trail: list[str] = []
    content = _content(inbound.message.content, most, trail)
    value = _cut(clean_text(inbound.value), most)
    if value != inbound.value:
        trail.append("cleaned")
    message = _valid(inbound.message, "id", "reply_to")
    mentions = tuple(clean_text(mention) for mention in message.mentions)
    inbound = _valid(inbound, "event", "client", "agent", "target")
    return msgspec.structs.replace(
        inbound,
        message=Message(message.id, _named(message.sender), content, message.at, message.reply_to, mentions),
        room=_named(inbound.room),
        world=None if inbound.world is None else _named(inbound.world),
        value=value,
        trail=tuple(dict.fromkeys((*inbound.trail, *trail))),
    )


def _quoted(claimed: Provenance | None) -> Provenance | None:
    """What a client says of the origin of a quoted, forwarded or attached part: that it is from outside, and where."""
    origins = tuple(origin for origin in (claimed.origins if claimed else ()) if origin.startswith(outside("")))
    return Provenance(origins) if origins else None


def clean_text(text: str) -> str:
    """The text without what no store, model or terminal can take."""
    if (text.isascii() and text.isprintable()) or _WRONG.search(text) is None:
        return text
    text = _SURROGATE.sub("\ufffd", _CR.sub("\n", text))
    return _CONTROL.sub("", text)


def clean_name(name: str) -> str:
    """The name on one line, cut at 256 characters, without what would change the line that it is shown in."""
    if name.isascii() and name.isprintable() and len(name) <= _NAME:
        return name
    return _DIRECTION.sub("", " ".join(clean_text(name).splitlines()))[:_NAME]


def _content(content: tuple[Part, ...], most: int, trail: list[str]) -> tuple[Part, ...]:
    parts: list[Part] = []
    left = most
    for part in content:
        text = clean_text(part.text)
        if text != part.text:
            trail.append("cleaned")
        kept = _cut(text, left)
        if kept != text:
            trail.append(f"cut at {most} bytes")
        left -= len(kept.encode())
        file = None if part.attachment is None else _valid(part.attachment, *_FILE)
        if file is not None or _UNSEEN.fullmatch(kept) is None:
            part = _valid(part, "key", "role", "memory")
            name = clean_name(part.name)
            origin = None if part.kind is PartKind.TEXT else _quoted(part.provenance)
            parts.append(msgspec.structs.replace(part, text=kept, name=name, attachment=file, provenance=origin))
    return tuple(parts)


def _cut(text: str, most: int) -> str:
    """At most ``most`` bytes of the text, without the rest of a character that would be cut in the middle."""
    if len(text) * 4 <= most:
        return text
    encoded = text.encode()
    return text if len(encoded) <= most else encoded[:most].decode(errors="ignore")


def _named(thing: T) -> T:
    thing = _valid(thing, *_IDS[type(thing)])
    name: str = getattr(thing, "name")  # noqa: B009 - all three have one, which their common type does not say
    kept = clean_name(name)
    return thing if kept == name else msgspec.structs.replace(thing, name=kept)


def _valid(thing: T, *fields: str) -> T:
    """The same with valid text in these fields; the same object if it is valid already."""
    wrong = {}
    for field in fields:
        text = getattr(thing, field)
        kept = clean_text(text)
        if kept != text:
            wrong[field] = kept
    return msgspec.structs.replace(thing, **wrong) if wrong else thing


_FILE = tuple(field for field in Attachment.__struct_fields__ if field != "size")
_IDS: dict[type[msgspec.Struct], tuple[str, ...]] = {
    Entity: ("id", "platform", "native", "username", "realm"),
    Room: ("id", "platform", "native", "world", "realm"),
    World: ("id", "platform", "native", "realm"),
}
