"""What was said before in the room, and who takes part in it."""

from __future__ import annotations

from functools import lru_cache

from carrier_context_standard import order
from carrier_context_standard.names import listed, shown
from carrier_core import Context, Entity, Memory, Part, Provenance, RoomKind, State, Turn, person

_KEPT = 4_096  # lines that are kept made: those of some 130 rooms
_LONGEST_KEPT = 4_000  # characters of a line that is kept
_NAMED = 20  # people whose names are told

_SHARED = (RoomKind.GROUP, RoomKind.THREAD, RoomKind.FEED, RoomKind.UNKNOWN)


async def is_shared(turn: Turn) -> bool:
    """Whether several people may speak in the turn's room."""
    return turn.room.kind in _SHARED or len(await turn.participants()) > 1


class RecentMessages(Context):
    """The last messages of the room, as lines of the conversation, oldest first.

    Where several people may speak, each line of theirs begins with its speaker's name. A line is made once and is the same
    object in later turns, with the provenance object of its memory: the host then neither stamps nor hashes it again.
    """

    name = "recent_messages"

    def __init__(self) -> None:
        self._kept = lru_cache(_KEPT)(self._made)

    async def provide(self, turn: Turn) -> State | None:
        """As many as the agent's ``conversation_length``; None where nothing was said yet."""
        history = await turn.history()
        if not history:
            return None
        named = await is_shared(turn)
        parts = [self._line(memory, named) for memory in history]
        return State(tuple(part for part in parts if part.text))

    def _line(self, memory: Memory, named: bool) -> Part:
        content = memory.content
        is_short = len(content) == 1 and len(content[0].text) <= _LONGEST_KEPT
        return (self._kept if is_short else self._made)(memory, named)

    def _made(self, memory: Memory, named: bool) -> Part:
        text, name = memory.text, shown(memory.name)
        if named and name and not memory.by_agent and text.strip():
            text = f"{name}: {text}"
        return Part(
            text if text.strip() else "",
            self.name,
            memory.provenance,
            "assistant" if memory.by_agent else "user",
            name,
            memory.id,
            order.RECENT_MESSAGES,
            at=memory.at,
        )


class Actors(Context):
    """Who speaks, and in a shared room who else takes part.

    People choose their own names, so the text counts as said by those whom it names. Where one of them has said nothing
    lately, the host has not shown the turn anything of theirs; then the text is left unlabelled, which is outside.
    """

    name = "actors"
    size = 2_000

    async def provide(self, turn: Turn) -> State | None:
        """One part; None where the person has no name."""
        speaker = shown(turn.person.name)
        if not speaker:
            return None
        here = turn.spoken.audience
        if not await is_shared(turn):
            return self._state(f"You are talking with {speaker}.", Provenance((person(turn.person.id),), here))
        others = [entity for entity in await turn.participants() if entity.id != turn.person.id and entity.name]
        named = others[: _NAMED - 1]
        text = f"{speaker} is speaking to you now."
        if named:
            names = [speaker, *(_name(entity) for entity in named)]
            rest = len(others) - len(named)
            names += [f"{rest} more"] if rest else []
            text = f"In this conversation: {listed(names)}. {text}"
        heard = {memory.entity for memory in await turn.history()}
        if any(entity.id not in heard for entity in named):
            return self._state(text, None)
        return self._state(text, Provenance(tuple(person(entity.id) for entity in (turn.person, *named)), here))

    def _state(self, text: str, provenance: Provenance | None) -> State:
        return State((Part(text, self.name, provenance, order=order.ACTORS),))


def _name(entity: Entity) -> str:
    return f"{shown(entity.name)} (a bot)" if entity.bot else shown(entity.name)
