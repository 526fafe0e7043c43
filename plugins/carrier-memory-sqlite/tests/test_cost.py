"""What a turn costs: commits, space, and whether a start depends on how much there is to remember."""

from __future__ import annotations

import time

import msgspec
import pytest

from carrier_core import (
    Audience,
    Completion,
    Connection,
    Entity,
    Inbound,
    Memory,
    MemoryKind,
    Outcome,
    Outgoing,
    Part,
    Provenance,
    Ran,
    Reply,
    ReplyPart,
    Room,
    Sending,
    Status,
    StepRecord,
    StoredPart,
    TurnRecord,
    encode,
    make_id,
    person,
)
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio

LEASE = 60.0


def commits(store):
    return store._database._writer._transaction.commits


class Talk:
    """A room in which the default turn is taken again and again, as the loop does it: with 30 messages of history, five
    recalled memories and 26 implementations that ran."""

    def __init__(self, number):
        self.room, self.ana = Room.of("local", f"room {number}"), Entity.of("local", f"person {number}", name="Ana")
        self.spoken = Provenance((person(self.ana.id),), Audience((self.room.id,)), plugin="local", hook="receive")
        self.replied = Provenance(
            ("agent", "operator", person(self.ana.id)), Audience((self.room.id,)), plugin="carrier", hook="settle"
        )
        self.shown, self.known = [], []
        self.written = 0  # bytes of the texts themselves

    def part(self, key, text, provenance, **given):
        part = Part(text, key, provenance, **given)
        return StoredPart(make_id(key, text, self.room.id), part)

    async def turn(self, store, epoch, number):
        journal, made = store.journal, time.time()
        said = f"message {number}: yesterday we watched a film about lighthouse keepers"
        answer = f"I have heard you: “{said}”. Tell me more."
        inbound = Inbound.say(self.room, self.ana, said, event=f"{self.room.native}/{number}", at=made, client="local")
        row = await journal.append_inbound("tifa", self.room.id, inbound.dedupe_key, encode(inbound))
        turn, memories = make_id("turn", self.room.id, str(number)), tuple(self.known[-30:])
        mine, reply = make_id("memory", inbound.message.id), make_id("reply", turn)
        new = (
            self.part("message", said, self.spoken, role="user", name="Ana", memory=mine),
            self.part("recent_messages", said, self.spoken, role="user", name="Ana", memory=mine, at=made),
            self.part("recent_messages", answer, self.replied, role="assistant", name="Tifa", memory=reply, at=made),
            self.part("time", f"It is day {number} of the year.", Provenance(("operator",), plugin="x", hook="time")),
        )
        self.shown += [part.digest for part in new]
        running = _record(self, turn, row.seq, made, Outcome(Status.RUNNING))
        memory = Memory(
            mine, "tifa", self.room.id, MemoryKind.MESSAGE, (Part(said),), made, self.spoken, self.ana.id, "Ana"
        )
        await journal.open_turn(running, epoch, Connection(self.ana, self.room), (memory,))
        said_back = (Part(answer, provenance=self.replied),)
        outcome = Outcome(Status.REPLIED, Reply(said_back, inbound.message.id))
        ended = _record(self, turn, row.seq, made, outcome, parts=tuple(self.shown[-35:]), memories=memories)
        memory = Memory(
            reply, "tifa", self.room.id, MemoryKind.MESSAGE, said_back, made, self.replied, "", "Tifa", True, turn
        )
        post = _post(self, turn, said_back, inbound.message.id)
        await journal.complete(ended, epoch, (memory,), new, (post,))
        steps = tuple([StepRecord(name, made, 1.25, value) for name, value in _values(said_back)])
        ran = tuple(
            [Ran("compose/1", f"hook{n}.provide", "carrier-context-standard", n / 7, "answered") for n in range(24)]
        )
        ran += tuple([Ran("generate/1", f"generate{n}", "carrier", 4.5, "answered", answer) for n in range(2)])
        whole = msgspec.structs.replace(ended, duration_ms=12.5, steps=steps, ran=ran)
        sent = msgspec.structs.replace(post, state=Sending.SENT, at=made, native=f"n{number}")
        await journal.finish(whole, epoch, (), (sent,))
        self.known += [mine, reply]
        self.written += len(said.encode()) + len(answer.encode())


def _record(talk, turn, seq, made, outcome, **given):
    return TurnRecord(turn, "tifa", talk.room.id, talk.ana.id, "local", (seq,), made, outcome, seed=5, **given)


def _post(talk, turn, content, reply_to):
    part = ReplyPart(make_id("post", turn), turn, "tifa", talk.room, content, "local", 0, reply_to)
    return Outgoing(part, Sending.SENDING, 1, 0.0, 5e9)


def _values(content):
    completion = msgspec.Raw(encode(Completion(content, provider="scripted", model="scripted")))
    names = ("open", "decide", "compose/1", "generate/1", "evaluate/1", "settle")
    return [(name, completion if name == "generate/1" else msgspec.Raw(b"null")) for name in names]


async def test_a_default_turn_makes_fourcommits(store):
    talk = Talk(0)
    epoch = await store.journal.claim_room("tifa", talk.room.id, "me", LEASE)
    before = commits(store)
    for number in range(10):
        await talk.turn(store, epoch, number)
    assert commits(store) - before == 40


async def test_the_database_grows_by_at_most_6_kb_a_turn_beside_the_text(tmp_path):
    store = SqliteStore()
    await store.open(tmp_path)
    talks = [Talk(number) for number in range(8)]
    sizes = []
    for first in (0, 60):
        for talk in talks:
            epoch = await store.journal.claim_room("tifa", talk.room.id, "me", LEASE)
            for number in range(first, first + 60):
                await talk.turn(store, epoch, number)
        await store.close()
        sizes.append((tmp_path / "carrier.db").stat().st_size - sum(talk.written for talk in talks))
        await store.open(tmp_path)
    await store.close()
    assert (sizes[1] - sizes[0]) / (60 * len(talks)) <= 6_000


async def test_what_is_to_be_done_is_found_by_indexes_alone(store):
    """So a start does not take longer the more there is to remember."""
    reads = [(queries("inbound")["ready"], ()), (queries("inbound")["waiting"], (1,)), (queries("turns")["work"], (1,))]
    reads += [
        (queries("outbox")["work"], (1,)),
        (queries("turns")["parked"], ()),
        (queries("schedules")["due"], (1.0, 9)),
    ]
    for sql, values in reads:
        plan = [row[3] for row in store._database.rows(f"EXPLAIN QUERY PLAN {sql}", values)]
        scans = [line for line in plan if line.startswith("SCAN") and "INDEX" not in line]
        assert [scan for scan in scans if scan.split()[1] not in ("parkings", "(subquery-2)", "(join-5)")] == [], plan
