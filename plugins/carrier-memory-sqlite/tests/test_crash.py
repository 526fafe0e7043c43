"""What was acknowledged is there after ``kill -9`` in the middle of writing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from carrier_core import MemoryKind, Readers
from carrier_memory_sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio

SCRIPT = """
import asyncio, sys
from pathlib import Path
from carrier_core import Audience, Memory, MemoryKind, Part, Provenance, make_id
from carrier_memory_sqlite.store import SqliteStore

def memory(number):
    return Memory(make_id("m", str(number)), "tifa", "r1", MemoryKind.MESSAGE, (Part(f"lighthouse{number} is white"),),
                  float(number), Provenance(("person:a",), Audience(("r1",))), entity="a")

async def one(store, number):
    appended = await store.journal.append_inbound("tifa", "r1", str(number), b"%d" % number)
    await store.memory.put((memory(number),))
    print(number, appended.seq, flush=True)

async def main():
    store = SqliteStore()
    await store.open(Path(sys.argv[1]))
    print("open", flush=True)
    number = int(sys.argv[2])
    while True:
        await asyncio.gather(*(one(store, number + n) for n in range(40)))
        number += 40

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 700])
async def test_everything_acknowledged_survives_a_kill(tmp_path, scene, lines):
    acknowledged: dict[int, int] = {}
    for life in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path), str(life * 100_000)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "open\n"
        for _ in range(lines + life):
            number, seq = map(int, process.stdout.readline().split())
            acknowledged[number] = seq
        process.kill()
        for line in process.stdout:  # what it had said before it was killed
            if line.endswith("\n"):
                number, seq = map(int, line.split())
                acknowledged[number] = seq
        process.stdout.close()
        process.wait()

    store = SqliteStore()
    await store.open(tmp_path)
    rows = {int(row.payload): row.seq for row in (await store.journal.work("tifa", "r1")).rows}
    assert acknowledged.items() <= rows.items()
    assert sorted(rows.values()) == list(range(1, len(rows) + 1))
    stored = await store.memory.list(kind=MemoryKind.MESSAGE, limit=1_000_000)
    assert {float(number) for number in acknowledged} <= {memory.at for memory in stored}
    for number in list(acknowledged)[:: max(1, len(acknowledged) // 10)]:
        query = scene.query(f"lighthouse{number}", room="r1", readers=Readers("r1"))
        assert [found.memory.at for found in await store.memory.recall(query)] == [float(number)]
    assert store._database.rows("PRAGMA integrity_check") == [("ok",)]
    await store.close()
