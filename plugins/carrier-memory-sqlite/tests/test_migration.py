"""A database that the previous release made (schema 2): everything in it is there, and goes on as far as it had come."""

from __future__ import annotations

import apsw
import pytest

from carrier_core import Charge, Hold, MemoryKind, Sending, Settlement, Spent, Status, Usage, encode
from carrier_memory_sqlite import schema
from carrier_memory_sqlite.store import SqliteStore
from carrier_memory_sqlite.vectors import packed

pytestmark = pytest.mark.anyio

ROOM = "e30850ba6e181f5c2c903a69ba41f9b2"
ANA = "7872de687e3545626ad24c1518f54229"
LEFT = "zebrafinch"
"""A word that was deleted before: that release did not overwrite what it deleted."""


def turn(key, seq, status, more=""):
    """A turn's record as that release wrote it; ``more`` is what it added when the turn was finished."""
    return (
        f'{{"type":"turnrecord","v":1,"data":{{"id":"{key}","agent":"tifa","room":"{ROOM}","person":"{ANA}",'
        f'"client":"local","inbound":[{seq}],"started":{100 + seq}.5,"outcome":{{"status":"{status}"}}{more},'
        '"parts":["b664b68bad67f78ec34708fe60a5d927"],"seed":1416484662,"generation":1}}'
    ).encode()


FINISHED = (
    ',"duration_ms":42.731,"steps":[{"name":"open","at":101.5,"duration_ms":0.047,"value":null}],"ran":[{"step":"open",'
    '"hook":"ensure_connection","plugin":"carrier","duration_ms":0.019,"result":"answered"}]'
)
TURNS = {  # id: (seq, status, open, record, outbox)
    "a" * 32: (1, "replied", 0, turn("a" * 32, 1, "replied", FINISHED), ("native 1", 9.5)),
    "b" * 32: (2, "replied", 0, turn("b" * 32, 2, "replied", FINISHED), (None, None)),  # its delivery failed
    "c" * 32: (3, "replied", 0, turn("c" * 32, 3, "replied"), (None, None)),  # it stopped while delivering
    "d" * 32: (4, "running", 1, turn("d" * 32, 4, "running"), None),
    "e" * 32: (5, "silent", 0, turn("e" * 32, 5, "silent"), None),
}


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


@pytest.fixture
def old(tmp_path):
    """The folder of a database with rows of every sort that the previous release had."""
    connection = apsw.Connection(str(tmp_path / "carrier.db"))
    connection.pragma("journal_mode", "wal")
    steps = schema.migrations()
    schema.migrate(connection, tmp_path / "carrier.db", {number: steps[number] for number in (1, 2)})
    execute = connection.execute
    execute("INSERT INTO places (agent, room, seq, epoch, owner) VALUES ('tifa', ?, 7, 3, 'host')", (ROOM,))
    for number in range(1, 8):
        taken = next((key for key, (seq, *_) in TURNS.items() if seq == number), None)
        discarded = "an edit" if number == 6 else None
        execute("INSERT INTO inbound VALUES (?, ?, ?, ?)", (1 << 32 | number, payload(number), taken, discarded))
        execute("INSERT INTO dedupe VALUES ('tifa', ?, ?)", (f"key {number}", number))
    for key, (seq, status, is_open, record, post) in TURNS.items():
        values = (key, 100 + seq + 0.5, status, is_open, record)
        execute("INSERT INTO turns (id, place, started, status, open, record) VALUES (?, 1, ?, ?, ?, ?)", values)
        if post is not None:
            part = (
                f'{{"type":"replypart","v":1,"data":{{"key":"post {seq}","turn":"{key}","agent":"tifa","room":{{"id":"{ROOM}",'
                '"platform":"local","native":"main"},"content":[{"text":"I see."}],"client":"local"}}'
            )
            execute("INSERT INTO outbox VALUES (?, 1, ?, 0, ?, ?, ?)", (f"post {seq}", key, part.encode(), *post))
    part = b'{"type":"part","v":1,"data":{"text":"You are Tifa.","key":"character"}}'
    execute("INSERT INTO parts VALUES ('b664b68bad67f78ec34708fe60a5d927', ?)", (part,))
    execute("INSERT INTO entities VALUES (?, 'local', '', 'ana', 'Ana', '', 0)", (ANA,))
    execute("INSERT INTO rooms VALUES (?, 'local', '', 'main', 'dm', 'main', '')", (ROOM,))
    execute("INSERT INTO participants VALUES (?, ?)", (ROOM, ANA))
    execute("INSERT INTO residents VALUES ('tifa', ?)", (ROOM,))
    execute("INSERT INTO shelves VALUES (1, 'tifa', ?, 1, ?)", (ROOM, f'{{"rooms":["{ROOM}"]}}'.encode()))
    execute("INSERT INTO shelf_keys VALUES ('tifa', ?, 1, 1)", (ROOM,))
    for number, text in enumerate(("I live in Porto.", "My dog is called Rex.", f"A {LEFT}!"), 1):
        row = 1 << 36 | number << 6
        values = (row, f"{number:032x}", ANA, number + 0.5, number, memory(number, text))
        execute("INSERT INTO memories VALUES (?, ?, 1, 'message', ?, ?, ?, ?)", values)
        execute("INSERT INTO unindexed VALUES (?)", (row,))
    execute("DELETE FROM memories WHERE number = 3")
    execute("DELETE FROM unindexed WHERE row = ?", (1 << 36 | 3 << 6,))
    execute("UPDATE numbers SET last = 3")
    execute("INSERT INTO embedders (name) VALUES ('test/2')")
    vector = (1 << 36 | 1 << 6, *packed([(0.6, 0.8)])[0])
    execute("INSERT INTO vectors (row, embedder, shelf, bits, vector) VALUES (?, 1, 1, ?, ?)", vector)
    connection.close()
    assert LEFT.encode() in (tmp_path / "carrier.db").read_bytes()
    return tmp_path


