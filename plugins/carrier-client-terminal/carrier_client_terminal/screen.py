"""The chat of a person: a prompt, and the answers streamed above it."""

from __future__ import annotations

import os
from itertools import count
from typing import TextIO

import anyio
from anyio.abc import TaskGroup

from carrier_client_terminal.aside import Aside
from carrier_client_terminal.commands import Begin, Commands
from carrier_client_terminal.conversation import Conversation
from carrier_client_terminal.history import open_history
from carrier_client_terminal.keyboard import Interrupted, Keyboard
from carrier_client_terminal.questions import APPROVE, REFUSE
from carrier_client_terminal.settings import Settings
from carrier_client_terminal.transcript import Transcript
from carrier_client_terminal.visible import spoken, visible_name
from carrier_core import CarrierError, Rejected, ReplyPart, Room

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAME = 0.1  # seconds
_HINT_AFTER = 30  # frames
_VALUES = {"y": APPROVE, "yes": APPROVE, "n": REFUSE, "no": REFUSE}
_KEYS = """
Enter sends, Alt-Enter begins a new line, Up and Down go through what you typed, Ctrl-R searches it,
Ctrl-C stops the answer that is being made, Ctrl-D leaves."""


class _Exchange:
    """A message and its answer. ``turn`` is the one that is waited for; ``over`` brings the prompt back."""

    def __init__(self) -> None:
        self.turn = ""
        self.interrupts = 0
        self.over = anyio.Event()


