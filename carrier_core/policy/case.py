"""A case: all that policy looks at of one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from carrier_core.messages import Entity, Role, Room
from carrier_core.policy.clauses import asked, told
from carrier_core.policy.words import Words, leaves_of, words_of
from carrier_core.prompts import ActionCall, Effect, Json
from carrier_core.provenance import AGENT, OPERATOR, person

_COUNTED = 1_000_000  # from here on a number could hold something

_PLACES = frozenset(
    "to cc bcc url uri link href address email e_mail mail recipient recipients destination dest target host hostname server domain "
    "endpoint webhook channel room chat phone number user username handle account recipient_id channel_id room_id user_id".split()
)
"""Names of arguments that say where something goes, as the tools of the world call them."""

_PLACE_FORMATS = frozenset(("uri", "url", "iri", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6"))
"""Formats of a JSON schema that are those of places."""


class Case(msgspec.Struct, frozen=True):
    """One call that is to be judged.

    ``said`` are the words of the person in the message that is being answered, ``known`` those of theirs anywhere in the prompt.
    ``names`` are those of the action. ``destination`` are the arguments that say where it goes. ``foreign`` is whose words, besides the
    operator's, the agent's and the person's, the model was shown. ``defaults`` are what arguments are if they are left out: one that
    is written all the same says nothing. ``called`` is what the agent is called, ``keys`` are all
    that the schema names. ``again`` says that the turn has carried out such a call before. ``private`` says that it would say something, in another room,
    that not everyone there may know.
    """

    agent: str
    client: str
    room: Room
    person: Entity
    role: Role
    call: ActionCall
    effect: Effect
    names: tuple[str, ...]
    destination: tuple[str, ...]
    required: Role = Role.GUEST
    foreign: tuple[str, ...] = ()
    said: Words = Words(())
    known: Words = Words(())
    private: bool = False
    defaults: Mapping[str, Json] = {}
    called: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()
    again: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the person asked for exactly this: a clause of the message that is being answered says it. It does so once."""
        if self.again:
            return False
        names = tuple([words_of(name) for name in self.names])
        return asked(
            self.said.texts, names, self._given(), places=self.destination, speaker=self.person.name, agents=self.called
        )

    @property
    def is_told(self) -> bool:
        """Whether it would say elsewhere only what the person has just said: every word of it is in the message."""
        texts = [value for name, value in self._given().items() if name not in self.destination]
        return bool(self.said.texts) and told(self.said.texts, texts, speaker=self.person.name)

    @property
    def gives_away(self) -> bool:
        """Whether it would say, in another room, what not everyone there may know and the person has not asked to have said."""
        return self.private and not self.is_own and (bool(self.foreign) or not self.is_told)

    def _given(self) -> dict[str, Json]:
        """The arguments that say something; what keys say that the schema does not name is said, too."""
        given = self.call.arguments.items()
        return {name: self._listed(value) for name, value in given if not self._is_default(name, value)}

    def _listed(self, value: Json) -> Json:
        if isinstance(value, dict):
            keys: list[Json] = [key for key in value if key not in self.keys]
            return [*keys, *[self._listed(each) for each in value.values()]]
        return [self._listed(each) for each in value] if isinstance(value, list) else value

    def _is_default(self, name: str, value: Json) -> bool:
        return name in self.defaults and type(value) is type(self.defaults[name]) and value == self.defaults[name]

    def tells(self) -> list[Json]:
        """What it tells the place where it goes: the texts among its other arguments. Numbers say where to begin, and the like."""
        given = [value for name, value in self._given().items() if name not in self.destination]
        return [
            value
            for value in given
            if any(isinstance(leaf, str) or abs(leaf or 0) >= _COUNTED for leaf in leaves_of(value))
        ]

    def goes(self) -> tuple[Json, ...]:
        """Where it goes, as far as arguments say so."""
        return tuple(self.call.arguments[name] for name in self.destination if name in self.call.arguments)


def foreign_to(who: Entity, origins: Iterable[str]) -> tuple[str, ...]:
    """The origins that are nobody's whose word counts when this person is spoken with. What has no origin is unknown."""
    own = {OPERATOR, AGENT, person(who.id)}
    return tuple(origin for origin in origins if origin not in own)


def defaults_in(schema: Mapping[str, Json]) -> dict[str, Json]:
    """What arguments are if they are left out, as far as the schema says so."""
    properties = schema.get("properties")
    kinds = properties.items() if isinstance(properties, dict) else ()
    return {name: kind["default"] for name, kind in kinds if isinstance(kind, dict) and "default" in kind}


def keys_in(schema: Json) -> frozenset[str]:
    """All that a schema names, however deep."""
    found: set[str] = set()
    left: list[Json] = [schema]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            named = each.get("properties")
            found.update(named if isinstance(named, dict) else ())
            left += each.values()
        elif isinstance(each, list):
            left += each
    return frozenset(found)


def places_in(schema: Mapping[str, Json]) -> tuple[str, ...]:
    """The arguments that say where something goes, as far as their names and formats tell."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return ()
    return tuple(
        name
        for name, kind in properties.items()
        if name.casefold().replace("-", "_") in _PLACES
        or (isinstance(kind, dict) and kind.get("format") in _PLACE_FORMATS)
    )
