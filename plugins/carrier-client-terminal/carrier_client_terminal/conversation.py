"""Who talks with whom, where: what both faces of the terminal, the screen and the plain lines, have in common."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

import anyio

from carrier_client_terminal.questions import LATE, Asked, Questions
from carrier_client_terminal.visible import visible, visible_name
from carrier_core import (
    Accepted,
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

_REMEMBERED = 1024  # turns

CLIENT = "terminal"
PLATFORM = "local"


class Ending(NamedTuple):
    """How a turn ended: a sentence where its reply does not say it all, whether it failed, the id of what it asks if it waits for an
    answer, and whether a reply is on its way."""

    sentence: str
    failed: bool
    question: str = ""
    replied: bool = False


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
        self.questions = Questions(now)
        self._began: set[str] = set()
        self._arrived: dict[str, anyio.Event] = {}
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
        return self._begun(accepted)

    async def answer(self, key: str, value: str) -> tuple[tuple[str, ...], str]:
        """Answer what an agent asks, by its id or code: the turn that goes on, or none and why it does not count. CarrierError where
        the host cannot take it."""
        asked = self.questions.named(key)
        room, agent = (asked.room, asked.agent) if asked is not None else (self.room, self.agent)
        is_choice = asked is not None and not asked.is_approval
        event = secrets.token_hex(16)
        message = Message(make_id(PLATFORM, "", "message", event), self.person, at=self._now())
        kind = InboundKind.CHOICE if is_choice else InboundKind.APPROVAL
        target = asked.question.id if asked is not None else key.casefold()
        answer = Inbound(event, room, message, kind, client=CLIENT, agent=agent, target=target, value=value)
        counts = False
        self.questions.settle(target)
        try:
            accepted = await self.host.accept(answer)
            counts = not accepted.reason
        finally:
            if not counts:
                self.questions.reopen(target, asked)
        return self._begun(accepted)

    async def asked(self) -> tuple[Asked, ...]:
        """What was asked in this chat and still waits, as the host says now; the oldest first."""
        for asked in self.questions.waiting():
            told = await self.host.why(asked.turn)
            question = told.get("question", {"id": asked.question.id})
            if not isinstance(question, dict) or question.get("id") != asked.question.id:
                self.questions.drop(asked.question.id)
        return self.questions.waiting()

    def _begun(self, accepted: Accepted) -> tuple[tuple[str, ...], str]:
        turns = tuple(taken.turn for taken in accepted.heard) + ((accepted.resumed,) if accepted.resumed else ())
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
        question = result.get("question")
        asked = str(question.get("id") or "") if isinstance(question, dict) else ""
        replied = result.get("status") == "replied" and bool(result.get("reply"))
        return Ending(_sentence(result), result.get("status") == "failed", asked, replied)

    def arrived(self, part: ReplyPart) -> None:
        """Note that a part was shown."""
        if part.question is not None:
            return
        self._arrived.setdefault(part.turn, anyio.Event()).set()
        if len(self._arrived) > _REMEMBERED:
            del self._arrived[next(iter(self._arrived))]

    async def arrival(self, turn: str) -> None:
        """Wait until a reply of a turn is shown, but not for long: behind what was said while nobody listened it may come a little
        after the turn's end."""
        with anyio.move_on_after(LATE):
            await self._arrived.setdefault(turn, anyio.Event()).wait()

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
