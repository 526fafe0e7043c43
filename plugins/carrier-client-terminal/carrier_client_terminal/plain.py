"""Plain lines: each line of standard input is a message, its answer is on standard output before the next is sent."""

from __future__ import annotations

import sys

from carrier_client_terminal.commands import Begin, Commands
from carrier_client_terminal.conversation import Conversation
from carrier_client_terminal.descriptor import Descriptor
from carrier_client_terminal.visible import spoken, visible
from carrier_core import CarrierError, Rejected, ReplyPart, Room, Unavailable


class Plain:
    """The chat of a script. Answers alone go to ``sink``; all else is said on standard error."""

    def __init__(self, conversation: Conversation, source: Descriptor, sink: Descriptor) -> None:
        self._conversation = conversation
        self._source = source
        self._sink = sink
        self._commands = Commands(conversation, self)
        self._broken = False

    async def run(self) -> None:
        """Go on until the input ends, ``/quit``, or nobody reads the answers any more. Unavailable ends it too."""
        while not self._broken and not self._commands.left:
            line = await self._source.line()
            if line is None:
                return
            if not line.strip():
                continue
            try:
                await self._take(line)
            except BrokenPipeError:
                return

    async def _take(self, line: str) -> None:
        if line.startswith("/") and not line.startswith("//"):
            await self._commands.obey(line)
            return
        try:
            text = line[1:] if line.startswith("//") else line
            await self.follow(lambda: self._conversation.ask(text), "Nobody heard it")
        except Unavailable:
            raise
        except CarrierError as error:
            self._conversation.failed = True
            await self.note(str(error))

    async def follow(self, begin: Begin, lost: str) -> None:
        """Wait for what comes of it."""
        turns, reason = await begin()
        if not turns:
            await self.note(f"{lost}: {reason}" if reason else f"{lost}.")
        for turn in turns:
            ending = await self._conversation.outcome(turn)
            if self._broken:
                return  # whoever reads the answers had enough, which is no failure of the turn
            self._conversation.failed |= ending.failed
            if ending.sentence and not (ending.question and await self._conversation.questions.came(ending.question)):
                await self.note(ending.sentence)
            if ending.replied:
                await self._conversation.arrival(turn)

    async def show(self, part: ReplyPart) -> None:
        """Print a reply. Rejected when nobody reads any more."""
        text = visible(spoken(part.content).rstrip())
        if not self._conversation.concerns(part):
            await self.note(f"{self._conversation.label(part)}: {text}")
            await self._asked(part)
            return
        try:
            await self._sink.write(f"{text}\n")
        except OSError as error:
            self._broken = True
            if not isinstance(error, BrokenPipeError):
                self._conversation.failed = True
                await self.note(f"Standard output cannot be written to: {error}")
            raise Rejected(f"Standard output cannot be written to any more ({error}).") from error
        self._conversation.arrived(part)
        await self._asked(part)

    async def _asked(self, part: ReplyPart) -> None:
        """Say how a question that was shown is answered."""
        asked = self._conversation.questions.take(part)
        if asked is not None:
            await self.note(asked.how)

    async def draft(self, room: Room, turn: str, attempt: int, text: str) -> None:
        """Nothing: a script wants the answer whole."""

    async def answer(self, text: str) -> None:
        """What a command was asked for is an answer."""
        await self._sink.write(f"{text}\n")

    async def note(self, text: str) -> None:
        """Say it on standard error."""
        try:
            print(visible(text), file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass  # it is closed: there is nobody left to tell

    async def confirm(self, question: str) -> bool:
        """Yes: a script means what it says."""
        return True
