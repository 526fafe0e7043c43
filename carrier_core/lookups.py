"""What a turn looks up in the store: each question once, however many hooks ask it, one after another or at the same time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar, cast

import anyio

T = TypeVar("T")


class Lookups:
    """Answers by question, for as long as the turn goes on: all its hooks see the same."""

    __slots__ = ("_answers", "_asking")

    def __init__(self) -> None:
        self._answers: dict[Hashable, object] = {}
        self._asking: dict[Hashable, anyio.Event | None] = {}

    async def once(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question. Whoever asks while it is being asked waits for that, and asks itself if it failed: so what
        answers a question must not ask the same one."""
        while question not in self._answers:
            if question in self._asking:
                answered = self._asking[question] = self._asking[question] or anyio.Event()
                await answered.wait()
                continue
            self._asking[question] = None  # an event only if somebody comes to wait for it
            try:
                self._answers[question] = await ask()
            finally:
                waited = self._asking.pop(question)
                if waited is not None:
                    waited.set()
        return cast("T", self._answers[question])

    def forget(self, first: str) -> None:
        """Forget the answers to questions that begin with a word: what they were about has changed."""
        for question in [each for each in self._answers if isinstance(each, tuple) and each[0] == first]:
            del self._answers[question]
