"""Archive files: everything that a store keeps, or what concerns one agent, as JSON Lines.

The first line is ``{"carrier": "archive", "v": 1}``, with the ``agent`` if it is about one. Each line after it is the record of an
entry, in the order of :data:`~carrier_core.archive.ORDER`. The last one is ``{"carrier": "end", "entries": N}``, so that a
file that was cut off is told from a whole one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast, get_args

import msgspec

from carrier_core.archive import Entry, Queued
from carrier_core.errors import CarrierError
from carrier_core.messages import Inbound
from carrier_core.records import Unrecognised, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from carrier_core.memory import Store

VERSION = 1
"""The version of the file; within one, keys are only added."""

_BATCH, _BYTES = 500, 4 * 1024 * 1024  # entries and bytes that are taken in at once, in one transaction
_LONGEST = 16 * 1024 * 1024  # bytes of a line


class _Mark(msgspec.Struct, omit_defaults=True):
    """The first line and the last one."""

    carrier: str
    v: int = 0
    agent: str = ""
    entries: int = -1


class Batch(NamedTuple):
    """Lines of a file; ``first`` is the number of the first one, counted from 1."""

    first: int
    lines: tuple[str, ...]


# --- writing -----------------------------------------------------------------------------------------------------------


async def written(store: Store, agent: str = "") -> AsyncIterator[bytes]:
    """The file of a store, in pieces of whole lines. The same content gives the same bytes, whichever store has it."""
    yield _line(_Mark("archive", VERSION, agent))
    count = 0
    async with aclosing(cast("AsyncGenerator[tuple[Entry, ...], None]", store.export(agent))) as batches:
        async for batch in batches:
            count += len(batch)
            yield b"".join(encode(entry) + b"\n" for entry in batch)
    yield _line(_Mark("end", entries=count))


def _line(mark: _Mark) -> bytes:
    return msgspec.json.encode(mark) + b"\n"


# --- reading -----------------------------------------------------------------------------------------------------------


def read(file: BinaryIO) -> Iterator[Batch]:
    """The entries of a file in batches, as text. CarrierError (exit code 65) that names the line, for a file that is no archive, is
    of a newer release, or is cut off; what was given out before is right as far as it goes.
    """
    _open(file)
    number, first, lines, size = 2, 2, list[str](), 0
    while line := _next(file, number):
        if line.startswith(b'{"carrier":'):
            break
        if lines and (len(lines) == _BATCH or size + len(line) > _BYTES):
            yield Batch(first, tuple(lines))
            first, lines, size = number, [], 0
        lines.append(_text(line, number))
        size += len(line)
        number += 1
    if lines:
        yield Batch(first, tuple(lines))
    _close(file, line, number)


def _open(file: BinaryIO) -> None:
    line = _next(file, 1)
    mark = _mark(line)
    if mark is None or mark.carrier != "archive":
        raise _damaged("This is no archive of Carrier: the first line does not say so.", "Write one: memory export.")
    if mark.v > VERSION:
        raise _damaged(f"This archive has version {mark.v}, of a newer release.", "Take it in with that release.")


def _close(file: BinaryIO, line: bytes, number: int) -> None:
    mark = _mark(line)
    if mark is None or mark.carrier != "end":
        what = "ends here, before its last line" if not line else "is no entry"
        raise _damaged(f"Line {number}: the archive {what}.", "Copy or export it again: it is not whole.")
    if mark.entries != number - 2:
        raise _damaged(
            f"Line {number}: the archive should have {mark.entries} entries and has {number - 2}.",
            "Copy or export it again: lines are missing, or were added.",
        )
    if _next(file, number + 1):
        raise _damaged(f"Line {number + 1}: the archive has ended before.", "Take in one archive after the other.")


def _mark(line: bytes) -> _Mark | None:
    try:
        return msgspec.json.decode(line, type=_Mark)
    except (msgspec.MsgspecError, ValueError):
        return None


def _next(file: BinaryIO, number: int) -> bytes:
    line = file.readline(_LONGEST + 1)
    if len(line) > _LONGEST:
        raise _damaged(f"Line {number} is longer than {_LONGEST} bytes.", "It is no archive of Carrier, or damaged.")
    return line


def _text(line: bytes, number: int) -> str:
    try:
        return line.decode().rstrip("\n")
    except UnicodeDecodeError as error:
        raise _damaged(f"Line {number}: it is not UTF-8: {error.reason}.", _AGAIN) from None


# --- what a line says ------------------------------------------------------------------------------------------------------

_ENTRIES: tuple[type[object], ...] = get_args(Entry)
_AGAIN = "Copy or export it again: the line is damaged."


def entries(lines: Sequence[str], first: int) -> tuple[Entry, ...]:
    """The entries of a batch. CarrierError (exit code 65) that names the first line that cannot be taken."""
    return tuple(_entry(line, number) for number, line in enumerate(lines, first))


def _entry(line: str, number: int) -> Entry:
    try:
        value = decode(line.encode(), object)
        if isinstance(value, Queued):
            inner = decode(value.payload, object)
            if not isinstance(inner, Inbound | Unrecognised):
                raise _damaged(f"Line {number}: the inbound is a {type(inner).__name__}.", _AGAIN)
    except (msgspec.MsgspecError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise _damaged(f"Line {number}: {error}.", _AGAIN) from None
    if isinstance(value, Unrecognised):
        remedy = "It is of a newer release: take the archive in with that one."
        raise _damaged(f"Line {number}: nothing is known of a {value.type} of version {value.v}.", remedy)
    if not isinstance(value, _ENTRIES):
        raise _damaged(f"Line {number}: a {type(value).__name__} is no entry of an archive.", _AGAIN)
    return cast("Entry", value)


def _damaged(message: str, remedy: str) -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 65  # EX_DATAERR
    return error
