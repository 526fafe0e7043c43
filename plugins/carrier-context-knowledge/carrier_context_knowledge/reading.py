"""Reading documents one after another, in a process of their own that is begun again when one of them was too much for it."""

from __future__ import annotations

import os
import sys
from signal import SIGKILL, SIGXCPU
from subprocess import DEVNULL
from typing import Self, cast

import anyio
import msgspec
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream

from carrier_context_knowledge.reader import Bounds, Refusal, Text
from carrier_context_knowledge.worker import Order, too_long, too_much

_GRACE = 5.0  # seconds on top of the bound, in which a process begins and imports what it needs
_LEAVING = 0.5  # seconds in which a process ends that has nothing more to read
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "LC_ALL", "TMPDIR")
_ANSWER = 12  # bytes of an answer, at most, for every character of a document's text: as JSON, with the headings of each chunk

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Text | Refusal] = msgspec.json.Decoder(Text | Refusal)


class Reading:
    """``async with Reading(bounds) as reading: await reading.read(content, ".pdf")``."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._end()

    async def read(self, content: bytes, suffix: str) -> Text | Refusal:
        """A document, or why it cannot be read. ``suffix`` is that of its name, with the dot."""
        answer: bytes | None = None
        late = True
        with anyio.move_on_after(self.bounds.seconds + _GRACE):
            try:
                answer = await self._asked(_encode(Order(suffix, len(content), self.bounds)) + b"\n" + content)
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.DelimiterNotFound):
                pass  # it died
            late = False
        if answer is not None:
            return _decoder.decode(answer)
        code = await self._end()
        if late or code == -SIGXCPU:
            return too_long(self.bounds)
        if code == -SIGKILL:  # by the kernel, which had no memory left
            return too_much(self.bounds)
        return Refusal("Whatever is in it ends the program that reads it.", "Export it again.")

    async def _asked(self, order: bytes) -> bytes:
        process = await self._begun()
        await cast("ByteSendStream", process.stdin).send(order)
        answers = BufferedByteReceiveStream(cast("ByteReceiveStream", process.stdout))
        return await answers.receive_until(b"\n", _ANSWER * self.bounds.characters + 65_536)

    async def _begun(self) -> Process:
        if self._process is None:
            # -P: what lies in the folder of the documents is not imported. A session of its own: Ctrl-C is for the command.
            self._process = await anyio.open_process(
                [sys.executable, "-P", "-m", "carrier_context_knowledge.worker"],
                stderr=DEVNULL,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                start_new_session=True,
            )
        return self._process

    async def _end(self) -> int | None:
        """End the process, if there is one; how it ended."""
        process, self._process = self._process, None
        if process is None:
            return None
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_LEAVING):
                await cast("ByteSendStream", process.stdin).aclose()
                await process.wait()
            if process.returncode is None:
                process.kill()
            await process.aclose()
        return process.returncode
