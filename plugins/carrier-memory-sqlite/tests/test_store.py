"""The database file: one owner, other readers, schema versions, and what can be wrong with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from carrier_core import ConfigError, Unavailable
from carrier_memory_sqlite import register_stores, schema
from carrier_memory_sqlite.settings import Settings
from carrier_memory_sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio


async def test_the_plugin_registers_a_store_named_sqlite():
    assert register_stores(Settings()).name == "sqlite"


async def test_the_file_can_be_named_in_the_settings(tmp_path):
    store = SqliteStore(Settings(file="memories.sqlite", synchronous="normal"))
    await store.open(tmp_path)
    await store.close()
    assert (tmp_path / "memories.sqlite").exists()


async def test_folder_and_files_are_for_the_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        store = SqliteStore()
        await store.open(tmp_path / "new" / "state")
    finally:
        os.umask(before)
    folder = tmp_path / "new" / "state"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {entry.stat().st_mode & 0o777 for entry in folder.iterdir()} == {0o600}
    assert {entry.name for entry in folder.iterdir()} >= {"carrier.db", "carrier.db-wal", "carrier.lock"}
    await store.close()


async def test_a_second_opener_is_told_who_has_it(store, tmp_path):
    with pytest.raises(Unavailable, match=rf"pid {os.getpid()}.*--state"):
        await SqliteStore().open(tmp_path / "state")
    await store.close()
    second = SqliteStore()
    await second.open(tmp_path / "state")
    await second.close()


async def test_another_process_is_refused_until_the_first_has_ended(tmp_path):
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from carrier_memory_sqlite.store import SqliteStore\n"
        "async def main():\n"
        "    await SqliteStore().open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()\n"
        "asyncio.run(main())"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout.readline() == "open\n"
    store = SqliteStore()
    with pytest.raises(Unavailable, match=rf"in use by another process \(pid {owner.pid}\)"):
        await store.open(tmp_path)
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    await store.open(tmp_path)
    await store.close()


async def test_readers_see_what_a_writer_has_written(store, scene, tmp_path):
    said = scene.memory("I live in Porto.")
    await store.memory.connect("tifa", scene.connection())
    await store.memory.put((said,))
    reader = SqliteStore()
    await reader.open_read_only(tmp_path / "state")
    assert await reader.memory.history("tifa", scene.room.id, limit=5) == (said,)
    assert [found.memory for found in await reader.memory.recall(scene.query("Where do I live?"))] == [said]
    later = scene.memory("I moved to Faro.")
    await store.memory.put((later,))
    assert len(await reader.memory.history("tifa", scene.room.id, limit=5)) == 2
    assert [found.memory for found in await reader.memory.recall(scene.query("Faro"))] == [later]
    assert await reader.memory.participants(scene.room.id) == (scene.ana,)
    assert "reading" in await reader.health()
    with pytest.raises(Unavailable, match="reading only"):
        await reader.memory.put((said,))
    await reader.close()


async def test_a_reader_of_a_folder_without_a_database_is_told_so(tmp_path):
    with pytest.raises(Unavailable, match=r"There is no database .*carrier\.db.*Start carrierd"):
        await SqliteStore().open_read_only(tmp_path)


async def test_a_closed_store_says_so(tmp_path, scene):
    store = SqliteStore()
    for attempt in (store.memory.put(()), store.memory.get(("a",)), store.health(), store.memory.list()):
        with pytest.raises(Unavailable, match="not open"):
            await attempt
    await store.open(tmp_path)
    assert "open" in await store.health()
    with pytest.raises(Unavailable, match="open already"):
        await store.open(tmp_path)
    await store.close()
    await store.close()
    with pytest.raises(Unavailable, match="not open"):
        await store.journal.append_inbound("tifa", "r1", "k", b"")


async def test_health_fails_when_the_file_is_gone(store, tmp_path):
    (tmp_path / "state" / "carrier.db").unlink()
    with pytest.raises(ConfigError, match="removed"):
        await store.health()


@pytest.mark.parametrize("content", [b"this is no database at all " * 200, b"SQLite format 3\0" + b"\xff" * 9000])
async def test_a_file_that_is_no_database_or_damaged_is_named_with_a_remedy(tmp_path, content):
    file = tmp_path / "carrier.db"
    file.write_bytes(content)
    for attempt in (SqliteStore().open(tmp_path), SqliteStore().open_read_only(tmp_path)):
        with pytest.raises(ConfigError, match="restore a backup") as caught:
            await attempt
        assert caught.value.file == str(file)
    assert file.read_bytes() == content


async def test_a_damaged_page_is_reported_when_it_is_met(tmp_path, scene):
    store = SqliteStore()
    await store.open(tmp_path)
    await store.memory.put(tuple(scene.memory(f"message {number} " * 50) for number in range(200)))
    await store.close()
    file = tmp_path / "carrier.db"
    content = bytearray(file.read_bytes())
    for start in range(4096 * 40, len(content), 4096):
        content[start : start + 64] = b"\xee" * 64
    file.write_bytes(content)
    await store.open(tmp_path)
    with pytest.raises(ConfigError, match=r"damaged.*restore a backup"):
        await store.memory.history("tifa", scene.room.id, limit=200)
    await store.close()


async def test_another_programs_database_is_left_alone(tmp_path):
    with apsw.Connection(str(tmp_path / "carrier.db")) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(ConfigError, match="another program"):
        await SqliteStore().open(tmp_path)


async def test_a_newer_schema_is_refused_with_both_versions(tmp_path):
    store = SqliteStore()
    await store.open(tmp_path)
    await store.close()
    newest = max(schema.migrations())
    connection = apsw.Connection(str(tmp_path / "carrier.db"))
    connection.pragma("user_version", newest + 1)
    connection.close()
    for attempt in (store.open(tmp_path), store.open_read_only(tmp_path)):
        with pytest.raises(ConfigError, match=rf"version {newest + 1}.*up to {newest}.*Install") as caught:
            await attempt
        assert caught.value.file == str(tmp_path / "carrier.db")


async def test_a_reader_does_not_migrate(tmp_path):
    connection = apsw.Connection(str(tmp_path / "carrier.db"))
    connection.execute("CREATE TABLE early (a)").fetchall()
    connection.pragma("application_id", schema.APPLICATION)
    connection.close()
    with pytest.raises(Unavailable, match="Start carrierd once"):
        await SqliteStore().open_read_only(tmp_path)


async def test_migrations_run_in_order_and_a_failing_one_changes_nothing(tmp_path):
    file = tmp_path / "x.db"
    connection = apsw.Connection(str(file))
    steps = {1: "CREATE TABLE one (a); INSERT INTO one VALUES (1);", 2: "ALTER TABLE one ADD COLUMN b; SELECT 1;"}
    assert schema.migrate(connection, file, steps) == 2
    assert schema.migrate(connection, file, steps) == 2
    with pytest.raises(apsw.SQLError):
        schema.migrate(connection, file, steps | {3: "DROP TABLE one; CREATE TABLE one (; "})
    assert connection.pragma("user_version") == 2
    assert connection.execute("SELECT a, b FROM one").fetchall() == [(1, None)]
    connection.close()


async def test_migrations_are_numbered_without_gaps():
    assert sorted(schema.migrations()) == list(range(1, len(schema.migrations()) + 1))


async def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"state directory .*file/state.*--state"):
        await SqliteStore().open(tmp_path / "file" / "state")


async def test_a_file_that_cannot_be_opened_releases_the_folder(tmp_path):
    (tmp_path / "carrier.db").mkdir()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await SqliteStore().open(tmp_path)


async def test_a_read_only_file_system_is_refused_with_a_remedy(tmp_path):
    store = SqliteStore()
    await store.open(tmp_path)
    await store.close()
    inside = (
        f"mount --bind -o ro {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path} || exit 77\n"
        f"exec {sys.executable} -c '"
        "import asyncio, sys; from pathlib import Path; from carrier_core import Unavailable\n"
        "from carrier_memory_sqlite.store import SqliteStore\n"
        "try: asyncio.run(SqliteStore().open(Path(sys.argv[1])))\n"
        f"except Unavailable as error: print(error)' {tmp_path}"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", inside], capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mounts of our own here")
    assert "writable" in done.stdout, done.stderr


def test_the_package_names_its_files():
    package = Path(schema.__file__).parent
    assert {entry.name for entry in package.iterdir()} >= {"sql", "migrations", "py.typed"}