class Screen:
    """The face of the chat under a terminal."""

    def __init__(self, conversation: Conversation, settings: Settings, stdin: TextIO, stdout: TextIO) -> None:
        colour = not os.environ.get("NO_COLOR")
        history, self._warning = open_history(settings)
        self._stdout = stdout
        self._conversation = conversation
        self._commands = Commands(conversation, self, _KEYS)
        self._keyboard = Keyboard(stdin, stdout, history=history, words=self._commands.table, colour=colour)
        self._transcript = Transcript(self._keyboard.write, colour=colour)
        self._exchange: _Exchange | None = None
        self._tasks: TaskGroup

    # --- what the host brings ---

    async def show(self, part: ReplyPart) -> None:
        """Show a reply; above the prompt, if it comes while the person types. Rejected when the terminal has gone."""
        text, is_last = spoken(part.content), part.question is None
        if part.notice:
            await self._alarm(text)
        else:
            label = self._conversation.label(part)
            await self._keyboard.above(lambda: self._transcript.reply(part.turn, label, text, is_last=is_last))
        asked = self._conversation.questions.take(part)
        if asked is not None:
            await self._alarm(asked.how)
        if self._keyboard.gone:
            raise Rejected("The terminal has gone.")
        exchange = self._awaited(part.turn, part.room)
        if exchange is not None and not part.notice and (is_last or asked is not None):
            exchange.over.set()  # the agent may go on for a while, learning from it: the person need not wait

    async def draft(self, room: Room, turn: str, attempt: int, text: str) -> None:
        """Show a piece of the draft that the person waits for; any other answer is shown when it is whole."""
        exchange = self._awaited(turn, room)
        if exchange is not None and not exchange.interrupts:
            self._transcript.draft(turn, attempt, visible_name(self._conversation.agent), text)

    def _awaited(self, turn: str, room: Room) -> _Exchange | None:
        """The exchange that the person waits for, if this is its turn.

        What the host brings may overtake the word that the message was accepted: then its turn is one not known yet.
        """
        exchange = self._exchange
        if exchange is None or room.id != self._conversation.room.id:
            return None
        awaited = turn == exchange.turn or (not exchange.turn and turn not in self._conversation.turns)
        return exchange if awaited else None

    # --- what commands say ---

    async def answer(self, text: str) -> None:
        """What a command was asked for; what others print."""
        await self._keyboard.above(lambda: self._transcript.answer(text))

    async def note(self, text: str) -> None:
        """A remark, dim."""
        await self._keyboard.above(lambda: self._transcript.note(text))

    async def confirm(self, question: str) -> bool:
        """Ask; anything but a yes is a no."""
        return await self._keyboard.confirm(question)

    async def _alarm(self, text: str) -> None:
        await self._keyboard.above(lambda: self._transcript.alarm(text))

    # --- the chat ---

    async def run(self) -> None:
        """Talk until the person leaves."""
        aside = Aside(self._stdout, self.answer)
        with self._keyboard.held(), aside.in_place():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(aside.run)
                self._tasks = tasks
                await self._talk()
                tasks.cancel_scope.cancel()

    async def _talk(self) -> None:
        conversation = self._conversation
        agent, room = visible_name(conversation.agent), visible_name(conversation.room.name)
        self._transcript.note(f"You talk with {agent} in the room {room}. /help shows the commands, Ctrl-D leaves.")
        if self._warning:
            self._transcript.alarm(self._warning)
        while not self._commands.left:
            asked = self._offered()
            try:
                line = await self._keyboard.read(visible_name(conversation.person.name), "[y/n]" if asked else "")
            except EOFError:
                return
            except Interrupted as interrupted:
                if not interrupted.typed:
                    self._transcript.note("To leave, type /quit or press Ctrl-D.")
                continue
            await self._take(_valid(line), asked)

    def _offered(self) -> str:
        """The question that the next prompt takes a y or n for: one that was just shown, so that it stands right above. What was
        typed before it was there is never an answer to it."""
        newest = self._conversation.questions.newest
        asked = self._conversation.questions.named(newest) if newest and not self._keyboard.ahead else None
        return newest if asked is not None and asked.is_approval else ""

    async def _take(self, line: str, asked: str) -> None:
        if not line.strip():
            return
        newest, self._conversation.questions.newest = self._conversation.questions.newest, ""
        value = _VALUES.get(line.strip().casefold(), "") if asked else ""
        if value and asked != newest:
            self._transcript.note(
                "Something else was said meanwhile. /approvals lists what waits, and how it is answered."
            )
            return
        if value:
            await self.follow(lambda: self._conversation.answer(asked, value), "It does not count")
            return
        if line.startswith("/") and not line.startswith("//"):
            await self._commands.obey(line)
            return
        text = line[1:] if line.startswith("//") else line
        await self.follow(lambda: self._conversation.ask(text), "Nobody heard it")

    async def follow(self, begin: Begin, lost: str) -> None:
        """Do it, and wait for what comes of it."""
        tasks = self._tasks
        exchange = self._exchange = _Exchange()
        tasks.start_soon(self._converse, exchange, begin, lost)
        with self._keyboard.listening(lambda: tasks.start_soon(self._interrupt, exchange)):
            async with anyio.create_task_group() as group:
                group.start_soon(self._spin, exchange)
                await exchange.over.wait()
                group.cancel_scope.cancel()
        self._exchange = None
        self._transcript.fresh()
        if exchange.interrupts > 1:
            self._transcript.forget()

    async def _converse(self, exchange: _Exchange, begin: Begin, lost: str) -> None:
        """Say something and wait for the answers, even when the person no longer waits for them."""
        try:
            turns, reason = await begin()
            if not turns:
                await self._alarm(f"{lost}: {reason}" if reason else f"{lost}.")
            for turn in turns:
                exchange.turn = turn
                if exchange.interrupts:
                    await self._conversation.stop(turn)
                ending = await self._conversation.outcome(turn)
                self._conversation.failed |= ending.failed
                if ending.sentence and not (
                    ending.question and await self._conversation.questions.came(ending.question)
                ):
                    await self.note(ending.sentence)
        except CarrierError as error:
            self._conversation.failed = True
            await self._alarm(str(error))
        finally:
            exchange.over.set()

    async def _interrupt(self, exchange: _Exchange) -> None:
        """The first Ctrl-C stops the turn; another one brings the prompt back, whatever the host does."""
        exchange.interrupts += 1
        if exchange.interrupts > 1:
            await self.note("The answer, if there is one, will be shown when it comes.")
            exchange.over.set()
            return
        await self.note("Stopping. Ctrl-C again goes on without waiting.")
        if exchange.turn:
            try:
                await self._conversation.stop(exchange.turn)
            except CarrierError as error:
                await self._alarm(str(error))

    async def _spin(self, exchange: _Exchange) -> None:
        name = visible_name(self._conversation.agent)
        for frame in count():
            await anyio.sleep(_FRAME)
            doing = "is being stopped" if exchange.interrupts else "is thinking"
            hint = " · Ctrl-C stops" if frame >= _HINT_AFTER and not exchange.interrupts else ""
            self._transcript.spin(f"{_FRAMES[frame % len(_FRAMES)]} {name} {doing}{hint}")


def _valid(line: str) -> str:
    """A line as Unicode: what the terminal sent that is not UTF-8 comes as lone surrogates."""
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
