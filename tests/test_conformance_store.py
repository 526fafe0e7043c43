"""The laws of stores beside those of their journals: the store in memory keeps them, and for each there is one that does not."""

from __future__ import annotations

import anyio.lowlevel
import msgspec
import pytest

from carrier_core import Intent, MemoryKind, Part, Place, Readers, Recalled, Retention
from carrier_core.testing import InMemoryStore, StoreConformance
from carrier_core.testing.database import TABLES
from carrier_core.testing.journal import InMemoryJournal
from carrier_core.testing.memory import InMemoryMemory
from carrier_core.testing.suites.archive import ArchiveLaws
from carrier_core.testing.suites.memory import MemoryLaws
from tests.trial import Trials, laws, stores


class TestInMemoryStore(StoreConformance):
    @pytest.fixture
    def make_store(self):
        return stores()


class OfMemories(MemoryLaws):
    @pytest.fixture
    def make_store(self):
        return stores()


class OfArchives(ArchiveLaws):
    @pytest.fixture
    def make_store(self):
        return stores()


OWN = {name: value for name, value in vars(StoreConformance).items() if not name.startswith("__")}
OfStores = type("OfStores", (), OWN | {"make_store": vars(OfMemories)["make_store"]})  # without the laws of the others
TRIALS = Trials(OfMemories, OfArchives, OfStores)


def breaks(law):
    """Marks what breaks a law, of whichever suite it is."""
    return TRIALS.breaks_store(next(suite for suite in TRIALS.broken if law in laws(suite)), law)


# --- memory ---


@breaks("test_memories_come_back_in_the_order_asked_for")
class OwnOrder(InMemoryMemory):
    async def get(self, ids):
        return tuple(memory for key, memory in self.database.memories.items() if key in ids)


@breaks("test_a_memory_comes_back_whole")
class Tidying(InMemoryMemory):
    def store(self, memories):
        super().store(
            msgspec.structs.replace(
                memory, content=tuple(msgspec.structs.replace(p, text=p.text.strip()) for p in memory.content)
            )
            for memory in memories
        )


@breaks("test_a_megabyte_is_stored")
class Short(InMemoryMemory):
    def store(self, memories):
        super().store(msgspec.structs.replace(memory, content=(Part(memory.text[:65_536]),)) for memory in memories)


@breaks("test_memories_put_at_one_time_are_all_there")
class LostUpdate(InMemoryMemory):
    async def put(self, memories):
        known = dict(self.database.memories)
        await anyio.lowlevel.checkpoint()
        self.database.memories = known
        self.store(memories)


@breaks("test_a_known_id_replaces_the_older_everywhere")
class FirstWins(InMemoryMemory):
    def store(self, memories):
        super().store(memory for memory in memories if memory.id not in self.database.memories)


class Indexed(InMemoryMemory):
    """Recalls from an index that nothing leaves."""

    def __init__(self):
        super().__init__()
        self.index = {}

    def store(self, memories):
        memories = tuple(memories)
        super().store(memories)
        self.index.update({memory.id: memory for memory in memories})


@breaks("test_what_is_forgotten_is_nowhere")
class NeverForgets(Indexed):
    async def recall(self, query):
        kept, self.database.memories = self.database.memories, self.index
        try:
            return await super().recall(query)
        finally:
            self.database.memories = kept


@breaks("test_history_is_the_last_messages_the_oldest_first")
class FirstMessages(InMemoryMemory):
    async def history(self, agent, room, *, limit, before=None):
        return (await super().history(agent, room, limit=1000, before=before))[:limit]


@breaks("test_messages_of_one_moment_stay_in_order")
class Shuffling(InMemoryMemory):
    async def history(self, agent, room, *, limit, before=None):
        found = await super().history(agent, room, limit=limit, before=before)
        return tuple(sorted(found, key=lambda memory: (memory.at, memory.id)))


@breaks("test_list_gives_what_fits_the_newest_first")
class OldestFirst(InMemoryMemory):
    async def list(self, *, agent="", room="", entity="", kind=None, limit=50):
        return (await super().list(agent=agent, room=room, entity=entity, kind=kind, limit=limit))[::-1]


@breaks("test_what_is_noted_is_found_by_its_kind")
class AnybodysGoals(InMemoryMemory):
    async def of_kind(self, agent, kind, *, room="", entity="", limit=50):
        return await super().of_kind("", kind, room=room, entity=entity, limit=limit)


@breaks("test_what_was_said_in_the_room_is_recalled")
class ShortMemory(InMemoryMemory):
    async def recall(self, query):
        recent = {memory.id for memory in [*self.database.memories.values()][-10:]}
        return tuple(found for found in await super().recall(query) if found.memory.id in recent)


@breaks("test_recall_gives_the_best_first")
class WorstFirst(InMemoryMemory):
    async def recall(self, query):
        return (await super().recall(query))[::-1]


