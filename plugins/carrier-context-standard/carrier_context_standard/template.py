"""What a character's template is filled in with: ElizaOS's names for the state of a turn.

====================================  =========================================================================
``agent_id``, ``room_id``             the agent's name, the room's id
``sender_name``                       who speaks
``actors``                            the names of those who take part, a line for each
``recent_messages``                   the last messages, ``Ana: ...``, a line for each
``attachments``                       the files that came with the message, a line for each
``actions``, ``action_names``         the actions, a line for each; their names
``goals``                             the open goals of who speaks, a line for each
``knowledge``                         the texts of the character's knowledge, a line for each
``time``                              the time, in words
====================================  =========================================================================

The character's own names (``bio``, ``lore``, ``topics``...) come from ``carrier_core.eliza_values``. What Carrier has
nothing for (``evaluators``, ``recent_posts``...) is empty. ``providers``, which in ElizaOS 1.x brings nearly
everything, is the standard text of the character where the template asks for nothing of it (``bio``, ``style``...) by
itself, and empty otherwise: what other context brings stands in the prompt anyway. Only what a template asks for is
looked up, and its provenance is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache

import msgspec

from carrier_context_standard.abilities import available
from carrier_context_standard.abilities import described as described_actions
from carrier_context_standard.attachments import described, whose
from carrier_context_standard.clock import in_words, zone_named
from carrier_context_standard.goals import in_words as in_words_of
from carrier_context_standard.goals import open_goals
from carrier_context_standard.knowledge import known
from carrier_context_standard.names import shown
from carrier_core import (
    OPERATOR,
    SYSTEM_TEMPLATE,
    Action,
    CarrierError,
    CharacterView,
    Provenance,
    RoomKind,
    Turn,
    derive,
    eliza_values,
    person,
    render,
    render_view,
)


class Filling(msgspec.Struct, frozen=True):
    """What a template is rendered with, and whose words are among it besides the operator's."""

    values: dict[str, object]
    inputs: tuple[Provenance, ...] = ()

    @property
    def provenance(self) -> Provenance:
        """The provenance of what the template makes of it."""
        return derive((Provenance((OPERATOR,)), *self.inputs))


class Value(msgspec.Struct, frozen=True):
    """One value, with the provenance of the texts that it was made from."""

    text: str
    inputs: tuple[Provenance, ...] = ()


async def values_of(turn: Turn, view: CharacterView, template: str, name: str, zone: str) -> Filling:
    """All that the template asks for, as far as there is something for it."""
    asked = asked_for(template, name)
    state: dict[str, object] = {}
    inputs: list[Provenance] = []
    for key, source in _SOURCES.items():
        if _plain(key) in asked:
            value = await source(turn)
            state[key] = value.text
            inputs.extend(value.inputs)
    if "time" in asked:
        state["time"] = in_words(turn.now, zone_named(zone))
    if "providers" in asked and asked.isdisjoint(_CHARACTER):
        state["providers"] = render_view(SYSTEM_TEMPLATE, view, "system_template").text.strip()
    return Filling(eliza_values(view, **state), tuple(inputs))


def moving(template: str, name: str, turn: Turn) -> bool:
    """Whether the template asks for something that is not the same in every turn of the room."""
    changing = _MOVING if turn.room.kind is not RoomKind.DM else _MOVING - {"sendername"}
    return not changing.isdisjoint(asked_for(template, name))


@lru_cache(maxsize=256)
def asked_for(template: str, name: str) -> frozenset[str]:
    """The names that a template asks for, in lower case and without underscores, so that both spellings are one."""
    try:
        return frozenset(_plain(asked.partition(".")[0]) for asked in render(template, {}, name).missing)
    except CarrierError:  # it cannot do without its values, so that it does not say which; it may want all of them
        return frozenset(("time", *map(_plain, _SOURCES)))


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


# --- where the values come from ---------------------------------------------------------------------------------------


async def _agent_id(turn: Turn) -> Value:
    return Value(turn.agent.name)


async def _room_id(turn: Turn) -> Value:
    return Value(turn.room.id)


async def _sender_name(turn: Turn) -> Value:
    return Value(shown(turn.person.name), (turn.spoken,))


async def _actors(turn: Turn) -> Value:
    people = await turn.participants() or (turn.person,)
    origins = tuple(person(entity.id) for entity in people)
    names = "\n".join(shown(entity.name) for entity in people if entity.name)
    return Value(names, (Provenance(origins, turn.spoken.audience),))


async def _recent_messages(turn: Turn) -> Value:
    history = await turn.history()
    lines = [f"{shown(memory.name)}: {memory.text}" for memory in history if memory.text.strip()]
    return Value("\n".join(lines), tuple(memory.provenance for memory in history))


async def _attachments(turn: Turn) -> Value:
    parts = [part for part in turn.message.content if part.attachment is not None]
    lines = [described(part.attachment) for part in parts if part.attachment is not None]
    return Value("\n".join(lines), tuple(whose(part, turn) for part in parts))


async def _actions(turn: Turn) -> Value:
    actions = await available(turn)
    return Value("\n".join(described_actions(actions)), _brought(actions))


async def _action_names(turn: Turn) -> Value:
    actions = await available(turn)
    return Value(", ".join(action.name for action in actions), _brought(actions))


def _brought(actions: tuple[Action, ...]) -> tuple[Provenance, ...]:
    """The origins of those that come from elsewhere than their plugin."""
    return tuple(Provenance(action.origins) for action in actions if action.origins)


async def _goals(turn: Turn) -> Value:
    goals = await open_goals(turn)
    return Value("\n".join(in_words_of(goal) for goal in goals), tuple(goal.provenance for goal in goals))


async def _knowledge(turn: Turn) -> Value:
    return Value("\n".join(known(turn.agent.character)))


_SOURCES: dict[str, Callable[[Turn], Awaitable[Value]]] = {
    "agent_id": _agent_id,
    "room_id": _room_id,
    "sender_name": _sender_name,
    "actors": _actors,
    "recent_messages": _recent_messages,
    "attachments": _attachments,
    "actions": _actions,
    "action_names": _action_names,
    "goals": _goals,
    "knowledge": _knowledge,
}
_CHARACTER = frozenset("bio lore adjectives topics character messagedirections charactermessageexamples".split())
"""What a template asks for that sets the character out by itself."""

_MOVING = frozenset(
    map(_plain, ("sender_name", "actors", "recent_messages", "attachments", "actions", "action_names", "goals", "time"))
)
