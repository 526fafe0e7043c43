"""What can happen to a file: the disk is full, it may not be written, it is damaged, locked, or was left by a kill."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys

import apsw
import pytest

from carrier_core import ConfigError, Memory, Part, Queued, Status, StoredPart, Unavailable
from carrier_memory_sqlite.settings import Settings
from carrier_memory_sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio

LEASE = 60.0

FULL = """
import asyncio, os, sys
from pathlib import Path
from hashlib import shake_256
from carrier_core import Unavailable
from carrier_memory_sqlite.store import SqliteStore

def noise(seed, size=3000):
    return shake_256(str(seed).encode()).digest(size)

async def main():
    folder = Path(sys.argv[1])
    store = SqliteStore()
    await store.open(folder / "state")
    journal = store.journal
    await journal.append_inbound("tifa", "r1", "first", b"1")
    ballast = folder / "ballast"
    room = os.statvfs(folder)
    ballast.write_bytes(bytes((room.f_bavail - 60) * room.f_frsize))
    confirmed, refused = [], []
    async def append(number):
        try:
            appended = await journal.append_inbound("tifa", "r1", f"key {number}", b"%d " % number + noise(number))
            confirmed.append((appended.seq, number))
        except Unavailable as error:
            assert "disk is full" in str(error) and "carrier.db" in str(error) and "Make room" in str(error), error
            refused.append(number)
    for start in range(0, 120, 40):
        await asyncio.gather(*(append(number) for number in range(start, start + 40)))
    assert refused and confirmed, (len(refused), len(confirmed))
    ballast.unlink()
    again = list(refused); refused.clear()
    await asyncio.gather(*(append(number) for number in again))
    assert not refused
    rows = (await journal.work("tifa", "r1")).rows
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "a number is missing or was given twice"
    assert {(row.seq, int(row.payload.split(b" ")[0])) for row in rows[1:]} == set(confirmed)
    await store.close()
    store = SqliteStore()
    await store.open(folder / "state")
    assert len((await store.journal.work("tifa", "r1")).rows) == 121
    await store.close()
    print("done")

asyncio.run(main())
"""


def mounted(tmp_path, mount, script, *arguments):
    """Run a script where a file system was mounted for it alone; skips where that is not allowed."""
    (tmp_path / "script.py").write_text(script)
    (tmp_path / "mnt").mkdir()
    inside = f'{mount.format(mnt=tmp_path / "mnt")} || exit 77\nexec "$@"'
    command = ["unshare", "-rm", "sh", "-c", inside, "sh", sys.executable, str(tmp_path / "script.py"), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode == 77 or "unshare:" in done.stderr:
        pytest.skip("no mounts of our own here")
    return done


async def test_a_disk_that_is_full_refuses_what_it_cannot_keep_and_takes_it_when_there_is_room(tmp_path):
    done = mounted(tmp_path, "mount -t tmpfs -o size=2m none {mnt}", FULL, str(tmp_path / "mnt"))
    assert done.stdout == "done\n", done.stderr


READ_ONLY = """
import asyncio, sys
from pathlib import Path
from carrier_core import Unavailable
from carrier_memory_sqlite.store import SqliteStore

async def main():
    store = SqliteStore()
    try:
        await store.open(Path(sys.argv[1]))
    except Unavailable as error:
        print(error)
    await store.open_read_only(Path(sys.argv[1]))
    print([memory.text for memory in await store.memory.list()])
    print(sum([len(batch) async for batch in store.export()]) > 0)

