"""What turns may spend, and what they are told where they may not: budgets, rate limits and long prompts in a host."""

from __future__ import annotations

import re
from collections.abc import Callable

import anyio
import anyio.lowlevel
import msgspec
import pytest

from carrier_core import (
    OPERATOR,
    Completion,
    Entity,
    InboundKind,
    Outcome,
    Part,
    Prompt,
    PromptMessage,
    ProviderError,
    Turn,
    Usage,
    impl,
)
from carrier_core.cli.why import lines
from carrier_core.desk import Desk
from carrier_core.settings import load
from carrier_core.testing import Clock, EchoProvider, HostUnderTest, running_host

pytestmark = pytest.mark.anyio

PRICED = '[models."paid/big"]\ninput = 1.0\noutput = 1.0\n[models."paid/little"]\ninput = 0.01\noutput = 0.01\n'
MODELS = '[agents.robin.models]\nlarge = "paid/big"\nsmall = "paid/little"\n'


class Paid(EchoProvider):
    """A provider that is not free. An answer costs what its usage says: 1,000 tokens each way."""

    name = "paid"
    models = {"large": "big", "small": "little"}
    last_resort = free = False

    def __init__(self, *answers: object) -> None:
        super().__init__()
        self.asked_for: list[str] = []
        self.then(*answers)

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        self.asked_for.append(model)
        completion = await super().generate(prompt, model, emit)
        return Completion(completion.parts, usage=Usage(1_000, 1_000), provider=self.name, model=model)

    @impl
    def register_providers(self) -> EchoProvider:
        return self


def budget(**keys: object) -> str:
    lines = [f"{key} = {value!r}" if isinstance(value, str) else f"{key} = {value}" for key, value in keys.items()]
    return "\n".join(["[[budgets]]", *lines, ""]).replace("'", '"')


async def answer_of(running: HostUnderTest, text: str = "hello") -> dict:
    accepted = await running.client.say("r", "Ana", text)
    return await running.host.wait(accepted.heard[0].turn)


async def test_why_shows_who_answered_who_did_not_and_what_it_cost():
    paid = Paid(ProviderError("Too many.", reason="overloaded"))
    async with running_host([paid], config=MODELS + PRICED) as running:
        told = await answer_of(running)
        shown = "\n".join(lines(await running.host.why(told["turn"])))
    assert "1000 tokens in, 1000 out, $0.002" in shown
    assert "generate/1     paid/big: stop, 1000 tokens in, 1000 out, $0.002" in shown
    assert "not paid/big (overloaded, " in shown
    assert "Too many." in shown


# --- budgets ------------------------------------------------------------------------------------------------------------


async def test_a_turn_tells_what_it_cost():
    paid = Paid()
    async with running_host([paid], config=MODELS + PRICED) as running:
        assert (await answer_of(running))["usage"]["cost"] == 2_000_000  # 2,000 tokens at a dollar for a million


async def test_a_budget_that_is_used_up_refuses_with_its_sentence_until_the_next_day():
    paid, clock = Paid(), Clock()
    config = MODELS + PRICED + budget(per="person", window="day", usd=0.012, say="I am tired.")
    async with running_host([paid], config=config, clock=clock) as running:
        assert (await answer_of(running))["status"] == "replied"
        await running.host.spending.flush()
        assert (await answer_of(running))["status"] == "replied"
        await running.host.spending.flush()
        told = await answer_of(running)
        assert (told["status"], told["reply"]["text"], len(paid.prompts)) == ("blocked", "I am tired.", 2)
        assert "$0.012" in told["reason"]
        clock.advance(86_400.0)
        assert (await answer_of(running))["status"] == "replied"


