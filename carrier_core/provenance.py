"""Where a piece of text came from and who may know it.

*Origins* are absolute: ``operator``, ``agent``, ``person:ID``, ``outside:URL``. The *audience* is who may know the
text. What is derived from several parts has the union of their origins and the intersection of their audiences, so
neither a trusted paraphrase of an untrusted text nor a public summary of a private one can come into being.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import msgspec

OPERATOR = "operator"
AGENT = "agent"


def person(entity: str) -> str:
    """The origin of what the person with this entity id said."""
    return f"person:{entity}"


def outside(url: str) -> str:
    """The origin of what came from anywhere but the operator, the agent or a person it talks with."""
    return f"outside:{url}"


class Readers(msgspec.Struct, frozen=True, gc=False):
    """Who would read a text that is said in ``room``.

    ``persons`` are entity ids; None means that they cannot be listed (a group or a feed may have silent readers), and so
    does an empty list: somebody reads whatever is said, and nobody knows who. ``rooms`` are the ids of all rooms that
    each of the listed persons takes part in; without persons they mean nothing.
    """

    room: str
    persons: tuple[str, ...] | None = None
    rooms: tuple[str, ...] = ()


class Audience(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, cache_hash=True):
    """Who may know a text: persons who are in *all* of ``rooms`` and, unless it is None, named in ``persons``.

    No rooms and persons None (the default) is everyone; no rooms and no persons is nobody. Conjunctions of this form are
    closed under intersection, which is why an audience needs no other shape. Both are kept sorted, each name once, so
    that equal audiences are equal values.
    """

    rooms: tuple[str, ...] = ()
    persons: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if len(self.rooms) > 1:
            msgspec.structs.force_setattr(self, "rooms", tuple(sorted({*self.rooms})))
        if self.persons is not None and len(self.persons) > 1:
            msgspec.structs.force_setattr(self, "persons", tuple(sorted({*self.persons})))

    def __and__(self, other: Audience) -> Audience:
        if other is self or other == EVERYONE:
            return self
        if self == EVERYONE:
            return other
        if self.persons is None or other.persons is None:
            persons = self.persons if other.persons is None else other.persons
        else:
            persons = tuple({*self.persons} & {*other.persons})
        return Audience((*self.rooms, *other.rooms), persons)

    def admits(self, readers: Readers) -> bool:
        """Whether everyone who would read a text in that room may know this one.

        A room of the audience admits the same room, and any room whose readers can be listed and are all in it.
        """
        shared = readers.rooms if readers.persons else ()
        for room in self.rooms:
            if room != readers.room and room not in shared:
                return False
        if self.persons is None:
            return True
        return {*readers.persons} <= {*self.persons} if readers.persons else False


EVERYONE = Audience()


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, cache_hash=True):
    """Origins and audience of one part; ``plugin`` and ``hook``, who brought it in, are stamped by the host."""

    origins: tuple[str, ...] = ()
    audience: Audience = EVERYONE
    plugin: str = ""
    hook: str = ""


@lru_cache(maxsize=4_096)
def shared(provenance: Provenance) -> Provenance:
    """An equal provenance that others have too: what one person says in one room has the same every time, and what is one
    object is kept, hashed and compared at once."""
    return provenance


def derive(inputs: Iterable[Provenance], *, plugin: str = "", hook: str = "") -> Provenance:
    """The provenance of a text made from parts with these provenances."""
    origins: set[str] = set()
    audience = EVERYONE
    for given in {id(given): given for given in inputs}.values():  # most parts of a prompt share one object
        origins.update(given.origins)
        audience = audience & given.audience
    return shared(Provenance(tuple(sorted(origins)), audience, plugin, hook))