asyncio.run(main())
"""


async def test_a_read_only_disk_can_be_read(tmp_path, scene):
    store = SqliteStore()
    await store.open(tmp_path / "mnt" / "state")
    await store.memory.put((scene.memory("I live in Porto."),))
    await store.close()
    folder = tmp_path / "mnt" / "state"
    shutil.move(tmp_path / "mnt", tmp_path / "kept")
    mount = f"mount --bind {tmp_path / 'kept'} {{mnt}} && mount -o remount,bind,ro {{mnt}}"
    done = mounted(tmp_path, mount, READ_ONLY, str(folder))
    lines = done.stdout.splitlines()
    assert "writable for the user" in lines[0], done.stderr
    assert lines[1:] == ["['I live in Porto.']", "True"], done.stderr


# --- damage --------------------------------------------------------------------------------------------------------------


async def lived(folder, scene):
    """A database with 300 turns."""
    store = SqliteStore()
    await store.open(folder)
    epoch = await store.journal.claim_room("tifa", scene.room.id, "me", LEASE)
    for number in range(300):
        row = await store.journal.append_inbound("tifa", scene.room.id, str(number), b'{"n":%d}' % number)
        turn = scene.turn(str(number), (row.seq,), Status.REPLIED)
        said = scene.memory(f"message {number} {os.urandom(200).hex()}")
        await store.journal.complete(turn, epoch, (said,), (StoredPart(str(number), Part(f"part {number}")),), ())
        await store.journal.finish(turn, epoch, (), ())
    await store.close()
    return folder / "carrier.db"


def pages_of(file, table):
    connection = apsw.Connection(str(file))
    found = [page for (page,) in connection.execute("SELECT pageno FROM dbstat WHERE name = ? ORDER BY 1", (table,))]
    connection.close()
    return found


def spoil(file, *pages):
    content = bytearray(file.read_bytes())
    for page in pages:
        content[(page - 1) * 4096 : page * 4096] = b"\xee" * 4096
    file.write_bytes(content)


async def test_of_a_damaged_file_all_that_can_be_read_is_exported(tmp_path, scene):
    file = await lived(tmp_path, scene)
    spoil(file, *pages_of(file, "memories")[3:5])
    store = SqliteStore()
    await store.open_read_only(tmp_path)
    entries = []

    async def export():
        async for batch in store.export():
            entries.extend(batch)

    with pytest.raises(ConfigError, match=r"damaged: memories could not be read to the end.*Import it") as caught:
        await export()
    assert caught.value.file == str(file)
    await store.close()
    kept = [entry for entry in entries if isinstance(entry, Memory)]
    assert 250 < len(kept) < 300
    assert sum(isinstance(entry, Queued) for entry in entries) == 300

    other = SqliteStore()
    await other.open(tmp_path / "other")
    assert await other.restore(tuple(entries)) == len(entries)
    assert len(await other.memory.history("tifa", scene.room.id, limit=500)) == len(kept)
    await other.close()


async def test_what_can_be_saved_is_said_where_the_damage_is_met(tmp_path, scene):
    file = await lived(tmp_path, scene)
    spoil(file, *pages_of(file, "memories")[1:])
    store = SqliteStore()
    await store.open(tmp_path)
    with pytest.raises(ConfigError, match=r"damaged.*carrierd memory export.*restore a backup") as caught:
        await store.memory.history("tifa", scene.room.id, limit=300)
    assert caught.value.file == str(file)
    await store.close()


async def test_writing_to_a_damaged_page_fails_alone(tmp_path, scene):
    file = await lived(tmp_path, scene)
    spoil(file, *pages_of(file, "schedules"))
    store = SqliteStore()
    await store.open(tmp_path)
    journal = store.journal

    async def cancel():
        with pytest.raises(ConfigError, match="damaged"):
            await journal.cancel("s1")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(journal.append_inbound("tifa", "r9", f"k{n}", b"{}")) for n in range(5)]
        group.create_task(cancel())
        tasks += [group.create_task(journal.append_inbound("tifa", "r9", f"m{n}", b"{}")) for n in range(5)]
    assert sorted(task.result().seq for task in tasks) == list(range(1, 11))
    await store.close()


# --- locks, versions, kills ----------------------------------------------------------------------------------------------


async def test_a_database_that_another_program_has_locked_is_named(tmp_path, scene):
    await lived(tmp_path, scene)
    other = apsw.Connection(str(tmp_path / "carrier.db"))
    other.pragma("locking_mode", "exclusive")
    other.execute("BEGIN EXCLUSIVE")
    store = SqliteStore(Settings(busy_seconds=0))
    with pytest.raises(Unavailable, match=r"Another program has locked .*carrier\.db.*Close"):
        await store.open(tmp_path)
    other.execute("COMMIT")
    other.close()
    await store.open(tmp_path)
    await store.close()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from carrier_memory_sqlite.store import SqliteStore

async def main():
    store = SqliteStore()
    await store.open(Path(sys.argv[1]))
    for number in range(50):
        await store.journal.append_inbound("tifa", "r1", str(number), b"%d" % number)
    job = lambda transaction: (transaction.execute("INSERT INTO places (agent, room) VALUES ('half', 'half')"),
                               os.kill(os.getpid(), signal.SIGKILL))
    await store._database.write(job)

asyncio.run(main())
"""


@pytest.mark.parametrize("torn", [0, 1, 3000])
async def test_the_log_that_a_kill_left_is_read_as_far_as_it_was_confirmed(tmp_path, torn):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    log = tmp_path / "carrier.db-wal"
    assert log.stat().st_size > 0
    with log.open("ab") as opened:
        opened.write(b"\x37" * torn)  # as a power cut leaves it, in the middle of a write
    reader = SqliteStore()
    await reader.open_read_only(tmp_path)
    assert len((await reader.journal.work("tifa", "r1")).rows) == 50
    await reader.close()
    store = SqliteStore()
    await store.open(tmp_path)
    assert [int(row.payload) for row in (await store.journal.work("tifa", "r1")).rows] == list(range(50))
    assert store._database.rows("SELECT count(*) FROM places WHERE agent = 'half'") == [(0,)]
    assert isinstance(await store.journal.turns(), tuple)
    await store.close()


async def test_a_log_whose_last_commit_is_damaged_loses_that_commit_alone(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    log = tmp_path / "carrier.db-wal"
    content = bytearray(log.read_bytes())
    content[-100] ^= 0xFF
    log.write_bytes(content)
    store = SqliteStore()
    await store.open(tmp_path)
    assert len((await store.journal.work("tifa", "r1")).rows) == 49
    assert (await store.journal.append_inbound("tifa", "r1", "49", b"49")).is_new is True
    await store.close()
