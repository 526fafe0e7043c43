"""A database that the previous release made (schema 1): everything in it is there, and goes on as far as it had come."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from carrier_core import Charge, Hold, MemoryKind, Readers, Sending, Settlement, Spent, Status, Usage, encode
from carrier_memory_postgres import schema

pytestmark = pytest.mark.anyio

ROOM = "e30850ba6e181f5c2c903a69ba41f9b2"
ANA = "7872de687e3545626ad24c1518f54229"
PART = "b664b68bad67f78ec34708fe60a5d927"
LATE = "e" * 32
GATE = 77  # the number of an advisory lock


def turn(key, seq, status, more=""):
    """A turn's record as that release wrote it; ``more`` is what it added when the turn was finished."""
    return (
        f'{{"type":"turnrecord","v":1,"data":{{"id":"{key}","agent":"tifa","room":"{ROOM}","person":"{ANA}",'
        f'"client":"local","inbound":[{seq}],"started":{100 + seq}.5,"outcome":{{"status":"{status}"}}{more},'
        f'"memories":["{1:032x}"],"parts":["{PART}"],"seed":1416484662,"generation":1}}}}'
    ).encode()


FINISHED = (
    ',"duration_ms":42.731,"steps":[{"name":"open","at":101.5,"duration_ms":0.047,"value":null}],"ran":[{"step":"open",'
    '"hook":"ensure_connection","plugin":"carrier","duration_ms":0.019,"result":"answered"}]'
)
TURNS = {  # id: (seq, status, state, record)
    "a" * 32: (1, "replied", "finished", turn("a" * 32, 1, "replied", FINISHED)),
    "b" * 32: (2, "replied", "completed", turn("b" * 32, 2, "replied")),
    "c" * 32: (3, "running", "running", turn("c" * 32, 3, "running")),
    "d" * 32: (4, "parked", "parked", turn("d" * 32, 4, "parked")),
}
MEMORIES = (  # row, text, words
    (68719476828, "I live in Porto.", "'\uf0001' 'i' 'live' 'in' 'porto' '\ue02a' '\ue02b' '\ue02c'"),
    (68719476892, "My dog is called Rex.", "'\uf0001' 'my' 'dog' 'is' 'call' 'rex' '\ue035' '\ue03b' '\ue034'"),
)
STEP = b'{"name":"decide","at":103.5,"duration_ms":0.1,"value":{"type":"decision","v":1,"data":{"answer":true}}}'


def payload(number):
    return (
        f'{{"type":"inbound","v":1,"data":{{"event":"e{number}","room":{{"id":"{ROOM}","platform":"local","native":"main"}},'
        f'"message":{{"id":"m{number}","sender":{{"id":"{ANA}","platform":"local","native":"ana","name":"Ana"}},'
        '"content":[{"text":"I live in Porto."}],"at":100.5},"client":"local"}}'
    ).encode()


def memory(number, text):
    return (
        f'{{"type":"memory","v":1,"data":{{"id":"{number:032x}","agent":"tifa","room":"{ROOM}","kind":"message","content":'
        f'[{{"text":"{text}"}}],"at":{number}.5,"provenance":{{"origins":["person:{ANA}"],"audience":{{"rooms":["{ROOM}"]}}}},'
        f'"entity":"{ANA}","name":"Ana"}}}}'
    ).encode()


def post(seq, key):
    return (
        f'{{"type":"replypart","v":1,"data":{{"key":"post {seq}","turn":"{key}","agent":"tifa","room":{{"id":"{ROOM}",'
        '"platform":"local","native":"main"},"content":[{"text":"I see."}],"client":"local"}}'
    ).encode()


