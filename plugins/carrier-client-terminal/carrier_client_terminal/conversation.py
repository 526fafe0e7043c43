"""Who talks with whom, where: what both faces of the terminal, the screen and the plain lines, have in common."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from carrier_client_terminal.visible import visible, visible_name
from carrier_core import (
    ClientHost,
    Entity,
    Inbound,
    InboundKind,
    Json,
    Message,
    ReplyPart,
    Room,
    RoomKind,
    make_id,
)

CLIENT = "terminal"
PLATFORM = "local"


class Ending(NamedTuple):
    """How a turn ended: a sentence where its reply does not say it all, and whether it failed."""

    sentence: str
    failed: bool


class Conversation:
    """One person's conversation with one agent; the room can change.

    ``turns`` are those that this person began and that have not ended; ``last`` is the newest of all. ``failed`` is set
    when a message got no answer because something failed.
    """

    def __init__(
        self, host: ClientHost, *, agent: str, room: str, person: str, now: Callable[[], float] = time.time
    ) -> None:
        self.host = host
        self.agent = agent
        self.person = Entity.of(PLATFORM, person)
        self.room = _room(room)
        self.turns: list[str] = []
        self.last = ""
        self.failed = False
        self._began: set[str] = set()
        self._now = now

    def move(self, name: str = "") -> None:
        """Go to another room; without a name, to one that nobody was ever in."""
        self.room = _room(name or f"chat-{secrets.token_hex(4)}")

    async def ask(self, text: str) -> tuple[tuple[str, ...], str]:
        """Say something: the turns that will answer, or none and why. CarrierError where the host cannot take it."""
        event = secrets.token_hex(16)
        accepted = await self.host.accept(
            Inbound.say(self.room, self.person, text, event=event, at=self._now(), client=CLIENT, agent=self.agent)
        )
        turns = tuple(taken.turn for taken in accepted.heard)
        for turn in turns:
            self.turns.append(turn)
            self._began.add(turn)
            self.last = turn
        return turns, accepted.reason

    async def outcome(self, turn: str) -> Ending:
        """Wait until a turn has ended."""
        try:
            result = await self.host.wait(turn)
        finally:
            self.turns.remove(turn)
        return Ending(_sentence(result), result.get("status") == "failed")

    async def stop(self, turn: str) -> None:
        """Ask the host to stop a turn."""
        event = secrets.token_hex(16)
        key = make_id(PLATFORM, "", "message", event)
        message = Message(key, self.person, at=self._now())
        await self.host.accept(
            Inbound(event, self.room, message, InboundKind.STOP, client=CLIENT, agent=self.agent, target=turn)
        )

    def concerns(self, part: ReplyPart) -> bool:
        """Whether a reply belongs here: it answers this person, or was said in the room that they are in.

        A reply may overtake the word that its message was accepted, so its turn may not be known yet.
        """
        return part.turn in self._began or (part.room.id == self.room.id and part.agent == self.agent)

    def label(self, part: ReplyPart) -> str:
        """Who says it; with the room, where that is another one."""
        name = visible_name(part.agent)
        return name if part.room.id == self.room.id else f"{name} ({visible_name(part.room.name)})"


def _room(name: str) -> Room:
    return Room.of(PLATFORM, name, kind=RoomKind.DM)


_SENTENCES = {
    "silent": "No answer",
    "blocked": "The answer was held back",
    "failed": "The turn failed",
    "stopped": "Stopped",
    "parked": "Waiting",
}


def _sentence(result: dict[str, Json]) -> str:
    start = _SENTENCES.get(str(result.get("status")), "")
    reason = visible(str(result.get("reason") or ""))
    if not start:
        return ""
    return f"{start}: {reason}" if reason else f"{start}."