async def test_a_call_beside_which_there_is_no_room_for_another_is_waited_for():
    paid = Paid()
    config = MODELS + PRICED + budget(tokens=12_000)
    async with running_host([paid], config=config) as running:
        paid.hold()
        first = (await running.client.say("r", "Ana", "hello")).heard[0].turn
        await paid.asked(1)
        second = (await running.client.say("other", "Ben", "hello")).heard[0].turn
        await anyio.wait_all_tasks_blocked()
        assert len(paid.prompts) == 1
        paid.release()
        assert [(await running.host.wait(turn))["status"] for turn in (first, second)] == ["replied", "replied"]
        await running.host.spending.flush()
        (spent,) = await running.store.journal.spent(scope=("host",))
        assert (spent.usage.input + spent.usage.output, spent.held) == (4_000, Usage())


async def test_a_budget_of_one_person_does_not_stop_another():
    paid = Paid()
    config = MODELS + PRICED + budget(per="person", window="month", tokens=12_000)
    async with running_host([paid], config=config) as running:
        await running.ask("hello", person="Ana")
        await running.host.spending.flush()
        await running.ask("hello", person="Ana")
        await running.host.spending.flush()
        assert "rest for a while" in await running.ask("hello", person="Ana")
        assert await running.ask("hello", person="Ben", room="other") == "You said: hello"


async def test_where_a_budget_says_cheaper_the_small_model_answers():
    paid = Paid()
    config = MODELS + PRICED + budget(usd=0.005, then="cheaper")
    async with running_host([paid], config=config) as running:
        told = await answer_of(running)
        assert (told["status"], paid.asked_for) == ("replied", ["little"])
        shown = await running.host.why(told["turn"])
        notes = next(step["value"]["data"]["notes"] for step in shown["steps"] if step["name"] == "generate/1")
        assert "The class small was asked." in notes[0]


async def test_where_a_budget_says_ask_the_operator_is_asked_and_nobody_else_can_answer():
    paid = Paid()
    config = MODELS + PRICED + budget(usd=0.0, then="ask", say="I have to ask first.")
    async with running_host([paid], config=config) as running:
        desk = Desk(running.store, ("robin",), host=running.host, clock=running.clock)
        told = await answer_of(running)
        assert (told["status"], told["reply"]["text"]) == ("parked", "I have to ask first.")
        await desk.answer(told["turn"], "approve")
        with anyio.fail_after(20):
            while len(running.client.sends) < 2:
                await anyio.lowlevel.checkpoint()
        assert [part.text for part in running.client.sends] == ["I have to ask first.", "You said: hello"]

        second = await answer_of(running, "again")
        answer = running.client.message("r", "Ana", "")
        kind = InboundKind.APPROVAL
        await running.client.hand_over(
            msgspec.structs.replace(answer, kind=kind, target=second["turn"], value="approve")
        )
        with anyio.fail_after(20):
            while (await running.store.journal.turn(second["turn"])).outcome.status != "blocked":
                await anyio.lowlevel.checkpoint()
        assert len(paid.prompts) == 1

        third = await answer_of(running, "once more")
        answer = running.client.message("r", "Ana", "")
        message = msgspec.structs.replace(answer.message, sender=Entity(OPERATOR, OPERATOR, OPERATOR))
        forged = msgspec.structs.replace(answer, message=message, kind=kind, target=third["turn"], value="approve")
        (accepted,) = await running.client.hand_over(forged)
        assert accepted.reason == "nobody who speaks in a room is the operator"

        running.clock.advance(86_401.0)
        running.host.agenda.wake()
        with anyio.fail_after(20):
            while (record := await running.store.journal.turn(third["turn"])).outcome.status in ("parked", "running"):
                await anyio.lowlevel.checkpoint()
        assert record.outcome.reason.endswith("The operator did not answer.")
        assert len(paid.prompts) == 1


async def approved(running: HostUnderTest, turn: str) -> str:
    """The status of a parked turn after the operator approved of it."""
    await Desk(running.store, ("robin",), host=running.host, clock=running.clock).answer(turn, "approve")
    with anyio.fail_after(20):
        while (status := (await running.store.journal.turn(turn)).outcome.status) in ("parked", "running"):
            await anyio.lowlevel.checkpoint()
    return str(status)