@pytest.fixture
async def old(url, database):
    """The URL of a database with rows of every sort that the previous release had."""
    link = await asyncpg.connect(url, server_settings={"search_path": "carrier"})
    await schema.migrate(link, "carrier", url, {1: schema.migrations()[1]})
    run = link.execute
    await run("INSERT INTO places (agent, room, seq, epoch, owner, heard) VALUES ('tifa', $1, 5, 3, 'host', 2)", ROOM)
    for number, key in enumerate([*TURNS, None], 1):
        await run(
            "INSERT INTO inbound (place, seq, payload, turn) VALUES (1, $1, $2, $3)", number, payload(number), key
        )
        await run("INSERT INTO ledger VALUES ('tifa', $1, $2)", f"key {number}", number)
    for key, (seq, status, state, record) in TURNS.items():
        waits = ("act/1/0", 900.5, "may I?") if state == "parked" else (None, None, None)
        await run(
            "INSERT INTO turns (id, number, place, state, status, activations, started, record, step, until, reason) "
            "VALUES ($1, $2, 1, $3, $4, 1, $5, $6, $7, $8, $9)",
            *(key, seq, state, status, 100.5 + seq, record, *waits),
        )
    add_post = "INSERT INTO outbox (key, place, turn, state, attempts, due, deadline, at, native, error, payload) "
    for seq, key, state in ((1, "a" * 32, "sent"), (2, "b" * 32, "sending")):
        values = (f"post {seq}", key, state, post(seq, key))
        await run(f"{add_post} VALUES ($1, 1, $2, $3, 1, 0, 0, 9.5, '', '', $4)", *values)
    await run("INSERT INTO steps (turn, name, record) VALUES ($1, 'decide', $2)", "c" * 32, STEP)
    part = f'{{"type":"part","v":1,"data":{{"text":"I live in Porto.","key":"memories","memory":"{1:032x}"}}}}'.encode()
    await run("INSERT INTO parts (digest, part) VALUES ($1, $2)", PART, part)
    await run("INSERT INTO entities VALUES ($1, 'local', '', 'ana', 'Ana', '', false)", ANA)
    await run("INSERT INTO rooms VALUES ($1, 'local', '', 'main', 'dm', 'main', '')", ROOM)
    await run("INSERT INTO participants VALUES ($1, $2)", ROOM, ANA)
    await run("INSERT INTO residents VALUES ('tifa', $1)", ROOM)
    audience = f'{{"rooms":["{ROOM}"]}}'.encode()
    add_shelf = (
        "INSERT INTO shelves (agent, room, messages, digest, audience, last) VALUES ('tifa', $1, true, 'd', $2, 2)"
    )
    await run(add_shelf, ROOM, audience)
    await run("INSERT INTO shelf_keys VALUES ('tifa', $1, true, 1)", ROOM)
    await run("CREATE TABLE memories_1 (LIKE memories) PARTITION BY RANGE (at)")
    await run("CREATE TABLE memories_1_rest PARTITION OF memories_1 DEFAULT")
    await run("ALTER TABLE memories ATTACH PARTITION memories_1 FOR VALUES IN ('tifa')")
    await run("INSERT INTO partitions (name, agent) VALUES ('memories_1_rest', 'tifa')")
    await link.fetch("SELECT nextval('partition_numbers')")
    for number, (row, text, words) in enumerate(MEMORIES, 1):
        values = (row, number + 0.5, number, ANA, memory(number, text), words)
        await run("INSERT INTO memories VALUES ($1, $2, $3, 1, 'tifa', 'message', $4, $5, $6::text::tsvector)", *values)
        await run("INSERT INTO remembered VALUES ($1, $2, $3, $4, 'tifa')", f"{number:032x}", row, number, number + 0.5)
    await link.close()
    return url


@pytest.fixture
async def store(old, make_store, tmp_path):
    store = make_store()
    await store.open(tmp_path)
    yield store
    await store.close()


async def test_turns_and_deliveries_of_the_previous_release_go_on(store):
    journal = store.journal
    work = await journal.work("tifa", ROOM)
    assert await journal.ready() == (("tifa", ROOM),)
    assert [row.seq for row in work.rows] == [5]
    assert work.turns == ("b" * 32, "c" * 32)
    assert {each.part.key: each.state for each in await journal.outbox()} == {
        "post 1": Sending.SENT,
        "post 2": Sending.SENDING,
    }
    for key, (seq, status, state, record) in TURNS.items():
        found = await journal.reopen(key)
        steps = found.record.steps
        if key == "c" * 32:
            assert [step.name for step in steps] == ["decide"]
        else:
            assert encode(await journal.turn(key)) == record
        assert (found.completed, found.activations) == (state in ("completed", "finished"), 1)
        assert found.record.outcome.status == status
        assert [(row.seq, row.payload) for row in found.inbound] == [(seq, payload(seq))]
    assert [(parking.turn, parking.step, parking.until) for parking in await journal.parked()] == [
        ("d" * 32, "act/1/0", 900.5)
    ]
    assert (await journal.append_inbound("tifa", ROOM, "key 5", b"{}")).is_new is False
    assert await journal.claim_room("tifa", ROOM, "host", 60.0) == 4
    await journal.finish(await journal.turn("b" * 32), 4, (), ())
    assert (await journal.work("tifa", ROOM)).turns == ("c" * 32,)
    assert encode(await journal.turn("b" * 32)) == TURNS["b" * 32][3], "it names the same parts and memories as before"
    assert [turn.id[0] for turn in await journal.turns()] == ["d", "c", "b", "a"]
    assert [turn.outcome.status for turn in await journal.turns(status="running")] == [Status.RUNNING]
    assert [part.part.text for part in await journal.parts((PART,))] == ["I live in Porto."]


async def test_memories_of_the_previous_release_are_recalled(store, scene):
    assert [memory.text for memory in await store.memory.history("tifa", ROOM, limit=9)] == [
        "I live in Porto.",
        "My dog is called Rex.",
    ]
    found = await store.memory.recall(scene.query("What is my dog called?", room=ROOM, readers=Readers(ROOM)))
    assert found[0].memory.text == "My dog is called Rex."
    assert [memory.id for memory in await store.memory.unembedded("test/2", limit=9)] == [f"{1:032x}", f"{2:032x}"]
    assert len(await store.memory.list(kind=MemoryKind.MESSAGE)) == 2


