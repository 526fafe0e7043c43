"""What agents ask in a chat before they go on: calls to be approved, choices to be made."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import anyio

from carrier_client_terminal.visible import spoken, visible, visible_name
from carrier_core import Question, ReplyPart, Room

APPROVE, REFUSE = "approve", "refuse"

LATE = 5.0
"""Seconds that what a turn says may come after the word that it waits or has ended."""

_REMEMBERED = 1024  # questions


class Asked(NamedTuple):
    """A question, and where it was asked."""

    question: Question
    turn: str
    agent: str
    room: Room
    text: str

    @property
    def code(self) -> str:
        """What a person writes for it."""
        return self.question.code or self.question.id[:6]

    @property
    def is_approval(self) -> bool:
        """Whether it is about a call, to be approved or refused; else one of its options is to be chosen."""
        return self.question.options == (APPROVE, REFUSE)

    @property
    def how(self) -> str:
        """Until when it waits, and how it is answered here."""
        until = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.question.until))
        if self.is_approval:
            return f"It waits until {until}: /approve {self.code} or /refuse {self.code}"
        options = ", ".join(f'"{visible_name(option)}"' for option in self.question.options)
        return f"It waits until {until}: /choose {self.code} OPTION, which is one of {options}"

    def option(self, text: str) -> str:
        """The option that a person wrote, who may have put it in quotation marks as it is shown."""
        bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
        return bare if text not in self.question.options and bare in self.question.options else text

    @property
    def line(self) -> str:
        """All of it, for a list."""
        text = "\n".join(f"  {line}" for line in visible(self.text).splitlines())
        return f"{self.code}  {visible_name(self.agent)} in {visible_name(self.room.name)}\n{text}\n  {self.how}"


class Questions:
    """Those that were shown in this chat and may still wait. ``newest`` is the id of the one that was shown last, as long as nothing
    was said since."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._asked: dict[str, Asked] = {}
        self._came: dict[str, anyio.Event] = {}
        self._settled: deque[str] = deque(maxlen=_REMEMBERED)
        self.newest = ""

    def take(self, part: ReplyPart) -> Asked | None:
        """Note what a part asks, which has been shown; None where it asks nothing, or nothing that is not answered yet: it may be
        late."""
        self.newest, question = "", part.question
        if question is None or any(question.id.startswith(key) for key in self._settled):
            return None
        asked = Asked(question, part.turn, part.agent, part.room, spoken(part.content))
        self._asked[question.id] = asked
        if len(self._asked) > _REMEMBERED:
            self.drop(next(iter(self._asked)))
        self.newest = question.id
        self._came.setdefault(question.id, anyio.Event()).set()
        return asked

    async def came(self, key: str) -> bool:
        """Wait until the question of this id is shown, but not for long; whether it is. What waits for somebody is told before
        it is delivered."""
        with anyio.move_on_after(LATE):
            await self._came.setdefault(key, anyio.Event()).wait()
        return self._came[key].is_set()

    def waiting(self) -> tuple[Asked, ...]:
        """Those whose time is not over, the oldest first."""
        return tuple(asked for asked in self._asked.values() if asked.question.until >= self._now())

    def named(self, key: str) -> Asked | None:
        """The one of this id, or with this code or beginning, if there is only one."""
        fits = [asked for asked in self.waiting() if asked.question.id.startswith(key.casefold())]
        return fits[0] if len(fits) == 1 else None

    def settle(self, key: str) -> None:
        """The one of this id, or with this code, is answered here."""
        self._settled.append(key)
        for each in [each for each in self._asked if each.startswith(key)]:
            self.drop(each)

    def reopen(self, key: str, asked: Asked | None) -> None:
        """The answer did not count."""
        self._settled.remove(key)
        if asked is not None:
            self._asked[asked.question.id] = asked

    def drop(self, key: str) -> None:
        """It waits no more."""
        self._asked.pop(key, None)
        self._came.pop(key, None)
        if self.newest == key:
            self.newest = ""
