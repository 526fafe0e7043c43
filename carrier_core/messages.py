"""The values that travel through the loop.

All are frozen, so that what one plugin was given another cannot change; all text is held in a :class:`Part`, the unit
that provenance is kept for. Times are seconds since the epoch (UTC). Open enumerations have a member ``UNKNOWN``, so
that a record written by a newer release still loads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import msgspec

from carrier_core.provenance import Provenance, Readers

if TYPE_CHECKING:
    Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
else:
    Json = Any  # msgspec takes no recursive alias; what JSON cannot hold fails when it is encoded


def make_id(*names: str) -> str:
    """A deterministic id of 32 hex characters: BLAKE2b-128 over the names, each preceded by its length.

    Things on a platform hash (platform, realm, kind, native id), so that the same person, room or message has the same
    id whichever plugin or connection reported it.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in names:
        encoded = name.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(encoded))
        digest.update(encoded)
    return digest.hexdigest()


class OpenEnum(StrEnum):
    """An enumeration that reads a name it does not know as ``UNKNOWN``."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


# --- parts ---------------------------------------------------------------------------------------------------------


class PartKind(OpenEnum):
    """What a part is: said here, repeated from elsewhere (quoted, forwarded), or a file."""

    TEXT = "text"
    QUOTE = "quote"
    ATTACHMENT = "attachment"
    UNKNOWN = "unknown"


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A file that came with a message. ``size`` is in bytes, ``digest`` the BLAKE2b-256 of its content in hex."""

    media_type: str
    name: str = ""
    url: str = ""
    size: int | None = None
    digest: str = ""


class Part(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, cache_hash=True):
    """A piece of a message, memory, state, prompt, completion or reply, with its provenance.

    ``key`` says what it is for (``character``, ``recent_messages``, ``memories``, a plugin's own word). ``role`` is
    ``user`` or ``assistant`` when it is a line of the conversation, spoken by ``name``; empty otherwise. ``memory`` is
    the id of the memory that it repeats. ``order`` sorts parts of a state, lower first. ``stable`` marks text that is the
    same in every turn of a room, which is put first, where providers can cache it. A part without provenance has not
    been through the host yet, which treats it as coming from outside.
    """

    text: str = ""
    key: str = ""
    provenance: Provenance | None = None
    role: str = ""
    name: str = ""
    memory: str = ""
    order: int = 0
    stable: bool = False
    at: float = 0.0
    kind: PartKind = PartKind.TEXT
    attachment: Attachment | None = None


def text_of(parts: Iterable[Part]) -> str:
    """The parts as one text, a line for each; an attachment is shown by its name and type."""
    return "\n".join(
        part.text
        if part.attachment is None
        else part.text or f"[{part.attachment.name or 'attachment'}: {part.attachment.media_type}]"
        for part in parts
    )


# --- who and where -------------------------------------------------------------------------------------------------


class RoomKind(OpenEnum):
    """What a room is. Only the readers of a DM can be listed; any other room may have silent ones."""

    DM = "dm"
    GROUP = "group"
    THREAD = "thread"
    FEED = "feed"
    API = "api"
    UNKNOWN = "unknown"


