"""The conformance suites: a good implementation passes every law, and for each law there is a broken one that fails it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import msgspec
import pytest

from carrier_core import (
    OPERATOR,
    Action,
    ActionCall,
    ActionResult,
    Carry,
    Completion,
    Context,
    Effect,
    Finish,
    MemoryKind,
    NotDone,
    NotSent,
    Part,
    Prompt,
    Provenance,
    Readers,
    Recalled,
    Receipt,
    State,
    Store,
    Usage,
    decode,
    encode,
    person,
)
from carrier_core.testing import (
    ActionConformance,
    ClientConformance,
    ContextConformance,
    EchoProvider,
    FakeClient,
    InMemoryStore,
    ProviderConformance,
    StoreConformance,
)
from carrier_core.testing.journal import InMemoryJournal
from carrier_core.testing.memory import InMemoryMemory
from carrier_core.testing.provider import echo
from carrier_core.testing.suites.provider import NOTHING, WEATHER, asked

# --- the good ones -------------------------------------------------------------------------------------------------


def parrot(prompt: Prompt) -> str | Completion:
    """Calls both tools when it is asked about the weather, else repeats what was said."""
    last = prompt.messages[-1]
    if last.role != "user" or "weather" not in last.text or WEATHER not in prompt.tools:
        return echo(prompt)
    made = sum(len(message.calls) for message in prompt.messages)
    calls = (
        ActionCall(f"call-{made + 1}", "get_weather", {"city": "Porto"}),
        ActionCall(f"call-{made + 2}", "wait", {}),
    )
    return Completion((), calls, Finish.CALLS, Usage(9, 3), "echo", "echo")


class Unready(EchoProvider):
    def missing(self) -> str:
        return "No key is set. Set ECHO_KEY."

    async def generate(self, prompt, model, emit):
        raise carrier_error(self.missing())


def carrier_error(message: str) -> Exception:
    from carrier_core import ProviderError

    return ProviderError(message, reason="auth")


class Greet(Action):
    """Greets somebody."""

    name = "greet"
    description = "Greet somebody by name."
    effect = Effect.READ
    parameters = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }

    async def perform(self, turn, call):
        if [*call.arguments] != ["name"] or not isinstance(call.arguments["name"], str):
            return ActionResult("greet takes a name, which is a text.", ok=False)
        await anyio.lowlevel.checkpoint()
        return ActionResult(f"{call.arguments['name']} was greeted.")


class Weather(Context):
    """The weather, and a rule about it."""

    name = "weather"

    async def provide(self, turn):
        await anyio.lowlevel.checkpoint()
        rule = Part("Mention the weather if it is bad.", key="weather_rule", stable=True)
        said = Part(f"It rained when {turn.person.name} spoke.", key="weather", provenance=turn.spoken)
        return State((rule, said))


class OfProviders(ProviderConformance):
    echoes = True

    @pytest.fixture
    def provider(self):
        return EchoProvider(parrot)

    @pytest.fixture
    def failing(self):
        return EchoProvider(lambda prompt: carrier_error("There is no such key."))

    @pytest.fixture
    def unready(self):
        return Unready()

    @pytest.fixture
    def calling(self):
        return asked("What is the weather?", tools=(WEATHER, NOTHING))


class OfStores(StoreConformance):
    @pytest.fixture
    def make_store(self):
        return stores()


class OfClients(ClientConformance):
    patience = 0.5  # seconds that only a broken client takes

    @pytest.fixture
    def client(self):
        return FakeClient()

    @pytest.fixture
    def broken(self):
        client = FakeClient()
        client.fail(NotDone("The platform is away."))
        return client

    async def arrive(self, client, text):
        await client.say("r1", "Ana", text)


class OfActions(ActionConformance):
    @pytest.fixture
    def action(self):
        return Greet()

    @pytest.fixture
    def arguments(self):
        return {"name": "Ana"}


class OfContext(ContextConformance):
    @pytest.fixture
    def context(self):
        return Weather()


class TestEchoProvider(OfProviders):
    pass


class TestInMemoryStore(OfStores):
    pass


class TestFakeClient(OfClients):
    pass


class TestAction(OfActions):
    pass


class TestContext(OfContext):
    pass


# --- the broken ones: by law, in place of the law's first fixture -----------------------------------------------------

BROKEN: dict[type, dict[str, Callable[[], object]]] = {}


def breaks(suite: type, law: str):
    """Marks what makes an implementation that breaks a law."""

    def mark(make: Callable[[], object]) -> Callable[[], object]:
        laws = BROKEN.setdefault(suite, {})
        assert law not in laws
        laws[law] = make
        return make

    return mark


async def swallow() -> None:
    """What no plugin may do."""
    try:
        await anyio.sleep_forever()
    except BaseException:
        pass


# providers


@breaks(OfProviders, "test_it_has_a_name_and_a_model_of_its_own")
class SlashProvider(EchoProvider):
    name = "echo/large"


@breaks(OfProviders, "test_it_says_what_is_missing_the_same_every_time")
class MoodyProvider(EchoProvider):
    def missing(self):
        self.asked_before = not getattr(self, "asked_before", False)
        return "" if self.asked_before else "I do not feel like it."


@breaks(OfProviders, "test_what_is_missing_is_a_sentence_and_no_answer")
class ReadyAfterAll(EchoProvider):
    def missing(self):
        return "No key is set. Set ECHO_KEY."


class Altering(EchoProvider):
    """Answers, but not quite."""

    def __init__(self):
        super().__init__(parrot)

    def altered(self, completion):
        raise NotImplementedError

    async def generate(self, prompt, model, emit):
        return self.altered(await super().generate(prompt, model, emit))


@breaks(OfProviders, "test_a_completion_names_provider_and_model")
class Anonymous(Altering):
    def altered(self, completion):
        return msgspec.structs.replace(completion, provider="")


@breaks(OfProviders, "test_usage_is_counted")
class Free(Altering):
    def altered(self, completion):
        return msgspec.structs.replace(completion, usage=Usage())


@breaks(OfProviders, "test_the_pieces_make_the_text")
class Laconic(Altering):
    def altered(self, completion):
        return msgspec.structs.replace(completion, parts=(Part(completion.text + " (the end)"),))


@breaks(OfProviders, "test_every_form_of_prompt_is_answered")
class NeedsSystem(EchoProvider):
    async def generate(self, prompt, model, emit):
        assert prompt.messages[0].role == "system"
        return await super().generate(prompt, model, emit)


@breaks(OfProviders, "test_the_prompt_stays_as_it_was")
class Meddling(EchoProvider):
    async def generate(self, prompt, model, emit):
        for tool in prompt.tools:
            tool.parameters["strict"] = True
        return await super().generate(prompt, model, emit)


@breaks(OfProviders, "test_what_it_wants_carried_is_its_own_and_can_be_recorded")
class Smuggling(Altering):
    def altered(self, completion):
        return msgspec.structs.replace(completion, carry=Carry("another", {"id": 1}))


@breaks(OfProviders, "test_calls_have_ids_of_their_own_and_json_arguments")
class OneId(Altering):
    def altered(self, completion):
        calls = tuple(msgspec.structs.replace(call, id="call") for call in completion.calls)
        return msgspec.structs.replace(completion, calls=calls)


@breaks(OfProviders, "test_calls_at_one_time_do_not_mix")
class Forgetful(EchoProvider):
    async def generate(self, prompt, model, emit):
        self.latest = prompt
        await anyio.lowlevel.checkpoint()
        return await super().generate(self.latest, model, emit)


@breaks(OfProviders, "test_a_cancellation_passes_through")
class Stubborn(EchoProvider):
    async def generate(self, prompt, model, emit):
        await swallow()
        return Completion((Part("Still here."),))


@breaks(OfProviders, "test_a_failure_is_a_provider_error")
def raw_error() -> EchoProvider:
    return EchoProvider(lambda prompt: ConnectionError("reset by peer"))


# stores


def stores(journal=InMemoryJournal, memory=InMemoryMemory, store=InMemoryStore) -> Callable[[], Store]:
    """Makes a store of these classes: the same each time, so that opening it again is a restart."""
    one = store()
    one._memory = one.memory = memory()
    one._journal = one.journal = journal(one._memory)
    return lambda: one


def breaks_store(law: str):
    """Marks the class of a store, journal or memory that breaks a law."""

    def mark(cls: type) -> type:
        kind = next(
            name
            for name, base in (("journal", InMemoryJournal), ("memory", InMemoryMemory), ("store", InMemoryStore))
            if issubclass(cls, base)
        )
        breaks(OfStores, law)(partial(stores, **{kind: cls}))
        return cls

    return mark


@breaks_store("test_an_event_is_appended_once")
class Repeating(InMemoryJournal):
    async def append_inbound(self, agent, room, dedupe_key, payload):
        return await super().append_inbound(agent, room, f"{dedupe_key}/{payload}/{len(self._keys)}", payload)


@breaks_store("test_every_agent_hears_the_same_event")
class OneEar(InMemoryJournal):
    async def append_inbound(self, agent, room, dedupe_key, payload):
        return await super().append_inbound("", room, dedupe_key, payload)


@breaks_store("test_numbers_follow_the_order_of_arrival")
class Racing(InMemoryJournal):
    async def append_inbound(self, agent, room, dedupe_key, payload):
        for _ in range(40 - int(payload or b"0")):
            await anyio.lowlevel.checkpoint()
        return await super().append_inbound(agent, room, dedupe_key, payload)


@breaks_store("test_a_payload_comes_back_byte_for_byte")
class TextOnly(InMemoryJournal):
    async def append_inbound(self, agent, room, dedupe_key, payload):
        return await super().append_inbound(agent, room, dedupe_key, payload.decode(errors="replace").encode())


@breaks_store("test_a_room_is_ready_until_its_rows_are_taken")
class AlwaysReady(InMemoryJournal):
    async def ready(self):
        return tuple(self._places)


@breaks_store("test_every_claim_has_a_higher_epoch")
class OneEpoch(InMemoryJournal):
    async def claim_room(self, agent, room, owner):
        return 1


@breaks_store("test_a_stale_epoch_writes_nothing")
class Unfenced(InMemoryJournal):
    def _claimed(self, turn, epoch):
        return self._place(turn.agent, turn.room)


@breaks_store("test_a_turn_is_opened_once")
class OpensAgain(InMemoryJournal):
    async def open_turn(self, turn, epoch, connection, memories):
        self._turns.pop(turn.id, None)
        return await super().open_turn(turn, epoch, connection, memories)


@breaks_store("test_a_turn_ends_with_all_that_it_brings")
class Careless(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        await super().complete(turn, epoch, (), parts, outbox)


@breaks_store("test_a_turn_ends_whole_or_not_at_all")
class Piecemeal(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        for memory in memories:
            encode(memory)
            self._memory.store((memory,))
        await super().complete(turn, epoch, memories, parts, outbox)


@breaks_store("test_completing_again_changes_nothing")
class EndsAgain(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        self._unfinished[turn.id] = None
        await super().complete(turn, epoch, memories, parts, outbox)


@breaks_store("test_finishing_adds_the_trace_and_what_was_learned")
class LearnsNothing(InMemoryJournal):
    async def finish(self, turn, epoch, memories, receipts):
        await super().finish(turn, epoch, (), receipts)


@breaks_store("test_a_record_comes_back_whole")
class Reading(InMemoryJournal):
    async def turn(self, turn):
        found = await super().turn(turn)
        return found and msgspec.structs.replace(found, steps=found.steps[1:])


@breaks_store("test_a_turn_is_found_by_a_unique_beginning")
class Guessing(InMemoryJournal):
    async def turn(self, turn):
        return next((decode(record, object) for key, record in self._turns.items() if key.startswith(turn)), None)


@breaks_store("test_turns_are_listed_the_newest_first")
class OldestTurnFirst(InMemoryJournal):
    async def turns(self, *, agent="", room="", limit=20):
        return (await super().turns(agent=agent, room=room, limit=limit))[::-1]


@breaks_store("test_a_part_is_stored_once_under_its_hash")
class Overwriting(InMemoryJournal):
    async def complete(self, turn, epoch, memories, parts, outbox):
        for part in parts:
            self._parts.pop(part.digest, None)
        await super().complete(turn, epoch, memories, parts, outbox)


@breaks_store("test_memories_come_back_in_the_order_asked_for")
class OwnOrder(InMemoryMemory):
    async def get(self, ids):
        return tuple(memory for key, memory in self.memories.items() if key in ids)


@breaks_store("test_a_memory_comes_back_whole")
class Tidying(InMemoryMemory):
    def store(self, memories):
        super().store(
            msgspec.structs.replace(
                memory, content=tuple(msgspec.structs.replace(p, text=p.text.strip()) for p in memory.content)
            )
            for memory in memories
        )


@breaks_store("test_a_megabyte_is_stored")
class Short(InMemoryMemory):
    def store(self, memories):
        super().store(msgspec.structs.replace(memory, content=(Part(memory.text[:65_536]),)) for memory in memories)


@breaks_store("test_memories_put_at_one_time_are_all_there")
class LostUpdate(InMemoryMemory):
    async def put(self, memories):
        known = dict(self.memories)
        await anyio.lowlevel.checkpoint()
        self.memories = known
        self.store(memories)


@breaks_store("test_a_known_id_replaces_the_older_everywhere")
class FirstWins(InMemoryMemory):
    def store(self, memories):
        super().store(memory for memory in memories if memory.id not in self.memories)


class Indexed(InMemoryMemory):
    """Recalls from an index that nothing leaves."""

    def __init__(self):
        super().__init__()
        self.index = {}

    def store(self, memories):
        memories = tuple(memories)
        super().store(memories)
        self.index.update({memory.id: memory for memory in memories})


@breaks_store("test_what_is_forgotten_is_nowhere")
class NeverForgets(Indexed):
    async def recall(self, query):
        kept, self.memories = self.memories, self.index
        try:
            return await super().recall(query)
        finally:
            self.memories = kept


@breaks_store("test_history_is_the_last_messages_the_oldest_first")
class FirstMessages(InMemoryMemory):
    async def history(self, agent, room, *, limit, before=None):
        return (await super().history(agent, room, limit=1000, before=before))[:limit]


@breaks_store("test_messages_of_one_moment_stay_in_order")
class Shuffling(InMemoryMemory):
    async def history(self, agent, room, *, limit, before=None):
        found = await super().history(agent, room, limit=limit, before=before)
        return tuple(sorted(found, key=lambda memory: (memory.at, memory.id)))


@breaks_store("test_list_gives_what_fits_the_newest_first")
class OldestFirst(InMemoryMemory):
    async def list(self, *, agent="", room="", entity="", kind=None, limit=50):
        return (await super().list(agent=agent, room=room, entity=entity, kind=kind, limit=limit))[::-1]


@breaks_store("test_what_was_said_in_the_room_is_recalled")
class ShortMemory(InMemoryMemory):
    async def recall(self, query):
        recent = {memory.id for memory in [*self.memories.values()][-10:]}
        return tuple(found for found in await super().recall(query) if found.memory.id in recent)


@breaks_store("test_recall_gives_the_best_first")
class WorstFirst(InMemoryMemory):
    async def recall(self, query):
        return (await super().recall(query))[::-1]


@breaks_store("test_recall_keeps_to_what_the_query_says")
class IgnoresExclusions(InMemoryMemory):
    async def recall(self, query):
        return await super().recall(msgspec.structs.replace(query, exclude=()))


@breaks_store("test_no_query_is_read_as_more_than_words")
class Parsing(InMemoryMemory):
    async def recall(self, query):
        if query.text.count("(") != query.text.count(")"):
            raise ValueError("unbalanced")
        return await super().recall(query)


@breaks_store("test_a_vector_finds_nothing_outside_of_its_audience")
class VectorsForAll(InMemoryMemory):
    async def recall(self, query):
        found = await super().recall(query)
        near = [self.memories[key] for key in self._vectors.get(query.model, {})]
        return found or tuple(Recalled(memory, 1.0) for memory in near if query.vector)


@breaks_store("test_a_newcomer_is_told_once")
class AlwaysNew(InMemoryMemory):
    def join(self, agent, connection):
        super().join(agent, connection)
        return True


@breaks_store("test_names_are_kept_up_to_date")
class OldNames(InMemoryMemory):
    def join(self, agent, connection):
        known = self._entities.get(connection.entity.id, connection.entity)
        return super().join(agent, msgspec.structs.replace(connection, entity=known))


@breaks_store("test_rooms_are_known_by_id_and_by_agent")
class EverybodysRooms(InMemoryMemory):
    async def rooms(self, *, agent=""):
        return await super().rooms()


@breaks_store("test_readers_are_listed_where_they_can_be")
class ListsGroups(InMemoryMemory):
    async def readers(self, room):
        people = tuple(sorted(self._participants.get(room.id, ())))
        return Readers(room.id, people or None, (room.id,))


@breaks_store("test_it_has_a_name_and_says_how_it_is")
class Mute(InMemoryStore):
    async def health(self):
        return ""


@breaks_store("test_all_is_there_when_it_is_opened_again")
class Volatile(InMemoryStore):
    async def close(self):
        await super().close()
        self.__init__()


@breaks_store("test_a_folder_that_is_in_use_is_refused")
class Shared(InMemoryStore):
    async def open(self, folder):
        self._open = True


@breaks_store("test_reading_what_is_not_there_is_refused")
class Making(InMemoryStore):
    async def open_read_only(self, folder):
        folder.mkdir()


@breaks_store("test_nothing_is_recalled_outside_of_its_audience")
class Indiscreet(InMemoryMemory):
    async def recall(self, query):
        found = await super().recall(query)
        if query.readers.persons is None or len(query.readers.persons) < 2:
            return found
        everyone = [memory for memory in self.memories.values() if memory.agent == query.agent]
        return tuple(Recalled(memory, 1.0) for memory in everyone if memory.kind is MemoryKind.FACT) or found


# clients


@breaks(OfClients, "test_it_has_a_name_and_a_platform")
def nowhere() -> FakeClient:
    return FakeClient(platform="")


@breaks(OfClients, "test_splitting_is_pure")
class Counting(FakeClient):
    count = 0

    def split(self, reply):
        self.count += 1
        return (*super().split(reply), (Part(f"({self.count})"),))


@breaks(OfClients, "test_splitting_loses_nothing")
class Cutting(FakeClient):
    def split(self, reply):
        return tuple((msgspec.structs.replace(part, text=part.text[:2000]),) for part in reply.parts)


@breaks(OfClients, "test_it_tells_once_that_it_started")
class Eager(FakeClient):
    async def run(self, host, started):
        started()
        await super().run(host, started)


@breaks(OfClients, "test_it_ends_when_it_is_cancelled")
class Immortal(FakeClient):
    async def run(self, host, started):
        started()
        await swallow()


@breaks(OfClients, "test_what_comes_in_has_its_platforms_ids")
class Possessive(FakeClient):
    async def hand_over(self, *inbounds):
        mine = [
            msgspec.structs.replace(inbound, room=msgspec.structs.replace(inbound.room, id=f"{self.name}/r1"))
            for inbound in inbounds
        ]
        return await super().hand_over(*mine)


@breaks(OfClients, "test_a_text_arrives_as_it_was_written")
class Ascii(FakeClient):
    async def say(self, room, person, text, **given):
        return await super().say(room, person, text.encode("ascii", "replace").decode(), **given)


@breaks(OfClients, "test_two_messages_are_two_events")
class ByContent(FakeClient):
    async def say(self, room, person, text, **given):
        return await super().say(room, person, text, event=f"hash of {text}")


@breaks(OfClients, "test_a_delivery_is_receipted")
class WrongReceipt(FakeClient):
    async def send(self, part):
        return Receipt("another")


@breaks(OfClients, "test_what_was_delivered_is_not_denied")
class Denying(FakeClient):
    async def find(self, part):
        return NotSent()


@breaks(OfClients, "test_drafts_and_typing_are_harmless")
class Fragile(FakeClient):
    async def draft(self, room, turn, attempt, text):
        if self.drafts and self.drafts[-1].attempt > attempt:
            raise KeyError(turn)
        await super().draft(room, turn, attempt, text)


@breaks(OfClients, "test_what_cannot_be_delivered_is_told_as_such")
def raw_failure() -> FakeClient:
    client = FakeClient()
    client.fail(OSError("no route to host"))
    return client


# actions


@breaks(OfActions, "test_its_name_can_be_a_tools_name")
class SpacedName(Greet):
    name = "greet somebody"


@breaks(OfActions, "test_it_says_what_it_does")
class Undescribed(Greet):
    description = "greet"


@breaks(OfActions, "test_its_parameters_are_a_schema_of_an_object")
class Required(Greet):
    parameters = {"type": "object", "properties": {}, "required": ["name"]}


@breaks(OfActions, "test_its_effect_is_declared")
class NoEffect(Greet):
    effect = Effect.UNKNOWN


@breaks(OfActions, "test_validate_says_yes_or_no")
class Maybe(Greet):
    async def validate(self, turn):
        return "maybe"


@breaks(OfActions, "test_performing_gives_a_result")
class Wordy(Greet):
    async def perform(self, turn, call):
        return "greeted"


@breaks(OfActions, "test_wrong_arguments_are_told")
class Trusting(Greet):
    async def perform(self, turn, call):
        return ActionResult(f"{call.arguments['name'].title()} was greeted.")


@breaks(OfActions, "test_arguments_stay_as_they_were")
class Consuming(Greet):
    async def perform(self, turn, call):
        return ActionResult(f"{call.arguments.pop('name')} was greeted.")


@breaks(OfActions, "test_it_does_not_speak_for_the_operator")
class Presumptuous(Greet):
    async def perform(self, turn, call):
        return ActionResult("greeted", provenance=call.provenance)


@breaks(OfActions, "test_a_cancellation_passes_through")
class Endless(Greet):
    async def perform(self, turn, call):
        await swallow()
        return ActionResult("greeted")


# context


def brings(*parts: Part) -> State:
    return State(parts)


@breaks(OfContext, "test_it_has_a_name")
class Nameless(Weather):
    name = ""


@breaks(OfContext, "test_it_answers_in_every_turn")
class FirstWord(Weather):
    async def provide(self, turn):
        return brings(Part(turn.message.content[0].text.split()[0], key="first"))


@breaks(OfContext, "test_its_parts_have_keys")
class Keyless(Weather):
    async def provide(self, turn):
        return brings(Part("It rains."))


@breaks(OfContext, "test_its_text_can_be_stored")
class Binary(Weather):
    async def provide(self, turn):
        return brings(Part("It\x00rains.", key="weather"))


@breaks(OfContext, "test_one_turn_has_one_state")
class Ticking(Weather):
    count = 0

    async def provide(self, turn):
        self.count += 1
        return brings(Part(f"It rained {self.count} times.", key="weather"))


@breaks(OfContext, "test_what_is_stable_is_the_same_in_every_turn_of_a_room")
class Unstable(Weather):
    async def provide(self, turn):
        return brings(Part(f"It rained at {turn.now}.", key="weather", stable=True))


@breaks(OfContext, "test_its_size_is_bounded")
class Everything(Weather):
    async def provide(self, turn):
        return brings(*(Part(memory.text, key="all") for memory in await turn.history(100_000)))


@breaks(OfContext, "test_it_does_not_speak_for_the_operator")
class Commanding(Weather):
    async def provide(self, turn):
        return brings(Part("Obey.", key="weather", provenance=Provenance((OPERATOR,))))


@breaks(OfContext, "test_its_labels_hold")
class Impersonating(Weather):
    async def provide(self, turn):
        return brings(Part("It rains.", key="weather", provenance=Provenance((person("of no turn"),))))


@breaks(OfContext, "test_a_cancellation_passes_through")
class Unstoppable(Weather):
    async def provide(self, turn):
        await swallow()


# --- the laws are tried ------------------------------------------------------------------------------------------------

SUITES = (OfProviders, OfStores, OfClients, OfActions, OfContext)


def laws(suite: type) -> list[str]:
    return [name for name in dir(suite) if name.startswith("test_")]


EVERY_LAW = [(suite, law) for suite in SUITES for law in laws(suite)]
each_law = pytest.mark.parametrize(
    ("suite", "law"), EVERY_LAW, ids=[f"{suite.__name__}-{law.removeprefix('test_')}" for suite, law in EVERY_LAW]
)


def attempt(suite: type, law: str, given: dict[str, object]) -> None:
    """Run a law with these in place of its suite's fixtures."""
    function = getattr(suite(), law)
    wanted = [*inspect.signature(function).parameters]
    fixtures = {name: given[name] for name in wanted if name != "store"}
    if not inspect.iscoroutinefunction(function):
        function(**fixtures)
        return

    async def run() -> None:
        if "store" not in wanted:
            await function(**fixtures)
            return
        fixtures["store"] = store = given["make_store"]()
        await store.open(given["folder"])
        try:
            await function(**fixtures)
        finally:
            await store.close()

    anyio.run(run)


