"""A person who is forgotten is in no byte of the files, and whoever is left is not touched."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import (
    AGENT,
    Audience,
    Charge,
    Connection,
    Entity,
    Hold,
    Inbound,
    Intent,
    Memory,
    MemoryKind,
    Outcome,
    Outgoing,
    Parking,
    Part,
    Provenance,
    Ran,
    Reply,
    Room,
    RoomKind,
    Schedule,
    Sending,
    Settlement,
    Status,
    StoredPart,
    Unavailable,
    Usage,
    encode,
    inflate,
    make_id,
    person,
)
from carrier_memory_sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio

LEASE = 60.0
CAROL = Entity.of("local", "carol-native", name="Carolinalastname", username="carolusername")
DAVE = Entity.of("local", "dave", name="Davidlastname")
DM = Room.of("local", "dm-of-carolinanative", name="Carolinalastname")
GROUP = Room.of("local", "group", kind=RoomKind.GROUP)
WORDS = ("xylophonist", "quetzalcoatl", "zymurgy")
TRACES = (CAROL.id, "Carolinalastname", "carolusername", "carol-native", "dm-of-carolinanative", *WORDS)
HERS = Provenance((AGENT, person(CAROL.id)), Audience((GROUP.id,)))

_replace = msgspec.structs.replace


def said(key, text, entity, room, provenance=None):
    provenance = provenance or Provenance((person(entity.id),), Audience((room.id,)))
    return Memory(key, "tifa", room.id, MemoryKind.MESSAGE, (Part(text),), 1.0, provenance, entity.id, entity.name)


async def talk(store, scene, room, entity, number, words, *, heard=""):
    """A whole turn: what the person said is repeated in every place where a turn keeps something."""
    journal = store.journal
    inbound = Inbound.say(room, entity, f"{words} {number}", event=f"{room.native}/{number}", at=1.0)
    row = await journal.append_inbound("tifa", room.id, inbound.dedupe_key, encode(inbound))
    epoch = await journal.claim_room("tifa", room.id, "me", LEASE)
    turn = scene.turn(f"{room.id}/{number}", (row.seq,), room=room.id, person=entity.id)
    memory = said(make_id("said", turn.id), f"{words} {number}", entity, room)
    await journal.open_turn(turn, epoch, Connection(entity, room), (memory,))
    theirs = HERS if heard else Provenance((AGENT, person(entity.id)), Audience((room.id,)))
    parts = [StoredPart(make_id("part", turn.id), Part(f"{words} {number}", "message", memory.provenance))]
    if heard:
        parts.append(StoredPart(make_id("heard", turn.id), Part(heard, "recent_messages", HERS)))
    await journal.record_steps(turn, epoch, (scene.step("act/1/0", f"{words} {heard}"),), tuple(parts))
    content = (Part(f"You said {words} {heard}", provenance=theirs),)
    post = Outgoing(_replace(scene.post(turn), room=room, content=content), Sending.WAITING)
    reply = said(make_id("reply", turn.id), f"You said {words} {heard}", entity, room, theirs)
    step = msgspec.Raw(encode(Reply(content)))
    whole = _replace(
        turn,
        outcome=Outcome(Status.REPLIED, Reply(content)),
        steps=(_replace(scene.step("settle"), value=step), scene.step("decide", "fine")),
        ran=(Ran("generate/1", "generate", "x", 1.0, "answered", f"{words} {heard}"),),
        parts=tuple(part.digest for part in parts),
        memories=(memory.id, reply.id),
    )
    await journal.complete(whole, epoch, (reply,), (), (post,))
    await journal.finish(whole, epoch, (), (_replace(post, state=Sending.SENT, native="n"),))
    return whole


@pytest.fixture
async def lived(store, scene):
    """A store in which Carol and Dave have been for a while: enough for several segments of the index, and for edits."""
    journal, memory = store.journal, store.memory
    for number in range(40):
        await talk(store, scene, DM, CAROL, number, f"{WORDS[0]} {WORDS[1]}{number}")
        await talk(store, scene, GROUP, DAVE, 2 * number, "good weather")
        await memory.recall(scene.query("weather", room=GROUP.id))
    await talk(store, scene, GROUP, CAROL, 1001, WORDS[2])
    kept = await talk(store, scene, GROUP, DAVE, 1002, "fine weather", heard=f"somebody spoke of {WORDS[2]}")
    facts = [
        Memory(make_id("fact", str(n)), "tifa", DM.id, MemoryKind.FACT, (Part(f"likes {WORDS[n]}"),), 2.0, provenance)
        for n, provenance in enumerate(
            (
                Provenance((person(CAROL.id),), Audience((), (CAROL.id,))),
                Provenance(("operator", person(CAROL.id)), Audience((), (CAROL.id, DAVE.id))),
            )
        )
    ]
    await memory.put(tuple(facts))
    await memory.put((_replace(facts[0], content=(Part(f"loves {WORDS[0]}"),)),))
    given = await memory.unembedded("test/2", limit=500)
    await memory.embed("test/2", tuple((each.id, (1.0, 0.5)) for each in given))
    await journal.schedule(Schedule("s1", "tifa", DM, CAROL, WORDS[0], "every 1h", 50.0))
    await journal.schedule(Schedule("s2", "tifa", GROUP, DAVE, "the weather", "every 1h", 60.0))
    charges = tuple(
        Charge(scope, "2027-01", 9_000)
        for scope in (("person", "tifa", CAROL.id), ("use", "tifa", CAROL.id, "test", "large"))
    )
    await journal.settle((Settlement("c1", charges, Usage(70, 7)),))
    await journal.hold(Hold("c2", charges, Usage(90), 1.0))
    epoch = await journal.claim_room("tifa", DM.id, "me", LEASE)
    waits, acts = (scene.turn(name, room=DM.id, person=CAROL.id) for name in ("waits", "acts"))
    for turn in (waits, acts):
        await journal.open_turn(turn, epoch, Connection(CAROL, DM), ())
    await journal.park(waits, epoch, Parking(waits.id, "tifa", DM.id, "ask/1", 5.0, f"{WORDS[0]}?"))
    await journal.begin_step(acts, epoch, Intent("k", acts.id, "tifa", DM.id, "act/1/0", 1.0, 2.0, f"Play {WORDS[0]}"))
    return kept


def traces(folder):
    found = {}
    for file in folder.iterdir():
        content = file.read_bytes()
        found |= {(file.name, trace): True for trace in TRACES if trace.encode() in content}
    return found


async def test_no_byte_of_the_files_tells_of_a_forgotten_person(store, scene, lived, tmp_path):
    assert traces(tmp_path / "state")
    gone = await store.forget_person(CAROL.id)
    assert traces(tmp_path / "state") == {}
    assert {sort for sort, number in gone.items() if number} == {
        *(
            "turns",
            "inbound",
            "outbox",
            "parts",
            "memories",
            "vectors",
            "schedules",
            "entities",
            "participants",
            "intents",
            "counters",
            "holds",
        )
    }
    exported = [entry async for batch in store.export() for entry in batch]
    assert [trace for trace in TRACES if trace in repr(exported)] == []
    await store.close()
    assert traces(tmp_path / "state") == {}


async def test_not_even_what_was_deflated_is_left(store, scene, lived, tmp_path):
    """Records are deflated, so that no word of them can be found in the file: what is looked for here is their bytes."""
    query = "SELECT {} FROM {}"
    columns = (("payload", "memories"), ("part", "parts"), ("payload", "outbox"), ("record", "traces"))
    before = [blob for column, table in columns for (blob,) in store._database.rows(query.format(column, table))]
    await store.forget_person(CAROL.id)
    after = {blob for column, table in columns for (blob,) in store._database.rows(query.format(column, table))}
    content = (tmp_path / "state" / "carrier.db").read_bytes()
    gone = [blob for blob in before if blob not in after and b"xylo" in inflate(blob)]
    assert len(gone) > 100
    pieces = [blob[start : start + 24] for blob in gone for start in range(len(blob) // 3, len(blob) - 24, 12)]
    kept = b"".join(after)
    assert [piece for piece in pieces if piece in content and piece not in kept] == []


async def test_nobody_finds_a_forgotten_person_and_everybody_else_is_there(store, scene, lived):
    memory, journal = store.memory, store.journal
    await memory.history("tifa", GROUP.id, limit=99)
    await memory.participants(GROUP.id)
    await store.forget_person(CAROL.id)
    assert await memory.participants(GROUP.id) == (DAVE,)
    assert await memory.participants(DM.id) == ()
    assert await memory.history("tifa", DM.id, limit=99) == ()
    assert len(await memory.history("tifa", GROUP.id, limit=99)) == 81
    for word in WORDS:
        assert await memory.recall(scene.query(word, room="", readers=scene.readers(GROUP.id))) == ()
    found = await memory.recall(scene.query("weather", room=GROUP.id, readers=scene.readers(GROUP.id)))
    assert found
    assert [schedule.id for schedule in await journal.schedules()] == ["s2"]
    assert await journal.parked() == ()
    kept = await journal.turn(lived.id)
    assert (kept.person, kept.outcome) == (DAVE.id, Outcome(Status.REPLIED))
    assert [step.name for step in kept.steps] == ["decide"]
    assert [ran.contributed for ran in kept.ran] == [""]
    assert {turn.person for turn in await journal.turns(limit=500)} == {DAVE.id}
    untouched = await journal.turn(make_id("turn", f"{GROUP.id}/0"))
    assert untouched.outcome.reply.text.startswith("You said good weather")
    event = Inbound.say(DM, CAROL, "x", event=f"{DM.native}/0", at=1.0).dedupe_key
    assert (await journal.append_inbound("tifa", DM.id, event, b"{}")).is_new is False
    assert not any((await store.forget_person(CAROL.id)).values())


async def test_whoever_comes_back_is_new(store, scene, lived):
    await store.forget_person(CAROL.id)
    await talk(store, scene, DM, CAROL, 5000, "hello again")
    assert await store.memory.participants(DM.id) == (CAROL,)
    found = await store.memory.recall(scene.query("again", room=DM.id, readers=scene.readers(DM.id)))
    assert {each.memory.text for each in found} == {"hello again 5000", "You said hello again "}


async def test_rooms_go_on_while_somebody_is_forgotten(store, scene, lived):
    import anyio

    async with anyio.create_task_group() as group:
        group.start_soon(store.forget_person, CAROL.id)
        for number in range(20):
            await talk(store, scene, GROUP, DAVE, 7000 + number, "sunny")
    assert len(await store.memory.history("tifa", GROUP.id, limit=500)) == 121


async def test_a_program_that_reads_along_is_named_as_what_keeps_the_log(tmp_path, scene):
    from carrier_memory_sqlite.settings import Settings

    store, reader = SqliteStore(Settings(busy_seconds=0)), SqliteStore()
    await store.open(tmp_path)
    await talk(store, scene, DM, CAROL, 1, WORDS[0])
    await reader.open_read_only(tmp_path)
    archive = reader.export()
    await anext(archive)
    with pytest.raises(Unavailable, match=r"has locked .*carrier\.db.*Close"):
        await store.forget_person(CAROL.id)
    await archive.aclose()
    await store.forget_person(CAROL.id)
    assert traces(tmp_path) == {}
    await reader.close()
    await store.close()