class Entity(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A person or bot on one platform. ``realm`` separates accounts or servers whose native ids may collide."""

    id: str
    platform: str
    native: str
    name: str = ""
    username: str = ""
    realm: str = ""
    bot: bool = False

    @classmethod
    def of(
        cls, platform: str, native: str, *, realm: str = "", name: str = "", username: str = "", bot: bool = False
    ) -> Self:
        """The entity that a platform knows by ``native``."""
        key = make_id(platform, realm, "entity", native)
        return cls(key, platform, native, name or native, username, realm, bot)


class Role(OpenEnum):
    """What a person is to an agent in a world, the most powerful first; a guest is whoever is nothing else."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """How much it may, 0 the least; what is not known here is no more than a guest."""
        return _RANKS.get(self, 0)


_RANKS = {Role.OWNER: 3, Role.ADMIN: 2, Role.MEMBER: 1, Role.GUEST: 0}


class World(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A server or account that rooms belong to."""

    id: str
    platform: str
    native: str
    name: str = ""
    realm: str = ""

    @classmethod
    def of(cls, platform: str, native: str, *, realm: str = "", name: str = "") -> Self:
        """The world that a platform knows by ``native``."""
        return cls(make_id(platform, realm, "world", native), platform, native, name or native, realm)


class Room(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A conversation; ``world`` is the id of the world that it belongs to."""

    id: str
    platform: str
    native: str
    kind: RoomKind = RoomKind.DM
    name: str = ""
    world: str = ""
    realm: str = ""

    @classmethod
    def of(
        cls,
        platform: str,
        native: str,
        *,
        realm: str = "",
        kind: RoomKind = RoomKind.DM,
        name: str = "",
        world: World | None = None,
    ) -> Self:
        """The room that a platform knows by ``native``."""
        key = make_id(platform, realm, "room", native)
        return cls(key, platform, native, kind, name or native, world.id if world else "", realm)

    @property
    def listed(self) -> bool:
        """Whether everyone who reads along can be listed."""
        return self.kind is RoomKind.DM


# --- what comes in -------------------------------------------------------------------------------------------------


class InboundKind(OpenEnum):
    """What a client hands over. Approval, choice and stop pass the room's queue."""

    MESSAGE = "message"
    EDIT = "edit"
    DELETE = "delete"
    REACTION = "reaction"
    APPROVAL = "approval"
    CHOICE = "choice"
    STOP = "stop"
    UNKNOWN = "unknown"


class Message(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What somebody said. ``reply_to`` is a message id; ``mentions`` are entity ids or agent names."""

    id: str
    sender: Entity
    content: tuple[Part, ...] = ()
    at: float = 0.0
    reply_to: str = ""
    mentions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All parts as one text."""
        return text_of(self.content)


class Inbound(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a client hands over: one event of a platform.

    ``event`` is the platform's id of it and ``revision`` counts its edits, so (kind, event, revision) tells a repetition.
    ``target`` is the message or turn that an edit, deletion, reaction, answer or stop is about. ``client`` is the name of
    the client that delivers replies; ``agent``, when given, the only agent that hears it. ``value`` is the reaction, choice
    or verdict. ``trail`` says how the host repaired the content (cut, cleaned). ``schedule`` is the id of the schedule that it
    comes from: nobody said it now.
    """

    event: str
    room: Room
    message: Message
    kind: InboundKind = InboundKind.MESSAGE
    world: World | None = None
    client: str = ""
    agent: str = ""
    revision: int = 0
    target: str = ""
    value: str = ""
    trail: tuple[str, ...] = ()
    schedule: str = ""

    @classmethod
    def say(
        cls,
        room: Room,
        sender: Entity,
        text: str,
        *,
        event: str,
        at: float,
        client: str = "",
        agent: str = "",
        reply_to: str = "",
        mentions: tuple[str, ...] = (),
        attachments: tuple[Attachment, ...] = (),
        world: World | None = None,
    ) -> Self:
        """A message of plain text, which is what most clients hand over."""
        files = tuple(Part(kind=PartKind.ATTACHMENT, attachment=file) for file in attachments)
        words = (Part(text),) if text else ()
        key = make_id(room.platform, room.realm, "message", event)
        message = Message(key, sender, (*words, *files), at, reply_to, mentions)
        return cls(event, room, message, world=world, client=client, agent=agent)

    @property
    def dedupe_key(self) -> str:
        """What tells a repeated platform event; it never contains a plugin's or connection's name."""
        room = self.room
        return make_id(room.platform, room.realm, "event", f"{self.kind}/{self.event}/{self.revision}")


class Drop(msgspec.Struct, frozen=True, gc=False):
    """Returned by ``receive``: this inbound goes no further."""

    reason: str


# --- what is remembered ----------------------------------------------------------------------------------------------


class MemoryKind(OpenEnum):
    """What a memory is. A stance is how the agent takes part in a room, a rating what somebody thought of a reply; roles are
    written by the host alone."""

    MESSAGE = "message"
    FACT = "fact"
    DOCUMENT = "document"
    FRAGMENT = "fragment"
    GOAL = "goal"
    RELATIONSHIP = "relationship"
    ROLE = "role"
    STANCE = "stance"
    RATING = "rating"
    UNKNOWN = "unknown"


class Memory(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, cache_hash=True):
    """Anything that an agent remembers. ``entity`` is whoever said it; ``by_agent`` when that was the agent itself.

    ``turn`` is the turn that it was written in, ``reply_to`` the memory that it answers. ``data`` is what it says in a form that
    a program can read, where it has one: the steps of a goal, say.
    """

    id: str
    agent: str
    room: str
    kind: MemoryKind
    content: tuple[Part, ...]
    at: float
    provenance: Provenance
    entity: str = ""
    name: str = ""
    by_agent: bool = False
    turn: str = ""
    reply_to: str = ""
    data: Json = None

    @property
    def text(self) -> str:
        """All parts as one text."""
        return text_of(self.content)


class Recalled(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A memory that answers a query, with its score (higher is better, comparable within one recall only)."""

    memory: Memory
    score: float = 0.0


class Query(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What to recall, for whom. ``readers`` filters inside the store: nothing they may not know comes back.

    ``kinds`` empty means all; ``room`` limits messages to that room; ``speaker`` is the entity who asks, so that "I" can be
    read as them; ``exclude`` are memory ids that are in the prompt already; ``threshold`` is the least score that counts.
    ``vector`` is the embedding of the text, empty where no embedder is configured, and ``model`` says whose it is
    (:meth:`~carrier_core.memory.MemoryStore.unembedded`).
    """

    agent: str
    text: str
    readers: Readers
    kinds: tuple[MemoryKind, ...] = ()
    room: str = ""
    speaker: str = ""
    exclude: tuple[str, ...] = ()
    limit: int = 5
    threshold: float = 0.0
    vector: tuple[float, ...] = ()
    model: str = ""


# --- what goes out -----------------------------------------------------------------------------------------------------


class Question(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a turn that parks asks: an approval, or a choice among ``options``, ``until`` a time in seconds since the epoch.

    A client that can shows it with buttons, and hands over an inbound of kind approval or choice whose ``target`` is the
    question's ``id`` and whose ``value`` is one of the options. Any other way, a person answers with an option and the
    ``code``: ``approve k7f2``.
    """

    id: str
    options: tuple[str, ...]
    until: float
    code: str = ""


class Reply(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is delivered. ``notice`` marks a sentence of the host itself (the turn failed), not of the agent; ``question`` is what
    the turn waits for, in a reply that asks it."""

    parts: tuple[Part, ...] = ()
    reply_to: str = ""
    notice: bool = False
    question: Question | None = None

    @property
    def text(self) -> str:
        """All parts as one text."""
        return text_of(self.parts)


class Block(msgspec.Struct, frozen=True, gc=False):
    """Returned by ``transform_reply``: nothing is delivered."""

    reason: str


class ReplyPart(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One delivery: what a platform takes in one post. ``key`` is its idempotency key, the same at every attempt.

    ``draft`` is the turn whose draft was shown for it and is to be edited into it; empty where none was. ``question`` is what it
    asks, on the last part of one that does.
    """

    key: str
    turn: str
    agent: str
    room: Room
    content: tuple[Part, ...]
    client: str = ""
    number: int = 0
    reply_to: str = ""
    notice: bool = False
    draft: str = ""
    question: Question | None = None

    @property
    def text(self) -> str:
        """All parts as one text."""
        return text_of(self.content)


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A platform's word that it took a reply part; ``native`` is its id there."""

    key: str
    native: str = ""
    at: float = 0.0


class Sent(msgspec.Struct, frozen=True, gc=False):
    """The answer of ``Client.find``: the platform has it."""

    receipt: Receipt


class NotSent(msgspec.Struct, frozen=True, gc=False):
    """The answer of ``Client.find``: the platform does not have it."""


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """The answer of ``Client.find``: the platform cannot tell."""
