"""A model provider that says what it was told, or whatever a test wants it to say."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
import anyio.lowlevel

from carrier_core import Completion, Finish, Part, Prompt, PromptMessage, Provider, Usage

Answer = str | Completion | Exception


class EchoProvider(Provider):
    """Answers ``You said: TEXT`` to the last message of a person, in pieces of a word.

    ``prompts`` are those that it was asked, in order. ``then`` queues other answers: a text, a completion or an error to
    raise. ``hold`` keeps the answers back until ``release``. It is a last resort, so that any other provider goes before it.
    """

    name = "echo"
    models = {"large": "echo", "small": "echo"}
    last_resort = True
    free = True

    def __init__(self, answer: Callable[[Prompt], Answer] | None = None) -> None:
        self.prompts: list[Prompt] = []
        self._answer = answer
        self._queued: deque[Answer] = deque()
        self._changed = anyio.Event()
        self._open = anyio.Event()
        self._open.set()

    def then(self, *answers: Answer) -> None:
        """Give these answers next, one for each prompt."""
        self._queued.extend(answers)

    def hold(self) -> None:
        """Answer nothing until ``release``."""
        self._open = anyio.Event()

    def release(self) -> None:
        """Let the answers go."""
        self._open.set()

    async def asked(self, count: int = 1, *, within: float = 20.0) -> tuple[Prompt, ...]:
        """Wait until that many prompts have come; TimeoutError after ``within`` seconds."""
        with anyio.fail_after(within):
            while len(self.prompts) < count:
                await self._changed.wait()
        return tuple(self.prompts)

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        """The queued answer, or the echo."""
        self.prompts.append(prompt)
        answer = self._queued.popleft() if self._queued else self._answer(prompt) if self._answer else echo(prompt)
        self._changed.set()
        self._changed = anyio.Event()
        await anyio.lowlevel.checkpoint()
        await self._open.wait()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Completion):
            return answer
        for piece in _pieces(answer):
            emit(piece)
        usage = Usage(sum(len(part.text.split()) for part in prompt.parts), len(answer.split()), calls=1)
        return Completion((Part(answer),), finish=Finish.STOP, usage=usage, provider=self.name, model=model)


def echo(prompt: Prompt) -> str:
    """What the last message of a person said; what came of a call goes before it."""
    last = prompt.messages[-1] if prompt.messages else PromptMessage("user")
    if last.role == "tool":
        return f"It came to this: {last.text}"
    said = next((message.text for message in reversed(prompt.messages) if message.role == "user"), "")
    return f"You said: {said}"


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word if last else f"{word} " for word, last in zip(words, [*[False] * (len(words) - 1), True], strict=True)]
