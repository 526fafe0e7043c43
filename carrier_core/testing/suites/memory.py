"""What every memory keeps."""

from __future__ import annotations

import anyio
import msgspec
import pytest

from carrier_core import (
    EVERYONE,
    Attachment,
    Audience,
    Memory,
    MemoryKind,
    Part,
    PartKind,
    Query,
    Readers,
    Store,
    World,
)
from carrier_core.testing.suites.scene import AGENT_NAME, ANA, BEA, GROUP, OTHER, ROOM, Scene

SYNTAX = (
    "", " ", '"', "'", "*", "(", ")", "lighthouse*", '"lighthouse', "lighthouse AND", "NOT", "NEAR(lighthouse, 5)", "a OR",
    "text:lighthouse", "^lighthouse", "-lighthouse", "+", "{lighthouse}", "%", "_", "\\", "'; DROP TABLE memories; --", "$1",
    ":name", "?", "\N{WATER WAVE}", "\u202e", "word " * 2_000,
)  # fmt: skip
"""What people write that some query languages read as more than words."""


class MemoryLaws:
    """The laws of the memory; a part of ``StoreConformance``."""

    # --- storing ---

    @pytest.mark.anyio
    async def test_memories_come_back_in_the_order_asked_for(self, store: Store) -> None:
        """``get`` gives the memories in the order of the ids, and leaves out those that are not there."""
        scene = Scene()
        said = tuple(scene.memory(str(number)) for number in range(3))
        await store.memory.put(said)
        assert await store.memory.get((said[2].id, "gone", said[0].id)) == (said[2], said[0])

    @pytest.mark.anyio
    async def test_a_memory_comes_back_whole(self, store: Store) -> None:
        """Every field of a memory, its parts and its provenance comes back as it was, whatever script it is in."""
        scene = Scene()
        file = Attachment("image/jpeg", "ola.jpg", "https://example.org/ola.jpg", 12, "abcd")
        content = (
            Part("olá 🌊 👩‍🚀 שלום 你好 \u202eabc\u202c e\u0301 \u00a0 \ufffd"),
            Part("he said", kind=PartKind.QUOTE, name="Bea", at=2.5),
            Part(kind=PartKind.ATTACHMENT, attachment=file),
            Part("line\n\tbreak  "),
        )
        audience = Audience((ROOM.id, OTHER.id), (ANA.id, BEA.id))
        memory = msgspec.structs.replace(
            scene.memory("", audience=audience, kind=MemoryKind.DOCUMENT),
            content=content,
            turn="t1",
            reply_to="m0",
            at=1_767_261_600.123,
        )
        await store.memory.put((memory,))
        assert await store.memory.get((memory.id,)) == (memory,)

    @pytest.mark.anyio
    async def test_a_megabyte_is_stored(self, store: Store) -> None:
        """A memory of a megabyte is stored, given back, and found."""
        long = Scene().memory("lighthouse " + "🌊 wave " * 100_000)
        await store.memory.put((long,))
        assert await store.memory.get((long.id,)) == (long,)
        assert await self._recalled(store, Scene().query("lighthouse")) == {long.id}

    @pytest.mark.anyio
    async def test_memories_put_at_one_time_are_all_there(self, store: Store) -> None:
        """Nothing is lost when many are put at one time."""
        scene = Scene()
        said = [scene.memory(str(number)) for number in range(30)]
        async with anyio.create_task_group() as group:
            for memory in said:
                group.start_soon(store.memory.put, (memory,))
        assert len(await store.memory.get(tuple(memory.id for memory in said))) == 30

    @pytest.mark.anyio
    async def test_a_known_id_replaces_the_older_everywhere(self, store: Store) -> None:
        """Putting a memory again replaces it in every index: its old words are not found, nor is it in its old room."""
        scene = Scene()
        old = scene.memory("I live in Porto.", key="k")
        await store.memory.put((old, scene.memory("after")))
        assert await self._recalled(store, scene.query("Porto")) == {old.id}
        new = msgspec.structs.replace(old, content=(Part("I moved to Faro."),))
        await store.memory.put((new,))
        assert await self._recalled(store, scene.query("Porto")) == set()
        assert await self._recalled(store, scene.query("Faro")) == {old.id}
        history = await store.memory.history(AGENT_NAME, ROOM.id, limit=9)
        assert [memory.text for memory in history] == [new.text, "after"]
        moved = msgspec.structs.replace(
            new, room=OTHER.id, provenance=msgspec.structs.replace(new.provenance, audience=Audience((OTHER.id,)))
        )
        await store.memory.put((moved,))
        assert await self._recalled(store, scene.query("Faro")) == set()
        assert old.id not in {memory.id for memory in await store.memory.history(AGENT_NAME, ROOM.id, limit=9)}
        assert await store.memory.get((old.id,)) == (moved,)

    @pytest.mark.anyio
    async def test_what_is_forgotten_is_nowhere(self, store: Store) -> None:
        """A memory that is forgotten is in no list, history or recall; ``forget`` counts those that there were."""
        scene = Scene()
        said = tuple(scene.memory(f"lighthouse {number}") for number in range(3))
        await store.memory.put(said)
        assert len(await self._recalled(store, scene.query("lighthouse"))) == 3
        await store.memory.history(AGENT_NAME, ROOM.id, limit=9)
        assert await store.memory.forget((said[0].id, said[1].id, "unknown")) == 2
        kept = {said[2].id}
        assert await self._recalled(store, scene.query("lighthouse")) == kept
        assert {memory.id for memory in await store.memory.history(AGENT_NAME, ROOM.id, limit=9)} == kept
        assert {memory.id for memory in await store.memory.list()} == kept
        assert await store.memory.get((said[0].id, said[1].id)) == ()
        assert await store.memory.forget((said[0].id,)) == 0

    # --- reading ---

    @pytest.mark.anyio
    async def test_history_is_the_last_messages_the_oldest_first(self, store: Store) -> None:
        """History is what was said in one room to one agent, no other kind of memory: the last of it, in order."""
        scene = Scene()
        said = [scene.memory(f"message {number}") for number in range(10)]
        for memory in said:
            await store.memory.put((memory,))
        beside = (
            scene.memory("elsewhere", room=OTHER),
            scene.memory("a fact", kind=MemoryKind.FACT),
            scene.memory("to another", agent="wren"),
        )
        await store.memory.put(beside)
        history = store.memory.history
        assert await history(AGENT_NAME, ROOM.id, limit=3) == tuple(said[-3:])
        assert await history(AGENT_NAME, ROOM.id, limit=100) == tuple(said)
        assert await history(AGENT_NAME, ROOM.id, limit=3, before=said[4].at) == tuple(said[1:4])
        assert await history(AGENT_NAME, ROOM.id, limit=0) == ()
        assert await history(AGENT_NAME, "nowhere", limit=3) == ()

    @pytest.mark.anyio
    async def test_messages_of_one_moment_stay_in_order(self, store: Store) -> None:
        """Messages of one moment are in the order in which they came; one that comes late stands where it was said."""
        scene = Scene()
        said = [scene.memory(str(number), at=50.0) for number in range(5)]
        for memory in said:
            await store.memory.put((memory,))
        await store.memory.history(AGENT_NAME, ROOM.id, limit=9)
        late = scene.memory("late", at=10.0)
        await store.memory.put((late,))
        assert await store.memory.history(AGENT_NAME, ROOM.id, limit=9) == (late, *said)

    @pytest.mark.anyio
    async def test_list_gives_what_fits_the_newest_first(self, store: Store) -> None:
        """``list`` narrows by agent, room, entity and kind, and gives the newest first, up to the limit."""
        scene = Scene()
        one, two = scene.memory("one"), scene.memory("two", entity=BEA)
        three, four = scene.memory("three", kind=MemoryKind.FACT, room=OTHER), scene.memory("four", agent="wren")
        await store.memory.put((one, two, three, four))
        found = store.memory.list
        assert await found() == (four, three, two, one)
        assert await found(limit=1) == (four,)
        assert await found(agent=AGENT_NAME) == (three, two, one)
        assert await found(agent=AGENT_NAME, room=ROOM.id) == (two, one)
        assert await found(entity=BEA.id) == (two,)
        assert await found(kind=MemoryKind.FACT) == (three,)

    @pytest.mark.anyio
    async def test_what_is_noted_is_found_by_its_kind(self, store: Store) -> None:
        """``of_kind`` gives one agent's memories of a kind, of a room or of a person, the newest first, up to the limit, with
        what they say in a form that a program can read; what was replaced is gone."""
        scene, goal = Scene(), MemoryKind.GOAL
        data = {"status": "open", "steps": [{"text": "pack", "done": False}]}
        old = msgspec.structs.replace(scene.memory("pack", kind=goal), data=data)
        about = scene.memory("about Bea", kind=goal, entity=BEA)
        there = scene.memory("elsewhere", kind=goal, room=OTHER)
        rest = (scene.memory("a fact", kind=MemoryKind.FACT), scene.memory("theirs", kind=goal, agent="wren"))
        await store.memory.put((scene.memory("said"), old, about, there, *rest))
        new = msgspec.structs.replace(old, data={**data, "status": "done"})
        await store.memory.put((new,))
        found = store.memory.of_kind
        assert await found(AGENT_NAME, goal) == (there, about, new)
        assert await found(AGENT_NAME, goal, limit=2) == (there, about)
        assert await found(AGENT_NAME, goal, room=ROOM.id) == (about, new)
        assert await found(AGENT_NAME, goal, entity=BEA.id) == (about,)
        assert await found(AGENT_NAME, goal, room=OTHER.id, entity=BEA.id) == ()
        await store.memory.forget((about.id,))
        assert await found(AGENT_NAME, goal, entity=BEA.id) == ()

    # --- recall ---

    @pytest.mark.anyio
    async def test_what_was_said_in_the_room_is_recalled(self, store: Store) -> None:
        """What was said in a room long ago is found among much else by the words that it shares with the query."""
        scene = Scene()
        wanted = scene.memory("I live near the lighthouse in Porto.")
        others = tuple(scene.memory(f"We talked about topic number {number}.") for number in range(60))
        await store.memory.put((wanted, *others))
        found = await store.memory.recall(scene.query("Which lighthouse do I live near?"))
        assert found, "nothing was recalled"
        assert found[0].memory == wanted

    @pytest.mark.anyio
    async def test_recall_gives_the_best_first(self, store: Store) -> None:
        """Scores do not rise from one memory to the next, and what says more of the query comes before what says less."""
        scene = Scene()
        more = scene.memory("The white lighthouse has a green door.")
        less = scene.memory("A green bottle stood on the table.")
        await store.memory.put((less, more, *(scene.memory(f"Topic {number}.") for number in range(20))))
        found = await store.memory.recall(scene.query("white lighthouse green door"))
        assert [recalled.score for recalled in found] == sorted((each.score for each in found), reverse=True)
        assert found[0].memory.id == more.id

    @pytest.mark.anyio
    async def test_recall_keeps_to_what_the_query_says(self, store: Store) -> None:
        """Agent, room, kinds, exclusions, limit and threshold of a query hold. The room limits messages only."""
        scene = Scene()
        said = scene.memory("The lighthouse is white.")
        there = scene.memory("The lighthouse is far.", room=OTHER)
        fact = scene.memory("Ana painted the lighthouse.", kind=MemoryKind.FACT)
        known = scene.memory("A lighthouse is a tower.", kind=MemoryKind.DOCUMENT, audience=EVERYONE, room=OTHER)
        strange = scene.memory("My lighthouse is red.", agent="wren")
        await store.memory.put((said, there, fact, known, strange))
        both = Readers(ROOM.id, (ANA.id,), (ROOM.id, OTHER.id))
        query, recalled = scene.query, self._recalled
        assert await recalled(store, query("lighthouse", readers=both)) == {said.id, fact.id, known.id}
        everywhere = query("lighthouse", room="", readers=both)
        assert await recalled(store, everywhere) == {said.id, there.id, fact.id, known.id}
        assert await recalled(store, query("lighthouse", kinds=(MemoryKind.FACT,))) == {fact.id}
        assert await recalled(store, query("lighthouse", exclude=(said.id, known.id))) == {fact.id}
        assert len(await recalled(store, query("lighthouse", limit=2))) == 2
        assert await recalled(store, query("lighthouse", limit=0)) == set()
        assert await recalled(store, query("lighthouse", threshold=1e9)) == set()
        assert await recalled(store, query("lighthouse", agent="wren")) == {strange.id}

    @pytest.mark.anyio
    async def test_no_query_is_read_as_more_than_words(self, store: Store) -> None:
        """Signs that mean something in a query language are harmless: recall answers, with what there is or nothing."""
        scene = Scene()
        said = scene.memory("The lighthouse is white.")
        await store.memory.put((said,))
        for text in SYNTAX:
            found = await store.memory.recall(scene.query(text))
            assert {recalled.memory.id for recalled in found} <= {said.id}, repr(text)
        assert await self._recalled(store, scene.query("white (lighthouse")) == {said.id}
        assert await store.memory.get((said.id,)) == (said,)

    @pytest.mark.anyio
    async def test_a_vector_finds_nothing_outside_of_its_audience(self, store: Store) -> None:
        """A store that keeps vectors finds by them what shares no word with the query: of that embedder, as long as it is
        neither edited nor forgotten, and only where every reader may know it."""
        scene, model = Scene(), "test/8"
        said = scene.memory("My automobile is scarlet.")
        secret = scene.memory("My van is blue.", audience=Audience((ROOM.id,), (BEA.id,)), kind=MemoryKind.FACT)
        there = scene.memory("My lorry is green.", room=OTHER)
        await store.memory.put((said, secret, there))
        waiting = await store.memory.unembedded(model, limit=9)
        if not waiting:
            return  # it keeps none
        assert {memory.id for memory in waiting} == {said.id, secret.id, there.id}
        vector = (1.0, -0.5, 0.25, 1.0, 0.5, -1.0, 0.125, 1.0)
        await store.memory.embed(model, tuple((memory.id, vector) for memory in waiting))
        assert await store.memory.unembedded(model, limit=9) == ()
        ana = Readers(ROOM.id, (ANA.id,), (ROOM.id,))
        query = msgspec.structs.replace(scene.query("Which car?", room="", readers=ana), vector=vector, model=model)
        assert await self._recalled(store, query) == {said.id}
        assert await self._recalled(store, msgspec.structs.replace(query, model="other/8")) == set()
        await store.memory.put((msgspec.structs.replace(said, content=(Part("I sold it."),)),))
        assert [memory.id for memory in await store.memory.unembedded(model, limit=9)] == [said.id]
        assert await self._recalled(store, query) == set()
        await store.memory.embed(model, ((said.id, vector),))
        await store.memory.forget((said.id,))
        assert await self._recalled(store, query) == set()

    # --- people and rooms ---

    @pytest.mark.anyio
    async def test_a_newcomer_is_told_once(self, store: Store) -> None:
        """``connect`` tells whether an entity is new in a room; those who were seen there are its participants."""
        memory, scene = store.memory, Scene()
        assert await memory.connect(AGENT_NAME, scene.connection()) is True
        assert await memory.connect(AGENT_NAME, scene.connection()) is False
        assert await memory.connect(AGENT_NAME, scene.connection(BEA)) is True
        assert await memory.connect(AGENT_NAME, scene.connection(room=OTHER)) is True
        assert {entity.id for entity in await memory.participants(ROOM.id)} == {ANA.id, BEA.id}
        assert await memory.participants("nowhere") == ()

    @pytest.mark.anyio
    async def test_names_are_kept_up_to_date(self, store: Store) -> None:
        """Who is known already gets the newer name, in every room."""
        memory, scene = store.memory, Scene()
        world = World.of("fake", "home", name="Home")
        await memory.connect(AGENT_NAME, msgspec.structs.replace(scene.connection(), world=world))
        await memory.connect(AGENT_NAME, scene.connection(room=OTHER))
        renamed = msgspec.structs.replace(ANA, name="Ana Maria", username="ana_m")
        await memory.connect(AGENT_NAME, scene.connection(renamed, OTHER))
        assert await memory.participants(ROOM.id) == (renamed,)
        assert await memory.participants(OTHER.id) == (renamed,)

    @pytest.mark.anyio
    async def test_rooms_are_known_by_id_and_by_agent(self, store: Store) -> None:
        """A room that somebody was seen in is known by its id, and is one of the agent's."""
        memory, scene = store.memory, Scene()
        await memory.connect(AGENT_NAME, scene.connection())
        await memory.connect("wren", scene.connection(room=GROUP))
        assert await memory.room(GROUP.id) == GROUP
        assert await memory.room("nowhere") is None
        assert {room.id for room in await memory.rooms()} == {ROOM.id, GROUP.id}
        assert await memory.rooms(agent="wren") == (GROUP,)
        assert await memory.rooms(agent="nobody") == ()

    @pytest.mark.anyio
    async def test_readers_are_listed_where_they_can_be(self, store: Store) -> None:
        """Persons are listed only in a direct room where somebody is known to be, with the rooms that all of them share."""
        memory, scene = store.memory, Scene()
        assert await memory.readers(ROOM) == Readers(ROOM.id)
        for room in (ROOM, OTHER, GROUP):
            await memory.connect(AGENT_NAME, scene.connection(room=room))
        readers = await memory.readers(ROOM)
        assert readers.persons == (ANA.id,)
        assert {*readers.rooms} == {ROOM.id, OTHER.id, GROUP.id}
        assert (await memory.readers(GROUP)).persons is None, "a group may have silent readers"
        await memory.connect(AGENT_NAME, scene.connection(BEA))
        readers = await memory.readers(ROOM)
        assert {*(readers.persons or ())} == {ANA.id, BEA.id}
        assert {*readers.rooms} == {ROOM.id}, "only the rooms that both are in"

    async def _recalled(self, store: Store, query: Query) -> set[str]:
        found: list[Memory] = [recalled.memory for recalled in await store.memory.recall(query)]
        return {memory.id for memory in found}
