"""The client ``terminal``: the one that talks with the person before this screen."""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from carrier_client_terminal.conversation import CLIENT, PLATFORM, Conversation
from carrier_client_terminal.descriptor import Descriptor
from carrier_client_terminal.plain import Plain
from carrier_client_terminal.settings import Settings
from carrier_core import (
    Client,
    ClientHost,
    NotDone,
    NotSent,
    Receipt,
    ReplyPart,
    Room,
    Sent,
    Unavailable,
    Unknown,
)

_REMEMBERED = 1024  # receipts


class Shown(Protocol):
    """What runs before the person: the screen, or plain lines."""

    async def run(self) -> None:
        """Talk until the person leaves."""

    async def show(self, part: ReplyPart) -> None:
        """Show a reply."""

    async def draft(self, room: Room, turn: str, attempt: int, text: str) -> None:
        """Show a piece of a draft."""


class TerminalClient(Client):
    """A chat in the terminal; plain lines when standard input or output is none.

    ``configure`` says who talks with whom and where, before ``run``. ``stdin`` and ``stdout`` are those of the process
    unless they are given.
    """

    name = CLIENT
    platform = PLATFORM
    interactive = True
    idempotent = True  # a part that was shown is not shown again
    retracts = True

    def __init__(self, settings: Settings, *, stdin: TextIO | None = None, stdout: TextIO | None = None) -> None:
        self._settings = settings
        self._stdin = stdin
        self._stdout = stdout
        self._agent = ""
        self._room = "terminal"
        self._person = ""
        self._conversation: Conversation | None = None
        self._shown: Shown | None = None
        self._receipts: dict[str, Receipt] = {}

    @property
    def failed(self) -> bool:
        """Whether a message of this chat got no answer because something failed."""
        return self._conversation is not None and self._conversation.failed

    def configure(self, *, agent: str, room: str, person: str) -> None:
        """Who talks with which agent, and the name of the room; called before ``run``."""
        self._agent, self._room, self._person = agent, room, person

    async def run(self, host: ClientHost, started: Callable[[], None]) -> None:
        """Talk until the person leaves or the input ends. Unavailable where nobody answers."""
        agent = self._agent or next(iter(host.agents), "")
        if not agent:
            raise Unavailable("No agent runs that could be talked with.", remedy="Write a section [agents.NAME].")
        person = self._person or _user()
        self._conversation = Conversation(host, agent=agent, room=self._room, person=person)
        self._shown = self._face(self._conversation)
        try:
            started()
            await self._shown.run()
        finally:
            self._shown = None

    def _face(self, conversation: Conversation) -> Shown:
        stdin, stdout = self._stdin or sys.stdin, self._stdout or sys.stdout
        if _is_terminal(stdin) and _is_terminal(stdout) and os.environ.get("TERM") != "dumb":
            from carrier_client_terminal.screen import Screen  # prompt_toolkit takes 0.1 s to import

            return Screen(conversation, self._settings, stdin, stdout)
        if stdout is not None:
            stdout.flush()  # what was printed before stays before
        return Plain(conversation, Descriptor(_number(stdin)), Descriptor(_number(stdout)))

    async def send(self, part: ReplyPart) -> Receipt:
        """Show a reply; one that was shown already is not shown again.

        NotDone while nobody chats; Rejected when standard output was closed.
        """
        known = self._receipts.get(part.key)
        if known is not None:
            return known
        if self._shown is None:
            raise NotDone("Nobody is at the terminal.", remedy="Start `carrierd chat`.")
        await self._shown.show(part)
        receipt = Receipt(part.key, native=part.key, at=time.time())
        self._receipts[part.key] = receipt
        if len(self._receipts) > _REMEMBERED:
            del self._receipts[next(iter(self._receipts))]
        return receipt

    async def find(self, part: ReplyPart) -> Sent | NotSent | Unknown:
        """Whether this process showed a part. What an earlier one did is unknown."""
        receipt = self._receipts.get(part.key)
        return Unknown() if receipt is None else Sent(receipt)

    async def draft(self, room: Room, turn: str, attempt: int, text: str) -> None:
        """Show a piece of the draft of the answer that the person waits for."""
        if self._shown is not None:
            await self._shown.draft(room, turn, attempt, text)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def _number(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):  # it is closed, or is no file
        return None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for the user
        return "you"
