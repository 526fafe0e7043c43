"""A server on this machine: a program in a process group of its own, spoken with line by line through its pipes.

The SDK has such a transport too. This one bounds what it reads, gives the program nothing of the daemon's environment that it
does not need, keeps what it says on standard error for the log, and leaves no process behind.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from carrier_actions_mcp.meter import LONGEST_MESSAGE, Meter, Reading, Writing

if TYPE_CHECKING:
    from mcp.shared.message import SessionMessage

NEEDED: Final = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""The variables of the daemon that every program gets."""

GRACE: Final = 2.0
"""Seconds that a program has to end once its input is closed, and again once it is told to (the specification's way to stop)."""

_LOGGED = 500  # lines of standard error in one life
_LINE = 8_192  # bytes of each of them; who hears them cuts further, once the keys are out
_JUNK = 1_000  # lines that are no message, until it is clear that the program speaks something else
_POLL = 0.01  # seconds between two looks whether a process is gone


class Pipes:
    """One run of a program, in the folder ``cwd``, which is made where ``make`` says so. ``hear`` is called with each line of its
    standard error and each that is no message; ``status`` is how it ended, in words."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        inherit: Sequence[str] = (),
        cwd: Path,
        make: bool = False,
        hear: Callable[[str], None],
    ) -> None:
        self.pid = 0
        self.status = ""
        self._command = command
        self._env = {**{name: os.environ[name] for name in (*NEEDED, *inherit) if name in os.environ}, **env}
        self._cwd = cwd
        self._make = make
        self._hear = hear
        self._heard = 0

    @asynccontextmanager
    async def connect(self, meter: Meter, over: Callable[[str], None]) -> AsyncIterator[tuple[Reading, Writing]]:
        """Start it, and hand out the streams of messages. ``over`` is called when it speaks no more, with the end of a sentence
        that says why. OSError if it cannot be started."""
        if self._make:
            await anyio.Path(self._cwd).mkdir(mode=0o700, parents=True, exist_ok=True)
        process = await anyio.open_process(
            self._command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self._env, cwd=self._cwd, start_new_session=True
        )
        # Nothing is awaited before the `try`: a cancellation in between would leave the process behind.
        self.pid = process.pid
        inward, reading = anyio.create_memory_object_stream["SessionMessage | Exception"](0)
        writing, outward = anyio.create_memory_object_stream["SessionMessage"](0)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read, process, inward, meter, over)
                group.start_soon(self._write, process, outward, over)
                group.start_soon(self._listen, process)
                try:
                    yield Reading(reading, meter), Writing(writing, meter)
                finally:
                    group.cancel_scope.cancel()
        finally:
            for stream in (inward, reading, writing, outward):
                stream.close()
            with anyio.CancelScope(shield=True):
                await _end(process, polite=not meter.full)
            self.status = _status(process.returncode)

    async def _read(
        self,
        process: Process,
        inward: MemoryObjectSendStream[SessionMessage | Exception],
        meter: Meter,
        over: Callable[[str], None],
    ) -> None:
        from mcp.shared.message import SessionMessage
        from mcp_types import jsonrpc_message_adapter

        assert process.stdout is not None
        junk = 0
        with inward:
            async for line in _lines(process.stdout, meter):
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    junk += bool(line.strip())
                    self._note(line)
                    if junk > _JUNK:
                        over("does not speak the protocol")
                        return
                    continue
                try:
                    await inward.send(SessionMessage(message))
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return
            over("ended")

    async def _write(
        self, process: Process, outward: MemoryObjectReceiveStream[SessionMessage], over: Callable[[str], None]
    ) -> None:
        assert process.stdin is not None
        try:
            async for item in outward:
                line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                await process.stdin.send(f"{line}\n".encode())
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            over("ended")

    async def _listen(self, process: Process) -> None:
        """Keep its standard error flowing: a program whose pipe is full stands still."""
        assert process.stderr is not None
        unbounded = Meter(lambda what: None)
        while True:
            async for line in _lines(process.stderr, unbounded):
                self._note(line)
            if not unbounded.full:
                return
            unbounded = Meter(lambda what: None)

    def _note(self, line: bytes) -> None:
        text = line[:_LINE].decode(errors="replace").strip()
        if text and self._heard < _LOGGED:
            self._heard += 1
            self._hear(text)


async def _lines(stream: ByteReceiveStream, meter: Meter) -> AsyncIterator[bytes]:
    """The lines of a pipe until it ends, or until the meter is full."""
    pieces: list[bytes] = []
    length = 0
    while True:
        try:
            chunk = await stream.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            return
        if meter.received(len(chunk)):
            return
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            line = b"".join((*pieces, piece))
            pieces, length = [], 0
            yield line
        pieces.append(rest)
        length += len(rest)
        if length > LONGEST_MESSAGE:
            meter.overlong()
            return


async def _end(process: Process, *, polite: bool) -> None:
    """End it and all that it started: by closing its input, if it may have more to say, then by asking, then by force."""
    if process.stdin is not None:
        try:
            await process.stdin.aclose()
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
    if not (polite and await _gone(process)):
        _signal(process, signal.SIGTERM)
        await _gone(process)
    # Whatever it started in its group goes too. As long as one of them lives, no other group can have the number.
    _signal(process, signal.SIGKILL)
    await _gone(process)
    with anyio.move_on_after(GRACE):
        await process.aclose()


async def _gone(process: Process) -> bool:
    """Whether it ends within the grace. (``wait`` would also wait for whoever else has its pipes open.)"""
    with anyio.move_on_after(GRACE):
        while process.returncode is None:  # noqa: ASYNC110 - nobody sets an event for it
            await anyio.sleep(_POLL)
        return True
    return False


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)  # it is the leader of its group
    except (ProcessLookupError, PermissionError):
        pass


def _status(code: int | None) -> str:
    if code is None:
        return "cannot be ended"
    return f"was ended by the signal {-code}" if code < 0 else f"ended with exit status {code}"