async def test_what_the_operator_approves_is_held_to_the_other_budgets_all_the_same():
    paid = Paid(ProviderError("It will not.", reason="invalid"))
    models = '[agents.robin.models]\nlarge = ["paid/little", "paid/big"]\n'
    asks, refuses = budget(tokens=0, then="ask"), budget(usd=0.005, say="I am tired.")
    async with running_host([paid], config=models + PRICED + asks + refuses) as running:
        turn = (await answer_of(running))["turn"]
        assert await approved(running, turn) == "blocked"  # the little one failed, and the big one costs too much
        assert (await running.store.journal.turn(turn)).outcome.reply.text == "I am tired."
        assert paid.asked_for == ["little"]


async def test_the_operator_is_asked_where_the_cheaper_model_is_not_enough():
    paid = Paid()
    config = MODELS + PRICED + budget(usd=0.005, then="cheaper") + budget(tokens=0, then="ask")
    async with running_host([paid], config=config) as running:
        told = await answer_of(running)
        assert told["status"] == "parked"
        assert await approved(running, told["turn"]) == "replied"
        assert paid.asked_for == ["little"]


async def test_nobody_is_asked_about_what_comes_after_the_reply():
    asked = []

    @impl
    async def reflect(turn: Turn, outcome: Outcome) -> None:
        asked.append(turn.id)
        await turn.generate(Prompt((PromptMessage("user", (Part("What is to be remembered?"),)),)))

    config = MODELS + PRICED + budget(per="turn", tokens=9_000, then="ask")
    async with running_host([Paid(), reflect], config=config) as running:
        for count in (1, 2):
            assert (await answer_of(running))["status"] == "replied"
            assert len(asked) == count


async def test_a_plugin_is_not_blamed_for_a_budget_that_is_used_up():
    @impl
    async def decide(turn: Turn) -> None:
        await turn.generate(Prompt((PromptMessage("user", (Part("Answer?"),)),)))

    config = MODELS + PRICED + "[limits]\nbreaker_failures = 2\n" + budget(tokens=0)
    async with running_host([Paid(), decide], config=config) as running:
        for _ in range(3):
            assert (await answer_of(running))["status"] == "blocked"
        assert running.host.quarantine.quarantined() == ()


async def test_a_call_that_is_stopped_while_it_waits_its_turn_counts_as_nothing():
    paid = Paid()
    config = MODELS + PRICED + budget(tokens=100_000) + "[limits.providers.paid]\nat_once = 1\n"
    async with running_host([paid], config=config) as running:
        paid.hold()
        first = (await running.client.say("r", "Ana", "hello")).heard[0].turn
        await paid.asked(1)
        second = (await running.client.say("other", "Ben", "hello")).heard[0].turn
        with anyio.fail_after(20):
            while not running.host.asking.pace("paid").waiting:
                await anyio.lowlevel.checkpoint()
        await running.client.stop("other", "Ben", turn=second)
        assert (await running.host.wait(second))["status"] == "stopped"
        paid.release()
        await running.host.wait(first)
        await running.host.spending.flush()
        (spent,) = await running.store.journal.spent(scope=("host",))
        assert (spent.usage.input + spent.usage.output, spent.held) == (2_000, Usage())


async def test_a_call_that_is_cut_off_by_the_stop_is_counted():
    paid = Paid()
    async with running_host([paid], config=MODELS + PRICED + "[limits]\nstop_seconds = 0.01\n") as running:
        store = running.store
        paid.hold()
        await running.client.say("r", "Ana", "hello")
        await paid.asked(1)
    (spent,) = await store.journal.spent(scope=("use",))
    assert spent.usage.calls == 1


async def test_money_cannot_be_bounded_where_nobody_knows_the_price():
    config = MODELS + budget(usd=5)
    async with running_host([Paid()], config=config) as running:
        told = await answer_of(running)
        assert told["status"] == "failed"
        assert '[models."paid/big"]' in told["reason"]


