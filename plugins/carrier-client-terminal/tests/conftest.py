"""A host that is this test's own, and a terminal (a pseudo terminal) to look at."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from carrier_client_terminal import Settings
from carrier_client_terminal.client import TerminalClient
from carrier_core import Accepted, Inbound, InboundKind, Part, Question, Receipt, ReplyPart, Room, Taken

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07|[=>])")


class FakeHost:
    """Answers each message when its turn is waited for; one whose text is in ``held`` waits for ``end``."""

    agents = ("tifa",)

    def __init__(self, client: TerminalClient) -> None:
        self.client = client
        self.answer: Callable[[str], str] = lambda text: f"You said: {text}"
        self.held: set[str] = set()
        self.heard: list[Inbound] = []
        self.stopped: list[str] = []
        self.forgotten: list[tuple[str, str]] = []
        self.results: dict[str, dict[str, object]] = {}
        self.refuses = ""
        self.answered: list[Inbound] = []
        self.uncounted = ""
        self.asking: dict[str, Question] = {}
        self._ended: dict[str, anyio.Event] = {}

    @property
    def said(self) -> list[str]:
        return [inbound.message.text for inbound in self.heard]

    async def accept(self, inbound: Inbound) -> Accepted:
        if inbound.kind is InboundKind.STOP:
            self.stopped.append(inbound.target)
            return Accepted()
        if inbound.kind in (InboundKind.APPROVAL, InboundKind.CHOICE):
            return self._answered(inbound)
        if self.refuses:
            return Accepted(reason=self.refuses)
        self.heard.append(inbound)
        turn = f"turn{len(self.heard)}"
        self._ended[turn] = anyio.Event()
        return Accepted((Taken("tifa", len(self.heard), turn, True),))

    def _answered(self, inbound: Inbound) -> Accepted:
        self.answered.append(inbound)
        turn = next((turn for turn, asked in self.asking.items() if asked.id.startswith(inbound.target)), "")
        if self.uncounted or not turn:
            return Accepted(reason=self.uncounted or "no turn waits for it")
        del self.asking[turn]
        self.results.pop(turn, None)
        self._ended[turn].set()
        self.answer = lambda text: f"So I was told: {inbound.value}"
        return Accepted(resumed=turn)

    async def ask(self, turn: str, text: str = "May I?", options: tuple[str, ...] = ("approve", "refuse")) -> Question:
        """Ask something in a turn, which waits from then on."""
        key = f"{len(self.asking):x}abcde" + turn.encode().hex()
        question = self.asking[turn] = Question(key, options, time.time() + 3600, key[:6])
        room = self.heard[-1].room
        part = ReplyPart(f"{turn}/{key}", turn, "tifa", room, (Part(text),), question=question)
        await self.client.send(part)
        return question

    def parks(self, turn: str, question: Question) -> None:
        """Say that a turn that is waited for waits for an answer."""
        self.end(turn, status="parked", reason="an approval of buy", question={"id": question.id})

    async def wait(self, turn: str) -> dict[str, object]:
        inbound = self.heard[int(turn.removeprefix("turn")) - 1]
        if inbound.message.text in self.held:
            await self._ended[turn].wait()
        elif turn not in self.results:
            await self.reply(turn, self.answer(inbound.message.text))
        return {"turn": turn, "status": "replied", **self.results.get(turn, {})}

    async def reply(self, turn: str, text: str, *, room: Room | None = None, notice: bool = False) -> Receipt:
        room = room or self.heard[-1].room
        key = f"{turn}/{text}"
        return await self.client.send(ReplyPart(key, turn, "tifa", room, (Part(text),), notice=notice))

    async def draft(self, turn: str, text: str, attempt: int = 1) -> None:
        await self.client.draft(self.heard[-1].room, turn, attempt, text)

    def end(self, turn: str, **result: object) -> None:
        self.results[turn] = result
        self._ended[turn].set()

    async def why(self, turn: str) -> dict[str, object]:
        asked = self.asking.get(turn)
        return {
            "turn": turn,
            "question": None if asked is None else {"id": asked.id},
            "agent": "tifa",
            "outcome": {"status": "replied", "usage": {"calls": 1, "input": 812}},
            "duration_ms": 23.04,
            "ran": [
                {
                    "step": "compose/1",
                    "hook": "provide_state",
                    "plugin": "weather",
                    "contributed": "It rains.",
                }
            ],
            "memories": [{"id": "m", "text": "I live in Porto."}],
            "parts": [{"key": "memories", "text": "I live…", "provenance": {"origins": ["outside:http://x"]}}],
        }

    async def status(self) -> dict[str, object]:
        return {"agents": [{"name": "tifa"}], "turns": 0}

    async def reset(self, agent: str, room: str) -> int:
        self.forgotten.append((agent, room))
        return 3


class Terminal:
    """A pseudo terminal of 80 columns; what was written to it, without the escape sequences, is in ``text``."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.stdin = os.fdopen(os.dup(slave), encoding="utf-8")
        self.stdout = os.fdopen(slave, "w", encoding="utf-8")
        self.raw = ""
        self._read = 0

    @property
    def text(self) -> str:
        whole = re.sub(r"(\x1b[^a-zA-Z>=]*|\r)\Z", "", self.raw)  # the rest of a sequence may still come
        return _ESCAPES.sub("", whole).replace("\r\n", "\n")

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    async def sees(self, expected: str) -> None:
        """Wait until a text appears after what was seen before."""
        with anyio.move_on_after(20):
            while self.text.find(expected, self._read) < 0:
                await anyio.wait_readable(self._master)
                self.raw += os.read(self._master, 65536).decode("utf-8", "replace")
        at = self.text.find(expected, self._read)
        assert at >= 0, f"{expected!r} did not appear in {self.text[self._read :]!r}"
        self._read = at + len(expected)

    @asynccontextmanager
    async def chat(self, host: FakeHost) -> AsyncIterator[None]:
        """Run the chat; leave it with Ctrl-D in the end, unless it has ended."""
        ended = anyio.Event()

        async def run() -> None:
            await host.client.run(host, lambda: None)
            ended.set()

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run)
                await self.sees("Ana ›")
                yield
                if not ended.is_set():
                    self.type("\x04")
                await ended.wait()

    def hang_up(self) -> None:
        os.close(self._master)
        self._master = -1

    def close(self) -> None:
        self.stdin.close()
        try:
            self.stdout.close()
        except OSError:
            pass
        if self._master >= 0:
            os.close(self._master)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Terminal]:
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def at_terminal(terminal: Terminal) -> FakeHost:
    """The host of a chat before a person."""
    client = TerminalClient(Settings(), stdin=terminal.stdin, stdout=terminal.stdout)
    client.configure(agent="tifa", room="r1", person="Ana")
    return FakeHost(client)


class Script:
    """A chat whose input is a pipe and whose output is a file."""

    def __init__(self, folder: Path) -> None:
        source, self._pipe = os.pipe()
        self.stdin = os.fdopen(source, encoding="utf-8")
        self.path = folder / "out"
        self.stdout = self.path.open("w", encoding="utf-8")
        client = TerminalClient(Settings(), stdin=self.stdin, stdout=self.stdout)
        client.configure(agent="tifa", room="r1", person="Ana")
        self.host = FakeHost(client)

    def feed(self, data: bytes) -> None:
        os.write(self._pipe, data)

    async def run(self, data: bytes = b"") -> str:
        """Run with this as the rest of the input; returns what is on standard output."""
        if data:
            self.feed(data)
        self.end()
        await self.host.client.run(self.host, lambda: None)
        return self.path.read_text(encoding="utf-8")

    def end(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def close(self) -> None:
        self.end()
        self.stdin.close()
        self.stdout.close()


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    script = Script(tmp_path)
    yield script
    script.close()