@breaks("test_recall_keeps_to_what_the_query_says")
class IgnoresExclusions(InMemoryMemory):
    async def recall(self, query):
        return await super().recall(msgspec.structs.replace(query, exclude=()))


@breaks("test_no_query_is_read_as_more_than_words")
class Parsing(InMemoryMemory):
    async def recall(self, query):
        if query.text.count("(") != query.text.count(")"):
            raise ValueError("unbalanced")
        return await super().recall(query)


@breaks("test_a_vector_finds_nothing_outside_of_its_audience")
class VectorsForAll(InMemoryMemory):
    async def recall(self, query):
        found = await super().recall(query)
        near = [self.database.memories[key] for model, key in self.database.vectors if model == query.model]
        return found or tuple(Recalled(memory, 1.0) for memory in near if query.vector)


@breaks("test_a_newcomer_is_told_once")
class AlwaysNew(InMemoryMemory):
    def join(self, agent, connection):
        super().join(agent, connection)
        return True


@breaks("test_names_are_kept_up_to_date")
class OldNames(InMemoryMemory):
    def join(self, agent, connection):
        known = self.database.entities.get(connection.entity.id, connection.entity)
        return super().join(agent, msgspec.structs.replace(connection, entity=known))


@breaks("test_rooms_are_known_by_id_and_by_agent")
class EverybodysRooms(InMemoryMemory):
    async def rooms(self, *, agent=""):
        return await super().rooms()


@breaks("test_readers_are_listed_where_they_can_be")
class ListsGroups(InMemoryMemory):
    async def readers(self, room):
        people = tuple(self._people(room.id))
        return Readers(room.id, people or None, (room.id,))


@breaks("test_it_has_a_name_and_says_how_it_is")
class Mute(InMemoryStore):
    async def health(self):
        return ""


@breaks("test_all_is_there_when_it_is_opened_again")
class Volatile(InMemoryStore):
    async def close(self):
        await super().close()
        self.__init__()


@breaks("test_a_folder_that_is_in_use_is_refused")
class Shared(InMemoryStore):
    async def open(self, folder):
        self._open = True


@breaks("test_reading_what_is_not_there_is_refused")
class Making(InMemoryStore):
    async def open_read_only(self, folder):
        folder.mkdir()


@breaks("test_nothing_is_recalled_outside_of_its_audience")
class Indiscreet(InMemoryMemory):
    async def recall(self, query):
        found = await super().recall(query)
        if query.readers.persons is None or len(query.readers.persons) < 2:
            return found
        everyone = [memory for memory in self.database.memories.values() if memory.agent == query.agent]
        return tuple(Recalled(memory, 1.0) for memory in everyone if memory.kind is MemoryKind.FACT) or found


@breaks("test_any_sequence_of_calls_is_kept")
class Deaf(InMemoryJournal):
    async def deliver(self, agent, room, epoch, outbox):
        """Forgets how far a delivery was."""


# --- the archive ---


@breaks("test_an_archive_holds_everything")
class Forgetting(InMemoryStore):
    async def export(self, agent=""):
        async for batch in super().export(agent):
            if not isinstance(batch[0], Intent):
                yield batch


@breaks("test_an_archive_is_taken_over_whole")
class CountsAnew(InMemoryStore):
    async def restore(self, entries):
        places = sum(isinstance(entry, Place) for entry in entries)
        return places + await super().restore(tuple(entry for entry in entries if not isinstance(entry, Place)))


@breaks("test_restoring_leaves_what_is_there")
class PutsBack(InMemoryStore):
    async def restore(self, entries):
        for entry in entries:
            name, key, _ = TABLES[type(entry)]
            getattr(self._memory.database, name).pop(key(entry), None)
        return await super().restore(entries)


@breaks("test_the_archive_of_an_agent_is_its_own")
class Indiscriminate(InMemoryStore):
    async def export(self, agent=""):
        async for batch in super().export():
            yield batch


# --- letting go ---


@breaks("test_a_forgotten_person_leaves_no_trace")
class Remembering(InMemoryStore):
    async def forget_person(self, entity):
        parts = dict(self._memory.database.parts)
        removed = await super().forget_person(entity)
        self._memory.database.parts.update(parts)
        return removed


@breaks("test_memories_are_kept_as_the_rules_say")
class OldestKept(InMemoryStore):
    async def expire(self, agent, rules, now, *, limit=500):
        return await super().expire(agent, tuple(Retention(rule.kind, rule.days) for rule in rules), now, limit=limit)


@breaks("test_turns_are_kept_as_the_rules_say")
class Sweeping(InMemoryStore):
    async def expire(self, agent, rules, now, *, limit=500):
        turns = self._memory.database.turns
        turns.update({key: msgspec.structs.replace(turn, state="finished") for key, turn in turns.items()})
        return await super().expire(agent, rules, now, limit=limit)


TestLaws = TRIALS.tests()
