"""The database: how it is found and refused, schema versions, and what can be wrong with it. No password is told."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys

import pytest

from carrier_core import ConfigError, Unavailable
from carrier_memory_postgres import register_stores, schema
from carrier_memory_postgres.faults import address
from carrier_memory_postgres.settings import Settings
from carrier_memory_postgres.store import PostgresStore

pytestmark = pytest.mark.anyio

SECRET = "swordfish"


def test_the_plugin_registers_a_store_named_postgres():
    store = register_stores(Settings(url="postgresql://u:p@h/d"))
    assert (store.name, store.exclusive, store.last_resort) == ("postgres", False, False)
    assert register_stores(Settings()) is None, "another store may be there"


def test_the_plugin_does_not_load_the_driver_before_the_store_is_made():
    script = "import sys, carrier_memory_postgres; print('asyncpg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- what is refused, and how ---


async def refusal(url, error=ConfigError, **settings):
    store = PostgresStore(Settings(url=url, **settings))
    messages = []
    for attempt in (store.open, store.open_read_only):
        with pytest.raises(error) as caught:
            await attempt(None)
        messages.append(str(caught.value))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not any(SECRET in message for message in messages)
    return messages[0]


async def test_without_a_url_the_variable_is_named():
    assert "DATABASE_URL is not set" in await refusal(None)
    assert "DATABASE_URL is not set" in await refusal("")


@pytest.mark.parametrize(
    "wrong",
    [
        f"mysql://u:{SECRET}@h/d",
        f"u:{SECRET}@h/d",
        f"postgresql://u:{SECRET}@h:port/d",
        f"postgresql://u:{SECRET}@[h/d",
    ],
)
async def test_what_is_no_url_of_postgresql_is_refused_without_telling_it(wrong):
    message = await refusal(wrong)
    assert "DATABASE_URL is no URL of a PostgreSQL database" in message
    assert "postgresql://USER:PASSWORD@HOST" in message


async def test_a_parameter_that_cannot_be_used_is_refused():
    assert "sslmode" in await refusal(f"postgresql://u:{SECRET}@127.0.0.1/d?sslmode=perhaps")


async def test_a_server_that_is_not_there_is_unavailable_with_its_address():
    message = await refusal(f"postgresql://u:{SECRET}@127.0.0.1:1/d", Unavailable)
    assert "the database d at 127.0.0.1:1 cannot be reached" in message.lower()
    assert "DATABASE_URL" in message


async def test_a_database_that_is_not_there_is_named(postgres):
    assert "There is no such database: the database nothing at" in await refusal(postgres.url("nothing"))


async def test_a_wrong_user_is_named_with_the_variable(postgres, database):
    url = postgres.url(database).replace("postgres:@", f"nobody:{SECRET}@")
    assert "refuses the user or the password of DATABASE_URL" in await refusal(url)


async def test_a_wrong_password_is_told_without_it(postgres, database, sql, scram):
    url = postgres.url(database).replace("postgres:@", f"ana:{SECRET}@")
    message = await refusal(url)
    assert "refuses the user or the password of DATABASE_URL" in message


@pytest.fixture
async def scram(postgres, database):
    """A user who needs a password."""
    await postgres.run("CREATE ROLE ana LOGIN PASSWORD 'another'")
    hba = postgres.folder / "pg_hba.conf"
    before = hba.read_text()
    hba.write_text(f"local all ana scram-sha-256\n{before}")
    await postgres.run("SELECT pg_reload_conf()")
    yield
    hba.write_text(before)
    await postgres.run("SELECT pg_reload_conf()")
    await postgres.run("DROP ROLE ana")


async def test_a_user_who_may_not_make_tables_is_told_so(postgres, database):
    await postgres.run("CREATE ROLE reader LOGIN")
    try:
        url = postgres.url(database).replace("postgres:@", "reader:@")
        with pytest.raises(ConfigError, match=r"may not do what is needed.*GRANT CREATE ON DATABASE"):
            await PostgresStore(Settings(url=url)).open(None)
    finally:
        await postgres.run("DROP ROLE reader")


async def test_a_server_without_pgvector_is_refused_with_a_remedy(postgres, database, sql):
    await postgres.run(f"ALTER DATABASE {database} SET extension_control_path = '/nowhere'")
    with pytest.raises(ConfigError, match=r"does not have the extension pgvector.*Install it"):
        await PostgresStore(Settings(url=postgres.url(database))).open(None)
    assert await sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'carrier'") == [(0,)]


async def test_a_user_who_may_not_add_the_extension_is_told_who_may(postgres, database):
    await postgres.run("CREATE ROLE maker LOGIN")
    try:
        await postgres.run(f"GRANT CREATE ON DATABASE {database} TO maker")
        await postgres.run("REVOKE ALL ON SCHEMA public FROM maker, public", database)
        await postgres.run(f"REVOKE CREATE ON DATABASE {database} FROM maker")
        await postgres.run("CREATE SCHEMA carrier AUTHORIZATION maker", database)
        url = postgres.url(database).replace("postgres:@", "maker:@")
        with pytest.raises(ConfigError, match=r"pgvector is not set up.*superuser"):
            await PostgresStore(Settings(url=url)).open(None)
    finally:
        await postgres.run("DROP OWNED BY maker", database)
        await postgres.run("DROP ROLE maker")


async def test_nothing_that_is_logged_has_the_password(postgres, database, caplog, sql, scram):
    caplog.set_level(logging.DEBUG)
    url = postgres.url(database).replace("postgres:@", f"ana:{SECRET}@")
    await refusal(url)
    assert SECRET not in caplog.text
    assert SECRET not in repr(Settings(url=url))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:p@db.example.org/carrier", "the database carrier at db.example.org:5432"),
        ("postgresql://u:p@db.example.org:6432/carrier?x=1", "the database carrier at db.example.org:6432"),
        ("postgresql:///carrier?host=/run/postgresql", "the database carrier at /run/postgresql"),
        ("postgresql://u:p@h", "the database u at h:5432"),
        ("postgresql://h:port/x", "the database"),
    ],
)
def test_a_database_is_described_by_its_address(url, words):
    assert address(url) == words


# --- opening and closing ---


async def test_a_closed_store_says_so(make_store, scene):
    store = make_store()
    for attempt in (store.memory.put(()), store.memory.get(("a",)), store.health(), store.memory.list()):
        with pytest.raises(Unavailable, match="not open"):
            await attempt
    await store.open(None)
    assert "open" in await store.health()
    with pytest.raises(Unavailable, match="open already"):
        await store.open(None)
    await store.close()
    await store.close()
    with pytest.raises(Unavailable, match="not open"):
        await store.journal.append_inbound("tifa", "r1", "k", b"")


async def test_readers_see_what_a_writer_has_written(store, make_store, scene):
    said = scene.memory("I live in Porto.")
    await store.memory.connect("tifa", scene.connection())
    await store.memory.put((said,))
    reader = make_store()
    await reader.open_read_only(None)
    assert await reader.memory.history("tifa", scene.room.id, limit=5) == (said,)
    assert [found.memory for found in await reader.memory.recall(scene.query("Where do I live?"))] == [said]
    later = scene.memory("I moved to Faro.")
    await store.memory.put((later,))
    assert await reader.memory.history("tifa", scene.room.id, limit=5) == (said, later)
    assert await reader.memory.participants(scene.room.id) == (scene.ana,)
    assert "reading" in await reader.health()
    with pytest.raises(Unavailable, match="reading only"):
        await reader.memory.put((said,))
    with pytest.raises(Unavailable, match="reading only"):
        await reader.memory.embed("m/2", ((said.id, (1.0, 2.0)),))
    await reader.close()


async def test_a_replica_serves_recall_and_its_loss_costs_nothing(make_store, url, scene):
    """Here the replica is the same server, known by another address that leads nowhere after a while."""
    store = make_store(read_url=url)
    await store.open(None)
    said = scene.memory("I live in Porto.")
    await store.memory.put((said,))
    assert [found.memory for found in await store.memory.recall(scene.query("Where do I live?"))] == [said]
    assert await store.memory.list() == (said,)
    assert store._database._replica._idle
    await store.close()
    store = make_store(read_url="postgresql://u:p@127.0.0.1:1/d")
    await store.open(None)
    assert [found.memory for found in await store.memory.recall(scene.query("Where do I live?"))] == [said]
    await store.close()


async def test_nothing_is_left_of_a_store_that_was_closed(make_store, sql):
    store = make_store()
    await store.open(None)
    await store.journal.ready()
    await store.close()
    async with asyncio.timeout(10):
        while await sql(
            "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'carrier %' AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)


async def test_another_schema_holds_another_store(make_store, scene):
    one, two = make_store(), make_store(namespace="staging")
    await one.open(None)
    await two.open(None)
    await one.memory.put((scene.memory("I live in Porto."),))
    assert await two.memory.list() == ()
    await one.close()
    await two.close()


# --- schema versions ---


def test_migrations_are_numbered_without_gaps():
    assert sorted(schema.migrations()) == list(range(1, len(schema.migrations()) + 1))


async def test_a_newer_schema_is_refused_with_both_versions(make_store, sql):
    store = make_store()
    await store.open(None)
    await store.close()
    newest = max(schema.migrations())
    await sql("INSERT INTO carrier.versions (version) VALUES ($1)", newest + 1)
    for attempt in (store.open, store.open_read_only):
        with pytest.raises(ConfigError, match=rf"version {newest + 1}.*up to {newest}.*Install"):
            await attempt(None)


async def test_a_reader_does_not_migrate(make_store, sql):
    with pytest.raises(Unavailable, match="There is no schema carrier in"):
        await make_store().open_read_only(None)
    await sql("CREATE SCHEMA carrier")
    await sql("CREATE TABLE carrier.versions (version integer)")
    await sql("INSERT INTO carrier.versions VALUES (0)")
    with pytest.raises(Unavailable, match="Start carrierd"):
        await make_store().open_read_only(None)


async def test_a_migration_that_fails_changes_nothing(make_store, url, sql):
    store = make_store()
    await store.open(None)
    link = await store._database._server.connect("test")
    steps = schema.migrations()
    broken = steps | {len(steps) + 1: "CREATE TABLE one (a integer); CREATE TABLE one (a integer)"}
    with pytest.raises(Exception, match="already exists"):
        await schema.migrate(link, "carrier", url, broken)
    assert await sql("SELECT max(version) FROM carrier.versions") == [(len(steps),)]
    assert await sql("SELECT to_regclass('carrier.one')") == [(None,)]
    again = steps | {len(steps) + 1: "CREATE TABLE one (a integer)"}
    assert await schema.migrate(link, "carrier", url, again) == len(steps) + 1
    assert await schema.migrate(link, "carrier", url, again) == len(steps) + 1
    await link.close()
    await store.close()


async def test_two_processes_at_one_time_migrate_once(url, sql):
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from carrier_memory_postgres.settings import Settings; from carrier_memory_postgres.store import PostgresStore\n"
        "async def main():\n"
        "    store = PostgresStore(Settings(url=sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
        "    await store.open(Path('.')); await store.journal.append_inbound('tifa', 'r', sys.argv[2], b'')\n"
        "    await store.close()\n"
        "asyncio.run(main())"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    openers = [subprocess.Popen([sys.executable, "-c", script, url, str(number)], **pipes) for number in range(3)]
    assert [opener.stdout.readline() for opener in openers] == ["ready\n"] * 3
    for opener in openers:
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate(timeout=60)[1] for opener in openers] == [""] * 3
    assert [opener.returncode for opener in openers] == [0] * 3
    assert await sql("SELECT version FROM carrier.versions ORDER BY version") == [
        (v,) for v in sorted(schema.migrations())
    ]
    assert await sql("SELECT seq FROM carrier.inbound ORDER BY seq") == [(1,), (2,), (3,)]