async def test_turns_and_deliveries_of_the_previous_release_go_on(old, scene):
    store = SqliteStore()
    await store.open(old)
    journal = store.journal
    work = await journal.work("tifa", ROOM)
    assert await journal.ready() == (("tifa", ROOM),)
    assert [row.seq for row in work.rows] == [7]
    assert work.turns == ("c" * 32, "d" * 32)
    states = {post.part.key: (post.state, post.native, post.at) for post in await journal.outbox()}
    assert states == {
        "post 1": (Sending.SENT, "native 1", 9.5),
        "post 2": (Sending.DEAD, "", 0.0),
        "post 3": (Sending.SENDING, "", 0.0),
    }
    for key, (seq, status, _, record, _) in TURNS.items():
        found = await journal.turn(key)
        assert encode(found) == record
        opened = await journal.reopen(key)
        assert (opened.completed, opened.activations) == (status != "running", 1)
        assert [(row.seq, row.payload) for row in opened.inbound] == [(seq, payload(seq))]
    assert (await journal.append_inbound("tifa", ROOM, "key 6", b"{}")).is_new is False
    assert (await journal.append_inbound("tifa", ROOM, "new", b"{}")).seq == 8
    assert await journal.claim_room("tifa", ROOM, "me", 60.0) == 4
    turn = await journal.turn("d" * 32)
    assert await journal.activate(turn, 4) == 2
    await journal.finish(await journal.turn("c" * 32), 4, (), ())
    assert (await journal.work("tifa", ROOM)).turns == ("d" * 32,)
    assert [turn.outcome.status for turn in await journal.turns(status="silent")] == [Status.SILENT]
    assert [part.part.text for part in await journal.parts(("b664b68bad67f78ec34708fe60a5d927",))] == ["You are Tifa."]
    await store.close()


async def test_memories_of_the_previous_release_are_recalled_by_words_and_by_meaning(old, scene):
    store = SqliteStore()
    await store.open(old)
    assert [memory.text for memory in await store.memory.history("tifa", ROOM, limit=9)] == [
        "I live in Porto.",
        "My dog is called Rex.",
    ]
    found = await store.memory.recall(scene.query("What is my dog called?", room=ROOM, readers=scene.readers(ROOM)))
    assert found[0].memory.text == "My dog is called Rex."
    query = scene.query("home?", room=ROOM, readers=scene.readers(ROOM), vector=(0.6, 0.8), model="test/2")
    assert [found.memory.text for found in await store.memory.recall(query)] == ["I live in Porto."]
    assert [memory.id for memory in await store.memory.unembedded("test/2", limit=9)] == [f"{2:032x}"]
    assert len(await store.memory.list(kind=MemoryKind.MESSAGE)) == 2
    await store.close()


async def test_spending_is_counted_where_the_previous_release_had_no_counters(old):
    file, steps = old / "carrier.db", schema.migrations()
    connection = apsw.Connection(str(file))
    assert schema.migrate(connection, file, {number: steps[number] for number in (1, 2, 3)}) == 3
    connection.close()
    store = SqliteStore()
    await store.open(old)
    counter = Charge(("host", ""), "2027-01-31", most_tokens=100)
    assert await store.journal.spent() == ()
    assert await store.journal.hold(Hold("call", (counter,), Usage(90), 1.0)) == ()
    await store.journal.settle((Settlement("call", (counter,), Usage(80)),))
    assert await store.journal.spent() == (Spent(counter.scope, counter.window, Usage(80)),)
    assert len(await store.journal.turns()) == len(TURNS)
    await store.close()


async def test_what_the_previous_release_deleted_is_not_in_the_file_any_more(old):
    store = SqliteStore()
    await store.open(old)
    await store.close()
    assert LEFT.encode() not in (old / "carrier.db").read_bytes()


async def test_a_person_of_the_previous_release_can_be_forgotten(old):
    store = SqliteStore()
    await store.open(old)
    gone = await store.forget_person(ANA)
    assert (gone["turns"], gone["memories"], gone["vectors"]) == (5, 2, 1)
    await store.close()
    content = (old / "carrier.db").read_bytes()
    assert [word for word in (ANA.encode(), b"Porto", b"Rex", b"I see.") if word in content] == []
