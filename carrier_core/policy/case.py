"""A case: all that policy looks at of one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from carrier_core.messages import Entity, Role, Room
from carrier_core.policy.words import Words
from carrier_core.prompts import ActionCall, Effect, Json
from carrier_core.provenance import AGENT, OPERATOR, person

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
    is written all the same says nothing. ``private`` says that it would say something, in another room,
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

    @property
    def is_own(self) -> bool:
        """Whether the person asked for exactly this: the message that is being answered names the action and has every argument."""
        given = [value for name, value in self.call.arguments.items() if not self._is_default(name, value)]
        if given:
            return self.said.name(*self.names) and self.said.have(given)
        return self.said.name(self.call.name)

    def _is_default(self, name: str, value: Json) -> bool:
        return name in self.defaults and type(value) is type(self.defaults[name]) and value == self.defaults[name]

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