async def test_a_person_of_the_previous_release_can_be_forgotten(store, sql):
    gone = await store.forget_person(ANA)
    assert (gone["turns"], gone["memories"], gone["inbound"], gone["outbox"]) == (4, 2, 5, 2)
    assert [await sql(f"SELECT count(*) FROM carrier.{table}") for table in ("turns", "drafts", "memories")] == [
        [(0,)]
    ] * 3


async def test_spending_is_counted_where_the_previous_release_had_no_counters(old, make_store, tmp_path, sql):
    link = await asyncpg.connect(old, server_settings={"search_path": "carrier"})
    steps = schema.migrations()
    await schema.migrate(link, "carrier", old, {number: steps[number] for number in (1, 2)})
    await link.close()
    store = make_store()
    await store.open(tmp_path)
    counter = Charge(("host", ""), "2027-01-31", most_tokens=100)
    assert await store.journal.spent() == ()
    assert await store.journal.hold(Hold("call", (counter,), Usage(90), 1.0)) == ()
    await store.journal.settle((Settlement("call", (counter,), Usage(80)),))
    assert await store.journal.spent() == (Spent(counter.scope, counter.window, Usage(80)),)
    assert len(await store.journal.turns()) == len(TURNS)
    await store.close()
    assert await sql("SELECT version FROM carrier.versions ORDER BY version") == [(1,), (2,), (3,), (4,)]


@pytest.fixture
async def session(url):
    """Makes sessions as the daemon's are, which end with the test."""
    links = []

    async def connect(**settings):
        path = {"search_path": "carrier", "lock_timeout": "0", **settings}
        links.append(await asyncpg.connect(url, server_settings=path))
        return links[-1]

    yield connect
    for link in links:
        link.terminate()


@pytest.fixture
def migrating(url, session, sql):
    """A migration that is under way, and waits for a lock that the test holds."""

    @asynccontextmanager
    async def begin(steps=None):
        link = await session()
        task = asyncio.create_task(schema.migrate(link, "carrier", url, steps))
        try:
            async with asyncio.timeout(30):
                waiting = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted"
                while not (await sql(waiting, link.get_server_pid()))[0][0]:
                    assert not task.done(), "it does not wait"
                yield task
                await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return begin


async def add_late(link):
    """Write a turn as the previous release does."""
    await link.execute("UPDATE writers SET batch = batch + 1")
    values = (LATE, turn(LATE, 5, "running"))
    add = "INSERT INTO turns (id, number, place, state, status, activations, started, record) "
    await link.execute(f"{add} VALUES ($1, 6, 1, 'running', 'running', 1, 9, $2)", *values)


async def test_a_write_of_the_previous_release_that_was_begun_is_waited_for(old, session, migrating, sql):
    older = await session()
    await older.execute("BEGIN")
    await add_late(older)
    async with migrating():
        await older.execute("UPDATE inbound SET turn = $1 WHERE seq = 5", LATE)
        await older.execute("UPDATE turns SET state = 'finished' WHERE id = $1", "b" * 32)
        await older.execute("COMMIT")
    assert await sql("SELECT id FROM carrier.drafts ORDER BY id") == [("c" * 32,), ("d" * 32,), (LATE,)]
    assert await sql("SELECT id FROM carrier.turns ORDER BY id") == [("a" * 32,), ("b" * 32,)]


async def test_while_tables_are_converted_the_previous_release_writes_nothing(old, session, migrating, sql):
    """Also not in between: what was copied already would be doubled, or lost."""
    gate, older = await session(), await session(lock_timeout="100")
    await gate.execute(f"SELECT pg_advisory_lock({GATE})")
    before, mark, after = schema.migrations()[2].partition("INSERT INTO finished")
    between = f"{before} SELECT pg_advisory_xact_lock({GATE}); {mark}{after}"
    async with migrating({1: "", 2: between}):
        with pytest.raises(asyncpg.LockNotAvailableError):
            await add_late(older)
        for table in ("turns", "inbound", "steps", "outbox", "parts"):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await older.execute(f"DELETE FROM {table}")
        await gate.execute(f"SELECT pg_advisory_unlock({GATE})")
    with pytest.raises(asyncpg.UndefinedColumnError):
        await add_late(older)
    assert await sql("SELECT count(*) FROM carrier.handled") == [(len(TURNS),)]


async def test_a_migration_may_take_longer_than_a_statement_of_a_turn(url, database, sql):
    link = await asyncpg.connect(url, server_settings={"search_path": "carrier"}, command_timeout=0.5)
    try:
        assert await schema.migrate(link, "carrier", url, {1: "SELECT pg_sleep(0.6)"}) == 1
    finally:
        link.terminate()
    assert await sql("SELECT version FROM carrier.versions") == [(1,)]