async def test_what_was_spent_is_known_after_a_restart(tmp_path):
    config = MODELS + PRICED + budget(tokens=12_000)
    async with running_host([Paid()], config=config, folder=tmp_path) as running:
        store = running.store
        await running.ask("hello")
        await running.host.spending.flush()
        await running.ask("hello")
    async with running_host([Paid()], config=config, folder=tmp_path, store=store) as running:
        accepted = await running.client.say("r", "Ana", "hello", event="of another day")
        assert (await running.host.wait(accepted.heard[0].turn))["status"] == "blocked"


# --- rate limits --------------------------------------------------------------------------------------------------------


async def test_calls_beyond_the_rate_wait_and_say_so():
    clock, paid = Clock(), Paid()
    config = MODELS + PRICED + "[limits.providers.paid]\nrequests = 2\n"
    async with running_host([paid], config=config, clock=clock) as running:
        began = clock.now
        for _ in range(3):
            await running.ask("hello")
        assert 60.0 <= clock.now - began < 62.0
        shown = await running.host.why((await running.last()).id)
        notes = next(step["value"]["data"]["notes"] for step in shown["steps"] if step["name"] == "generate/1")
        assert re.fullmatch(r"It waited (5|6)\d s for the rate limits of paid\.", notes[0])


async def test_what_a_service_does_not_say_it_used_counts_as_it_was_estimated():
    clock, quiet = Clock(), EchoProvider(lambda prompt: Completion((Part("Hi."),)))
    config = "[limits.providers.echo]\ntokens = 10_000\n"
    async with running_host(provider=quiet, config=config, clock=clock) as running:
        began = clock.now
        for _ in range(2):
            await running.ask("hello")
        assert clock.now - began >= 60.0


# --- long prompts -------------------------------------------------------------------------------------------------------


async def test_a_long_conversation_is_cut_to_what_the_model_takes():
    paid = Paid()
    config = MODELS + PRICED.replace('[models."paid/big"]', '[models."paid/big"]\ncontext = 2_000')

    @impl
    async def transform_prompt(turn: object, prompt: Prompt) -> Prompt:
        said = [
            PromptMessage("user" if n % 2 == 0 else "assistant", (Part(f"{n} " + "word " * 100),)) for n in range(20)
        ]
        return Prompt((*said, *prompt.messages))

    async with running_host([paid, transform_prompt], config=config) as running:
        assert await running.ask("hello") == "You said: hello"
        assert 2 <= len(paid.prompts[0].messages) < 20
        assert paid.prompts[0].messages[-1].text == "hello"
        shown = await running.host.why((await running.last()).id)
        notes = next(step["value"]["data"]["notes"] for step in shown["steps"] if step["name"] == "generate/1")
        assert "were left out" in notes[0]


async def test_a_budget_leaves_a_small_model_the_room_for_its_prompt():
    paid = Paid()
    config = (
        MODELS + PRICED.replace('[models."paid/big"]', '[models."paid/big"]\ncontext = 4_000') + budget(tokens=50_000)
    )
    async with running_host([paid], config=config) as running:
        assert await running.ask("hello") == "You said: hello"
        assert paid.prompts[0].max_tokens == 1_000


async def test_a_model_that_takes_less_than_anybody_knew_is_asked_again_with_less():
    paid = Paid(ProviderError("It is too long.", reason="length"))

    @impl
    async def transform_prompt(turn: object, prompt: Prompt) -> Prompt:
        said = [
            PromptMessage("user" if n % 2 == 0 else "assistant", (Part(f"{n} " + "word " * 100),)) for n in range(20)
        ]
        return Prompt((*said, *prompt.messages))

    async with running_host([paid, transform_prompt], config=MODELS + PRICED) as running:
        assert await running.ask("hello") == "You said: hello"
        assert len(paid.prompts[1].messages) < len(paid.prompts[0].messages)
        await running.host.reload(load(running.host.config.path, {}))  # as it is after somebody set it right
        await running.ask("hello", room="other")
        assert len(paid.prompts[2].messages) == len(paid.prompts[0].messages)
