"""Reading and writing what cannot be polled, is slow, or never ends."""

from __future__ import annotations

import os
from pathlib import Path

import anyio
import pytest

from carrier_client_terminal import descriptor
from carrier_client_terminal.descriptor import Descriptor

pytestmark = pytest.mark.anyio


async def test_a_line_without_end_is_taken_in_pieces(monkeypatch):
    monkeypatch.setattr(descriptor, "LONGEST_LINE", 1000)
    source, sink = os.pipe()
    try:
        os.write(sink, b"x" * 2500 + b"\nshort")
        os.close(sink)
        reader = Descriptor(source)
        lines = [await reader.line() for _ in range(5)]
    finally:
        os.close(source)
    assert [len(line or "") for line in lines] == [1000, 1000, 500, 5, 0]
    assert lines[-1] is None


async def test_a_reader_that_is_slow_stops_nothing_else_and_mixes_no_texts():
    source, sink = os.pipe()
    one, two = "x" * 300_000, "y" * 300_000  # more than a pipe holds
    received = bytearray()
    writer = Descriptor(sink)

    async def read():
        while len(received) < len(one + two):
            await anyio.wait_readable(source)
            received.extend(os.read(source, 1000))

    try:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(writer.write, one)
                tasks.start_soon(writer.write, two)
                tasks.start_soon(read)
    finally:
        os.close(source)
        os.close(sink)
    assert received.decode() == one + two


async def test_a_full_disk_is_an_error():
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError, match="space"):
        await Descriptor(full.fileno()).write("x")


async def test_closed_before_the_program_began():
    assert await Descriptor(None).line() is None
    with pytest.raises(BrokenPipeError):
        await Descriptor(None).write("x")
