"""The conformance suites: a good implementation passes every law, and for each law there is a broken one that fails it.

Those of stores are in ``test_conformance_journal.py`` and ``test_conformance_store.py``.
"""

from __future__ import annotations

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
    NotDone,
    NotSent,
    Part,
    Prompt,
    Provenance,
    Receipt,
    State,
    Usage,
    person,
)
from carrier_core.testing import (
    ActionConformance,
    ClientConformance,
    ContextConformance,
    EchoProvider,
    FakeClient,
    ProviderConformance,
)
from carrier_core.testing.provider import echo
from carrier_core.testing.suites.provider import NOTHING, WEATHER, asked
from tests.trial import Trials, swallow

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


class TestFakeClient(OfClients):
    pass


class TestAction(OfActions):
    pass


class TestContext(OfContext):
    pass


# --- the broken ones: by law, in place of the law's first fixture -----------------------------------------------------

TRIALS = Trials(OfProviders, OfClients, OfActions, OfContext)
breaks = TRIALS.breaks


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
    def check(self, arguments):
        return "" if isinstance(arguments.get("name"), str) else "There is no name."


@breaks(OfActions, "test_where_it_goes_is_among_its_arguments")
class Misleading(Greet):
    destination = ("name", "address")


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


TestLaws = TRIALS.tests()
