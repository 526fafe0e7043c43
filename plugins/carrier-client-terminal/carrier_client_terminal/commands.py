"""The commands of a chat, each a line that begins with a slash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from typing import NamedTuple, Protocol

from carrier_client_terminal.conversation import Conversation
from carrier_client_terminal.questions import APPROVE, REFUSE, Asked
from carrier_client_terminal.report import describe, explain
from carrier_client_terminal.visible import visible_name
from carrier_core import CarrierError


class Face(Protocol):
    """Where a command's words appear."""

    async def answer(self, text: str) -> None:
        """What was asked for."""

    async def note(self, text: str) -> None:
        """A remark beside the conversation."""

    async def confirm(self, question: str) -> bool:
        """Whether the person says yes; always where nobody can be asked."""

    async def follow(self, begin: Begin, lost: str) -> None:
        """Do what may begin turns, or lets one go on, and show what comes of it; ``lost`` begins the sentence that says why
        nothing does."""


Begin = Callable[[], Awaitable[tuple[tuple[str, ...], str]]]
"""What may begin turns: those, or none and why."""


class Command(NamedTuple):
    """One line of ``/help``, and what to run with the words that follow the name."""

    argument: str
    help: str
    run: Callable[[str], Awaitable[None]]


class Commands:
    """The commands for one conversation. ``left`` says that the person wants to leave."""

    def __init__(self, conversation: Conversation, face: Face, keys: str = "") -> None:
        self._conversation = conversation
        self._face = face
        self._keys = keys
        self.left = False
        self.table = {
            "new": Command("[NAME]", "go to a new room, or to the one of that name", self._new),
            "reset": Command("", "forget the conversation of this room", self._reset),
            "stop": Command("", "stop the answer that is being made", self._stop),
            "approvals": Command("", "list what was asked here and waits for an answer", self._approvals),
            "approve": Command("[CODE]", "let the agent do what it asks about", self._approve),
            "refuse": Command("[CODE]", "have the agent not do it", self._refuse),
            "choose": Command("CODE OPTION", "choose one of the options that are offered", self._choose),
            "status": Command("", "show what the daemon is doing", self._status),
            "why": Command("[TURN]", "show how the last answer, or that of TURN, came to be", self._why),
            "help": Command("", "show this", self._help),
            "quit": Command("", "leave", self._quit),
        }

    async def obey(self, line: str) -> None:
        """Carry out a line that begins with a slash. What goes wrong is told; nothing is raised for it."""
        name, _, argument = line[1:].strip().partition(" ")
        command = self.table.get(name.lower())
        if command is None:
            await self._face.note(self._unknown(name))
            return
        try:
            await command.run(argument.strip())
        except CarrierError as error:
            await self._face.note(str(error))

    def _unknown(self, name: str) -> str:
        near = get_close_matches(name.lower(), self.table, n=1, cutoff=0.5)
        hint = f"Did you mean /{near[0]}?" if near else "See /help."
        return f"There is no command /{visible_name(name)}. {hint} To say something that begins with a slash, type //."

    async def _new(self, argument: str) -> None:
        self._conversation.move(argument)
        await self._face.note(f"This is the room {visible_name(self._conversation.room.name)}.")

    async def _reset(self, argument: str) -> None:
        conversation = self._conversation
        name = visible_name(conversation.room.name)
        if not await self._face.confirm(f"Forget what was said in the room {name}?"):
            await self._face.note("Nothing was forgotten.")
            return
        count = await conversation.host.reset(conversation.agent, conversation.room.id)
        await self._face.note(f"Forgotten: {count} {'memory' if count == 1 else 'memories'} of the room {name}.")

    async def _stop(self, argument: str) -> None:
        turns = tuple(self._conversation.turns)
        for turn in turns:
            await self._conversation.stop(turn)
        await self._face.note("Stopping." if turns else "No answer is being made.")

    async def _approvals(self, argument: str) -> None:
        waiting = await self._conversation.asked()
        if not waiting:
            await self._face.note("Nothing that was asked in this chat waits. For all that waits: carrierd approvals")
            return
        await self._face.answer("\n\n".join(asked.line for asked in waiting))

    async def _approve(self, argument: str) -> None:
        await self._decide(argument, APPROVE)

    async def _refuse(self, argument: str) -> None:
        await self._decide(argument, REFUSE)

    async def _decide(self, code: str, value: str) -> None:
        if not code:
            waiting = [asked for asked in await self._conversation.asked() if asked.is_approval]
            if len(waiting) != 1:
                await self._face.note(_which(waiting, value))
                return
            code = waiting[0].question.id
        await self._answer(code, value)

    async def _choose(self, argument: str) -> None:
        code, _, option = argument.partition(" ")
        if not option.strip():
            await self._face.note("Say what to choose: /choose CODE OPTION. /approvals lists what waits.")
            return
        asked = self._conversation.questions.named(code)
        await self._answer(code, asked.option(option.strip()) if asked is not None else option.strip())

    async def _answer(self, code: str, value: str) -> None:
        await self._face.follow(lambda: self._conversation.answer(code, value), "It does not count")

    async def _status(self, argument: str) -> None:
        await self._face.answer(describe(await self._conversation.host.status()))

    async def _why(self, argument: str) -> None:
        turn = argument or self._conversation.last
        if not turn:
            await self._face.note("Nothing was said yet. For an earlier turn, type its id: /why TURN.")
            return
        await self._face.answer(explain(await self._conversation.host.why(turn)))

    async def _help(self, argument: str) -> None:
        names = {name: f"/{name} {command.argument}".strip() for name, command in self.table.items()}
        width = max(map(len, names.values()))
        lines = [f"{shown:{width}}  {self.table[name].help}" for name, shown in names.items()]
        lines.append(f"{'//text':{width}}  say something that begins with a slash")
        await self._face.answer("\n".join([*lines, self._keys]).rstrip())

    async def _quit(self, argument: str) -> None:
        self.left = True


def _which(waiting: list[Asked], value: str) -> str:
    if not waiting:
        return f"Nothing that was asked in this chat waits. For what was asked elsewhere: /{value} CODE, in its room."
    return f"Several questions wait: /{value} CODE, one of {', '.join(asked.code for asked in waiting)}. /approvals lists them."
