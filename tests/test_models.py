"""How models are asked: the chain of a class, retries, what is never asked twice, and what the turn tells of it."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

from carrier_core import (
    Carry,
    Completion,
    ConfigError,
    Effort,
    Embedder,
    Finish,
    Part,
    Prompt,
    PromptMessage,
    Provider,
    ProviderError,
    impl,
)
from carrier_core.testing import Clock, EchoProvider, FakeClient, HostUnderTest, running_host

pytestmark = pytest.mark.anyio

CHAIN = '[agents.robin.models]\nlarge = ["first/big", "second/other"]\n'


class Model(EchoProvider):
    """An echo of another name, which is no last resort."""

    last_resort = False

    def __init__(self, name: str, *answers: object, missing: str = "") -> None:
        super().__init__()
        self.name = name
        self.models = {"large": f"{name}-large", "small": f"{name}-small"}
        self.asked_for: list[str] = []
        self._missing = missing
        self.then(*answers)

    def missing(self) -> str:
        return self._missing

    async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
        self.asked_for.append(model)
        return await super().generate(prompt, model, emit)


class Brings:
    """A plugin with these providers."""

    def __init__(self, *providers: Provider) -> None:
        self._providers = providers

    @impl
    def register_providers(self) -> tuple[Provider, ...]:
        return self._providers


def failure(reason: str, retry_after: float | None = None) -> ProviderError:
    return ProviderError(f"It is {reason}.", reason=reason, retry_after=retry_after, remedy="Wait.")


async def completion_of(running: HostUnderTest) -> dict:
    """The recorded completion of the latest turn, as ``why`` shows it."""
    told = await running.host.why((await running.last()).id)
    return next(step["value"]["data"] for step in told["steps"] if step["name"] == "generate/1")


# --- which models --------------------------------------------------------------------------------------------------------


async def test_a_class_stands_for_the_model_that_the_operator_names_and_others_for_the_large_one():
    first, second = Model("first"), Model("second")
    config = '[agents.robin.models]\nlarge = "second/big"\nsmall = "first"\n'
    async with running_host([Brings(first, second)], config=config) as running:
        chains = {key: running.host.agents["robin"].models.chain(key) for key in ("large", "small", "reasoning")}
        assert {key: [(choice.provider.name, choice.model) for choice in chain] for key, chain in chains.items()} == {
            "large": [("second", "big")],
            "small": [("first", "first-small")],
            "reasoning": [("second", "big")],
        }


async def test_a_provider_that_is_not_there_is_named_with_its_line():
    with pytest.raises(ConfigError, match=r"carrier\.toml:2: There is no provider third\. There are: .*first"):
        async with running_host(
            [Brings(Model("first"))], config='[agents.robin.models]\nsmall = ["first", "third/x"]\n'
        ):
            raise AssertionError("it started")


async def test_what_a_class_says_fills_in_what_the_prompt_leaves_open():
    first = Model("first")
    config = '[agents.robin.models.large]\nuse = "first/big"\ntemperature = 0.25\nmax_tokens = 99\neffort = "high"\n'

    @impl
    async def transform_prompt(turn: object, prompt: Prompt) -> Prompt:
        return Prompt(prompt.messages, prompt.tools, prompt.model, 7)

    async with running_host(
        [Brings(first), transform_prompt], config=config.replace('"first/big"', '["first/big"]')
    ) as running:
        await running.ask("hello")
        prompt = first.prompts[0]
        assert (prompt.max_tokens, prompt.temperature, prompt.effort) == (7, 0.25, Effort.HIGH)


# --- again, and the next one ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", ["rate_limit", "overloaded", "server", "connection", "timeout", "incomplete", "unreadable"]
)
async def test_what_may_pass_is_tried_again_with_the_same_model(reason):
    first, second = Model("first", failure(reason), failure(reason)), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        assert await running.ask("hello") == "You said: hello"
        assert (len(first.prompts), len(second.prompts)) == (3, 0)
        attempts = (await completion_of(running))["attempts"]
        assert [(each["provider"], each["model"], each["reason"]) for each in attempts] == [
            ("first", "big", reason)
        ] * 2


async def test_the_pauses_grow_and_a_provider_that_asks_for_time_gets_it():
    clock = Clock()
    pauses: list[float] = []
    answers = [failure("server"), failure("server"), failure("rate_limit", 12.5), failure("server")]
    first = Model("first", *answers)
    config = f"[limits]\nmodel_attempts = 5\n{CHAIN}"
    async with running_host([Brings(first, Model("second"))], config=config, clock=clock) as running:

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await clock.sleep(seconds)

        running.host.asking.sleep = sleep
        await running.ask("hello")
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1.0 <= pauses[3] / 2
    assert 12.5 < pauses[2] <= 13.0


async def test_turns_that_were_told_the_same_time_do_not_come_back_together():
    clock = Clock()
    pauses: list[float] = []
    config = f"[limits]\nmodel_attempts = 2\n{CHAIN}"
    first = Model("first", *[failure("rate_limit", 3.0)] * 4)
    async with running_host([Brings(first, Model("second"))], config=config, clock=clock) as running:

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await clock.sleep(seconds)

        running.host.asking.sleep = sleep
        for _ in range(2):
            await running.ask("hello")
    first_pause, second_pause = (pause for pause in pauses if pause > 3.0)  # the other one is for the provider's rest
    assert first_pause != second_pause
    assert max(first_pause, second_pause) <= 3.5


@pytest.mark.parametrize("reason", ["auth", "invalid", "length"])
async def test_what_stays_wrong_is_left_to_the_next_model_at_once(reason):
    first, second = Model("first", failure(reason)), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        assert await running.ask("hello") == "You said: hello"
        assert (first.asked_for, second.asked_for) == (["big"], ["other"])
        completion = await completion_of(running)
        assert (completion["provider"], completion["attempts"][0]["reason"]) == ("second", reason)


async def test_a_model_that_keeps_failing_is_left_for_the_next_one():
    first, second = Model("first", *[failure("overloaded")] * 9), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        await running.ask("hello")
        assert (first.asked_for, second.asked_for) == (["big"] * 3, ["other"])


async def test_a_provider_that_lacks_its_key_is_passed_over():
    first, second = Model("first", missing="No key is set. Set FIRST_KEY."), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        assert await running.ask("hello") == "You said: hello"
        assert first.prompts == []
        assert (await completion_of(running))["attempts"][0]["message"] == "No key is set. Set FIRST_KEY."


async def test_a_provider_plugin_that_breaks_costs_its_own_answer():
    first, second = Model("first", ValueError("a bug")), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        assert await running.ask("hello") == "You said: hello"
        assert (await completion_of(running))["attempts"][0]["reason"] == "plugin"


async def test_what_one_model_refuses_is_not_asked_of_another():
    first, second = Model("first", failure("refused")), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        assert "went wrong" in await running.ask("hello")
        assert second.prompts == []


async def test_where_nobody_answers_the_reason_is_the_first_ones_and_the_others_are_named():
    first, second = Model("first", failure("auth")), Model("second", *[failure("overloaded")] * 3)
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        assert "went wrong" in await running.ask("hello")
        reason = (await running.last()).outcome.reason
        assert reason == "It is auth. No other model could answer either (second/other: overloaded). Wait."


async def test_nobody_waits_longer_than_the_turn_may_take():
    first = Model("first", failure("rate_limit", 10_000.0))
    async with running_host([Brings(first)]) as running:
        assert "went wrong" in await running.ask("hello")
        assert len(first.prompts) == 1
        assert "rate_limit" in (await running.last()).outcome.reason


async def test_a_provider_that_wants_a_long_pause_is_not_waited_for_where_there_is_another():
    first, second = Model("first", failure("rate_limit", 60.0)), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        await running.ask("hello")
        assert (len(first.prompts), len(second.prompts)) == (1, 1)


# --- a bad day -----------------------------------------------------------------------------------------------------------


async def test_a_sick_provider_is_passed_over_until_it_had_time_to_mend():
    first, second = Model("first", *[failure("connection")] * 6), Model("second")
    limits = "[limits]\nmodel_attempts = 1\nbreaker_failures = 3\n"
    async with running_host([Brings(first, second)], config=limits + CHAIN) as running:
        for _ in range(5):
            await running.ask("hello")
        assert (len(first.prompts), len(second.prompts)) == (3, 5)
        assert (await completion_of(running))["attempts"][0]["reason"] == "resting"
        running.clock.advance(31.0)
        await running.ask("hello")
        assert len(first.prompts) == 4


async def test_a_sick_provider_is_tried_again_after_a_call_that_did_not_come_to_be_made():
    first, second = Model("first", *[failure("connection")] * 3), Model("second")
    limits = '[limits]\nmodel_attempts = 1\nbreaker_failures = 3\n[[budgets]]\nper = "turn"\ntokens = 15_000\n'
    async with running_host([Brings(first, second)], config=limits + CHAIN) as running:
        for _ in range(3):
            await running.ask("hello")
        running.clock.advance(31.0)
        assert "rest for a while" in await running.ask("12345 " * 5_000)
        await running.ask("hello", room="other")
        assert len(first.prompts) == 4


async def test_a_sick_provider_is_asked_where_those_behind_it_lack_their_key():
    first = Model("first", *[failure("connection")] * 3)
    second = Model("second", missing="No key is set. Set SECOND_KEY.")
    limits = "[limits]\nmodel_attempts = 1\nbreaker_failures = 3\n"
    async with running_host([Brings(first, second)], config=limits + CHAIN) as running:
        for _ in range(4):
            answer = await running.ask("hello")
        assert (len(first.prompts), answer) == (4, "You said: hello")


async def test_a_provider_whose_plugin_is_quarantined_is_passed_over():
    class Broken(Brings):
        """A plugin of its own."""

    first, second = Model("first", *[ValueError("a bug")] * 3), Model("second")
    limits = "[limits]\nbreaker_failures = 2\n"
    async with running_host([Broken(first), Brings(second)], config=limits + CHAIN) as running:
        for _ in range(3):
            assert await running.ask("hello") == "You said: hello"
        assert (len(first.prompts), len(second.prompts)) == (2, 3)
        assert (await completion_of(running))["attempts"][0]["reason"] == "resting"


async def test_a_provider_that_never_comes_to_an_end_is_left_for_the_next_one():
    class Hangs(Model):
        async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
            self.asked_for.append(model)
            await anyio.sleep_forever()
            raise AssertionError

    first, second = Hangs("first"), Model("second")
    limits = '[limits]\nmodel_attempts = 1\n[limits.budgets]\n"first.generate" = 0.01\n'
    async with running_host([Brings(first, second)], config=limits + CHAIN) as running:
        assert await running.ask("hello") == "You said: hello"
        assert (await completion_of(running))["attempts"][0]["reason"] == "timeout"


async def test_the_only_model_is_asked_however_sick_it_is():
    first = Model("first", *[failure("connection")] * 6)
    limits = "[limits]\nmodel_attempts = 1\nbreaker_failures = 3\n"
    async with running_host([Brings(first)], config=limits) as running:
        for _ in range(7):
            answer = await running.ask("hello")
        assert (len(first.prompts), answer) == (7, "You said: hello")


# --- what another model does not get ------------------------------------------------------------------------------------


async def test_what_one_provider_wants_carried_no_other_gets():
    first, second = Model("first"), Model("second")
    kept = PromptMessage("assistant", (Part("Yes."),), carry=Carry("second", {"id": 1}))
    lost = PromptMessage("assistant", (Part("No."),), carry=Carry("third", {"id": 2}))

    @impl
    async def transform_prompt(turn: object, prompt: Prompt) -> Prompt:
        return Prompt((kept, lost, *prompt.messages))

    config = '[agents.robin.models]\nlarge = "second"\n'
    async with running_host([Brings(first, second), transform_prompt], config=config) as running:
        await running.ask("hello")
        carried = [message.carry for message in second.prompts[0].messages if message.role == "assistant"]
        assert carried == [Carry("second", {"id": 1}), None]


async def test_a_draft_of_a_model_that_failed_is_replaced():
    class Breaks(Model):
        async def generate(self, prompt: Prompt, model: str, emit: Callable[[str], None]) -> Completion:
            emit("I was about to")
            with anyio.fail_after(10):
                while not client.drafts:
                    await anyio.lowlevel.checkpoint()
            return await super().generate(prompt, model, emit)

    client = FakeClient(retracts=True)
    first, second = Breaks("first", failure("invalid")), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN, client=client) as running:
        assert await running.ask("hello") == "You said: hello"
        shown = [(draft.attempt, draft.text) for draft in client.drafts]
        assert shown[0] == (1, "I was about to")
        assert "".join(text for attempt, text in shown if attempt == 2) == "You said: hello"


async def test_what_a_hook_asks_for_itself_is_shown_to_nobody():
    client = FakeClient(retracts=True)

    @impl
    async def decide(turn: object) -> None:
        await turn.generate(Prompt((PromptMessage("user", (Part("Answer?"),)),)))

    async with running_host([decide], client=client) as running:
        await running.ask("hello")
        assert "".join(draft.text for draft in client.drafts) == "You said: hello"


async def test_an_empty_answer_is_asked_for_again_and_after_results_it_is_taken():
    first, second = Model("first", Completion(), Completion((Part(" "),))), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        assert await running.ask("hello") == "You said: hello"
        assert [each["reason"] for each in (await completion_of(running))["attempts"]] == ["incomplete"] * 2


async def test_a_refusal_without_a_word_is_a_visible_failure():
    first, second = Model("first", Completion(finish=Finish.REFUSED)), Model("second")
    async with running_host([Brings(first, second)], config=CHAIN) as running:
        assert "went wrong" in await running.ask("hello")
        assert "refused" in (await running.last()).outcome.reason
        assert second.prompts == []


# --- the embedder --------------------------------------------------------------------------------------------------------


class Meaning(Embedder):
    """An embedder that finds the same in everything."""

    dimension = 2

    def __init__(self, name: str) -> None:
        self.name = name
        self.texts: list[str] = []

    async def embed(self, texts: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
        self.texts += texts
        return tuple((1.0, 0.0) for _ in texts)


@impl
def register_embedders() -> tuple[Embedder, ...]:
    return Meaning("one"), Meaning("two")


async def test_the_embedder_is_the_one_that_the_agents_name():
    async with running_host([register_embedders], config='[agents.robin.models]\nembedding = "two"\n') as running:
        assert running.host.embedding.model == "two/2"


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ('[agents.robin.models]\nembedding = "three"\n', "There is no embedder three. There are: one, two."),
        (
            '[agents.robin.models]\nembedding = "one"\n[agents.jay.models]\nembedding = "two"\n',
            "Name the same for all agents",
        ),
    ],
)
async def test_an_embedder_that_is_not_there_or_not_the_only_one_is_told(config, problem):
    with pytest.raises(ConfigError, match=problem):
        async with running_host([register_embedders], config=config):
            raise AssertionError("it started")