def good(suite: type, folder: Path) -> dict[str, object]:
    """What the good suites' fixtures give."""
    made = {"tmp_path": folder, "folder": folder / "state"}
    for name in (
        "provider",
        "failing",
        "unready",
        "calling",
        "make_store",
        "client",
        "broken",
        "action",
        "arguments",
        "context",
    ):
        definition = inspect.getattr_static(suite, name, None)
        if definition is not None:
            made[name] = definition.__wrapped__(suite())
    return made


def first_fixture(suite: type, law: str) -> str:
    wanted = next(name for name in inspect.signature(getattr(suite, law)).parameters if name != "self")
    return "make_store" if wanted == "store" else wanted


def test_no_law_lacks_an_implementation_that_breaks_it():
    assert {suite: sorted(BROKEN[suite]) for suite in SUITES} == {suite: sorted(laws(suite)) for suite in SUITES}


@each_law
def test_a_law_is_stated(suite, law):
    assert len((getattr(suite, law).__doc__ or "").split()) > 6


@each_law
def test_a_good_implementation_keeps_the_law(suite, law, tmp_path):
    attempt(suite, law, good(suite, tmp_path))


@each_law
def test_a_broken_implementation_fails_the_law(suite, law, tmp_path):
    given = good(suite, tmp_path)
    given[first_fixture(suite, law)] = BROKEN[suite][law]()
    try:
        attempt(suite, law, given)
    except pytest.skip.Exception:
        raise AssertionError("the law was skipped") from None
    except (Exception, pytest.fail.Exception, BaseExceptionGroup):
        return
    raise AssertionError("the broken implementation passed")
