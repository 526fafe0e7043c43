"""What people told is found when they ask for it, among sixty other messages and things that look like it: on real databases."""

from __future__ import annotations

import random
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from carrier_core import (
    AGENT,
    Audience,
    Connection,
    Entity,
    Memory,
    MemoryKind,
    Part,
    Provenance,
    Query,
    Readers,
    Room,
    Store,
    make_id,
    person,
)
from tests.faults.server import Server

pytestmark = pytest.mark.anyio

ANA = Entity.of("local", "ana", name="Ana")
BEA = Entity.of("local", "bea", name="Bea")
HERE = Room.of("local", "here")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL of these tests' own."""
    server = Server()
    yield server
    server.end()


@pytest.fixture(params=["sqlite", "postgres"])
def closed(request: pytest.FixtureRequest) -> Store:
    """A store on a new database."""
    if request.param == "sqlite":
        return pytest.importorskip("carrier_memory_sqlite.store").SqliteStore()
    url = request.getfixturevalue("server").make()
    settings = pytest.importorskip("carrier_memory_postgres.settings").Settings(url=url)
    return pytest.importorskip("carrier_memory_postgres.store").PostgresStore(settings)


@pytest.fixture
async def store(closed: Store, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    await closed.open(tmp_path / "state")
    yield closed
    await closed.close()


class Case(NamedTuple):
    """A room: what was told in it first, all that was said, and what is asked in the end."""

    room: Room
    said: Memory
    conversation: tuple[Memory, ...]
    questions: tuple[str, ...]


def line(room: Room, number: int, text: str) -> Memory:
    """A message, said by Ana, by Bea or by the agent, as the beginning of the line says."""
    speaker, by_agent = ANA, False
    if text.startswith("> "):
        text, by_agent = text[2:], True
    elif text.startswith("Bea: "):
        text, speaker = text[5:], BEA
    return Memory(
        make_id("line", room.id, str(number)),
        "tifa",
        room.id,
        MemoryKind.MESSAGE,
        (Part(text),),
        1_000_000.0 + number,
        Provenance((AGENT if by_agent else person(speaker.id),), Audience((room.id,))),
        entity="" if by_agent else speaker.id,
        name="Tifa" if by_agent else speaker.name,
        by_agent=by_agent,
    )


# Facts that answer the same question are not told in one room.
RIVALS = (
    ("live", "moved", "grew"),
    ("work", "job"),
    ("old", "seven"),
    ("name", "called", "named"),
    ("cat", "parrot"),
    ("band", "cello"),
    ("food", "vegetarian"),
)


def rivals(one: str, other: str) -> bool:
    return any(any(word in one for word in group) and any(word in other for word in group) for group in RIVALS)


def cases() -> list[Case]:
    """One room for each fact of ``facts.toml``: told first; then decoys, other facts and chatter, some sixty messages."""
    data = tomllib.loads((Path(__file__).parent / "facts.toml").read_text("utf-8"))
    made = []
    for number, fact in enumerate(data["fact"]):
        shuffler = random.Random(number)
        room = Room.of("local", f"room-{number}")
        others = [other["said"] for other in data["fact"] if other is not fact]
        others = [other for other in others if not rivals(other, fact["said"])]
        rest = [*data["chatter"], *fact["decoys"], *shuffler.sample(others, 8)]
        shuffler.shuffle(rest)
        conversation = tuple(line(room, at, text) for at, text in enumerate([fact["said"], *rest]))
        made.append(Case(room, conversation[0], conversation, tuple(fact["asked"])))
    return made


async def ranks(store) -> dict[str, int]:
    """The rank of the fact for every question; 99 where it is not among the first five."""
    found: dict[str, int] = {}
    for case in cases():
        for entity in (ANA, BEA):
            await store.memory.connect("tifa", Connection(entity, case.room))
        await store.memory.put(case.conversation)
        readers = await store.memory.readers(case.room)
        for question in case.questions:
            query = Query("tifa", question, room=case.room.id, readers=readers, speaker=ANA.id)
            ids = [result.memory.id for result in await store.memory.recall(query)]
            found[f"{question} <- {case.said.text}"] = ids.index(case.said.id) + 1 if case.said.id in ids else 99
    return found


async def test_facts_are_recalled(store):
    found = await ranks(store)
    first = sum(rank == 1 for rank in found.values()) / len(found)
    print(f"\n{len(found)} questions about {len(cases())} facts: recall@1 {first:.2f}")
    assert len(cases()) >= 30
    assert min(len(case.conversation) for case in cases()) >= 60
    assert {question: rank for question, rank in found.items() if rank > 3} == {}
    assert first >= 0.8


async def test_where_ana_lives_comes_first(store):
    found = await ranks(store)
    assert found["Where do I live? <- My name is Ana and I live in Porto."] == 1
    assert found["What is my name? <- My name is Ana and I live in Porto."] == 1


async def said(store, *texts: str) -> None:
    for number, text in enumerate(texts):
        await store.memory.put((line(HERE, number, text),))


async def asked(store, text: str, **given: object) -> list[str]:
    values = {"room": HERE.id, "speaker": ANA.id, "readers": Readers(HERE.id)} | given
    return [result.memory.text for result in await store.memory.recall(Query("tifa", text, **values))]


async def test_a_question_ranks_below_any_statement(store):
    await said(store, "Where do I live?", "I live in Porto.", "Where do I live?", "tell me where I live")
    assert (await asked(store, "Where do I live?"))[0] == "I live in Porto."


async def test_what_the_agent_said_ranks_below_what_people_said(store):
    await said(store, "I live in Porto.", "> You live in Porto, and I live in your computer.")
    assert (await asked(store, "Where do I live?"))[0] == "I live in Porto."
    assert (await asked(store, "Where do you live?"))[0].startswith("You live")


async def test_the_one_who_asks_is_preferred_to_others(store):
    await said(store, "I live in Porto.", "Bea: I live in Oslo.")
    assert (await asked(store, "Where do I live?", speaker=ANA.id))[0] == "I live in Porto."
    assert (await asked(store, "Where do I live?", speaker=BEA.id))[0] == "I live in Oslo."


async def test_somebody_who_is_named_is_preferred(store):
    await store.memory.connect("tifa", Connection(ANA, HERE))
    await store.memory.connect("tifa", Connection(BEA, HERE))
    await said(store, "Bea: I live in Oslo.", "I live in Porto.", "My cousin lives in Rome.")
    assert (await asked(store, "Where does Bea live?"))[0] == "I live in Oslo."


async def test_the_newer_of_equals_comes_first(store):
    await said(store, "I live in Porto.", "I live in Faro.")
    assert (await asked(store, "Where do I live?"))[0] == "I live in Faro."


async def test_an_answer_that_does_not_repeat_the_question_is_found_by_it(store):
    await said(store, "Hello.", "> Hello! Which city do you live in?", "Porto.", "> Lovely.")
    assert "Porto." in (await asked(store, "Which city do I live in?"))[:2]


@pytest.mark.parametrize(
    "text",
    [
        'he said "lighthouse" AND (OR NOT NEAR/2) -x *y ^z {a b}: c',
        "lighthouse\0NUL",
        "lighthouse 🏠🔥👨‍👩‍👧",
        "text:lighthouse scope:1",
        "lighthouse'; DROP TABLE memories; --",
        "lighthouse " * 50_000,
        "light_house lighthouse e-mail",
        "\u202elighthouse\u200f \ud800 ½ ² ⅷ ๏ ﷺ ㍿",
    ],
)
async def test_whatever_a_person_writes_can_be_asked_for_and_stored(store, text):
    await said(store, "The lighthouse is white.")
    assert "The lighthouse is white." in await asked(store, text)
    text = text.replace("\ud800", "").replace("\0", " ")  # as the host repairs it
    await store.memory.put((line(HERE, 2, text),))
    assert len(await asked(store, "lighthouse")) == 2


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("私は東京に住んでいます。", "東京"),
        ("私は東京に住んでいます。", "京"),
        ("我妹妹叫小梅。", "妹妹叫什么？"),
        ("저는 서울에 살아요.", "서울"),
        ("ฉันอยู่ที่กรุงเทพ", "กรุงเทพ"),
        ("Я живу в Москве.", "москве"),
        ("मैं दिल्ली में रहता हूँ", "दिल्ली"),
        ("أنا أسكن في القاهرة", "القاهرة"),
        ("Moro em São João.", "sao joao"),
    ],
)
async def test_other_scripts_are_found(store, text, query):
    await said(store, "An English sentence.", text)
    assert await asked(store, query) == [text]
