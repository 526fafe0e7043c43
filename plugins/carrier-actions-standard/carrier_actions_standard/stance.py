"""Stance: how the agent takes part in a room. Where it follows it answers whatever is said; where it is muted it answers only
who calls it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from carrier_core import Decision, Kept, MemoryKind, Turn, impl

if TYPE_CHECKING:
    from carrier_core import Host

FOLLOWED, MUTED, USUAL = "followed", "muted", "usual"

FRESH = 60.0
"""Seconds for which a stance is kept in mind: it is asked in every turn, and changes once in many. Another daemon that takes over
the room, or an operator who has a memory forgotten, is noticed after that."""

_MOST = 20_000  # rooms whose stance is kept in mind, some 200 bytes each

_known: WeakKeyDictionary[Host, Kept[tuple[str, str], tuple[str, float]]] = WeakKeyDictionary()


@impl(tryfirst=True)
async def decide(turn: Turn) -> Decision | None:
    """Answer in a room that is followed, except a bot; in a muted one nobody but who calls the agent. None elsewhere, and for
    what was scheduled: that somebody wanted to be told."""
    if turn.inbound.schedule:
        return None
    stance = await stance_of(turn)
    if stance == MUTED:
        return None if called(turn) else Decision(False, "the room is muted, and the agent was not called")
    if stance == FOLLOWED and not turn.person.bot:
        return Decision(True, "the room is followed")
    return None


async def stance_of(turn: Turn) -> str:
    """The stance in the turn's room, as it was some seconds ago at most."""
    kept = _kept(turn.agent.host)
    key = (turn.agent.name, turn.room.id)
    found = kept.get(key)
    if found is not None and 0 <= turn.now - found[1] < FRESH:
        return found[0]
    stance = await standing(turn)
    kept[key] = (stance, turn.now)
    return stance


async def standing(turn: Turn) -> str:
    """The stance as it is remembered, what this very turn changed included."""
    for memory in await turn.known(MemoryKind.STANCE, room=turn.room.id, limit=1):
        if isinstance(memory.data, dict) and memory.data.get("stance") in (FOLLOWED, MUTED):
            return str(memory.data["stance"])
    return USUAL


def changed(turn: Turn) -> None:
    """Ask again in the next turn of the room."""
    _kept(turn.agent.host).pop((turn.agent.name, turn.room.id), None)


def called(turn: Turn) -> bool:
    """Whether the message is a call for the agent: it is mentioned, or the message begins with its name. In a muted room it is
    not enough that the name occurs."""
    message, agent = turn.message, turn.agent
    names = {agent.name.lower(), agent.character.name.lower(), agent.character.username.lower()} - {""}
    mentioned = {mention.lower() for mention in message.mentions}
    if mentioned & names or agent.entity(turn.room.platform).id in mentioned:
        return True
    if message.sender.bot:
        return False
    return _beginning(tuple(sorted(names))).match(message.text) is not None


@lru_cache(maxsize=256)
def _beginning(names: tuple[str, ...]) -> re.Pattern[str]:
    """A message that begins with one of the names, with or without a greeting: ``Robin, ...``, ``hey @Robin ...``."""
    either = "|".join(re.escape(name) for name in names)
    return re.compile(rf"\W*(?:(?:hey|hi|hello|ok|okay|dear|please)\b\W*)?(?:{either})(?!\w)", re.IGNORECASE)


def _kept(host: Host) -> Kept[tuple[str, str], tuple[str, float]]:
    found = _known.get(host)
    if found is None:
        found = _known[host] = Kept(_MOST)
    return found
