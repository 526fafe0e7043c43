"""What every model provider keeps."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import anyio
import msgspec
import pytest

from carrier_core import (
    ActionCall,
    Completion,
    Finish,
    Json,
    Part,
    Prompt,
    PromptMessage,
    Provider,
    ProviderError,
    Tool,
)
from carrier_core.testing.suites.cancellation import swallowed

REASONS = frozenset(
    "auth rate_limit overloaded timeout connection server refused length invalid incomplete unreadable".split()
)
"""What ``ProviderError.reason`` may be."""

_CITY: dict[str, Json] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Tool("get_weather", "The weather of a city.", _CITY)
NOTHING = Tool("wait", "Do nothing.", {"type": "object", "properties": {}, "required": []})


def asked(text: str, *before: PromptMessage, tools: tuple[Tool, ...] = ()) -> Prompt:
    """A prompt that ends with what a person said."""
    return Prompt((*before, PromptMessage("user", (Part(text, key="message", name="Ana"),))), tools)


def shapes() -> Mapping[str, Prompt]:
    """The forms that the host's prompts have, by name."""
    system = PromptMessage("system", (Part("You are Robin.", key="character", stable=True),))
    moving = PromptMessage("system", (Part("It is noon.", key="time"), Part("It rains.", key="weather")))
    hello = PromptMessage("user", (Part("Hello!", role="user", name="Ana"),))
    answer = PromptMessage("assistant", (Part("Hello, Ana.", role="assistant", name="Robin"),))
    call = ActionCall("call-1", "get_weather", {"city": "Porto"})
    other = ActionCall("call-2", "wait", {})
    calling = PromptMessage("assistant", (), (call, other))
    said = PromptMessage("assistant", (Part("Let me see."),), (call,))
    result = PromptMessage("tool", (Part("rain", key="result"),), call="call-1")
    nothing = PromptMessage("tool", (Part("done", key="result"),), call="call-2")
    weather = asked("What is the weather in Porto?", system, tools=(WEATHER, NOTHING))
    return {
        "a message alone": asked("Hello!"),
        "a system text and a message": asked("Hello!", system),
        "system texts before and after the conversation": asked("And you?", system, hello, answer, moving),
        "the result of a call": msgspec.structs.replace(weather, messages=(*weather.messages, said, result)),
        "the results of two calls": msgspec.structs.replace(
            weather, messages=(*weather.messages, calling, result, nothing)
        ),
        "a tool without parameters": asked("Hello!", system, tools=(NOTHING,)),
        "several scripts, emoji and a joiner": asked("שלום, 你好, olá 🌊 👩‍🚀 \u202eabc\u202c e\u0301", system),
        "line breaks, tabs and quotes": asked('He said: "line\n\tbreak" \\ {{name}} <b>', system),
        "parts without text": Prompt((system, PromptMessage("user", (Part(""), Part("Hello!"))))),
        "a long message": asked("word " * 4_000, system),
        "two messages in a row": asked("Are you there?", system, hello),
        "a limit": msgspec.structs.replace(asked("Hello!", system), max_tokens=200),
    }


class ProviderConformance:
    """Subclass it and override ``provider``: one that can answer, from a server of the test's own.

    ``failing`` is one that cannot answer, ``unready`` one that lacks its key, ``calling`` a prompt that makes ``provider``
    call a tool; the laws about them are skipped without. ``echoes`` says that an answer repeats its message.
    """

    echoes = False

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The backend that the host runs on."""
        return "asyncio"

    @pytest.fixture
    def provider(self) -> Provider:
        """The provider, ready to answer."""
        raise NotImplementedError("Override the fixture `provider`.")

    @pytest.fixture
    def failing(self) -> Provider:
        """A provider whose service fails, refuses or cannot be reached."""
        pytest.skip("override the fixture `failing`")

    @pytest.fixture
    def unready(self) -> Provider:
        """A provider that lacks something it needs."""
        pytest.skip("override the fixture `unready`, unless the provider needs nothing")

    @pytest.fixture
    def calling(self) -> Prompt:
        """A prompt to which the provider answers with a call."""
        pytest.skip("override the fixture `calling`")

    # --- what it says of itself ---

    def test_it_has_a_name_and_a_model_of_its_own(self, provider: Provider) -> None:
        """A provider has a name without a slash, and a model for the class ``large``."""
        assert isinstance(provider.name, str)
        assert provider.name
        assert "/" not in provider.name, "`provider/model` is how the configuration names a model"
        assert provider.models.get("large"), "there is no model for the class `large`"

    def test_it_says_what_is_missing_the_same_every_time(self, provider: Provider) -> None:
        """``missing`` is empty when it is ready, and the same however often it is asked."""
        told = [provider.missing() for _ in range(3)]
        assert told == ["", "", ""]

    @pytest.mark.anyio
    async def test_what_is_missing_is_a_sentence_and_no_answer(self, unready: Provider) -> None:
        """A provider that lacks something says so in a sentence, and to a prompt with a ProviderError."""
        assert len(unready.missing().split()) > 2
        with pytest.raises(ProviderError):
            await self.complete(unready, asked("Hello!"))

    # --- the completion ---

    @pytest.mark.anyio
    async def test_a_completion_names_provider_and_model(self, provider: Provider) -> None:
        """The completion has the name of the provider and of a model."""
        completion, _ = await self.complete(provider, asked("Hello!"))
        assert completion.provider == provider.name
        assert completion.model

    @pytest.mark.anyio
    async def test_usage_is_counted(self, provider: Provider) -> None:
        """The tokens in and out are counted, those from a cache among those in."""
        completion, _ = await self.complete(provider, asked("Hello!"))
        usage = completion.usage
        assert usage.input > 0
        assert usage.output > 0
        assert 0 <= usage.cached <= usage.input
        assert usage.calls in (0, 1)

    @pytest.mark.anyio
    async def test_the_pieces_make_the_text(self, provider: Provider) -> None:
        """What was emitted, one after another, is the text of the completion."""
        completion, pieces = await self.complete(provider, asked("Hello!"))
        assert completion.parts, "it answered nothing to a greeting"
        assert "".join(pieces) == "".join(part.text for part in completion.parts)

    @pytest.mark.anyio
    async def test_every_form_of_prompt_is_answered(self, provider: Provider) -> None:
        """Whatever form a prompt has, the answer is a whole completion, whose text can be stored."""
        for name, prompt in shapes().items():
            completion, pieces = await self.complete(provider, prompt)
            assert isinstance(completion, Completion), name
            assert completion.parts or completion.calls, f"nothing was answered to {name}"
            assert completion.finish in (Finish.STOP, Finish.CALLS, Finish.LENGTH), name
            assert "".join(pieces) == "".join(part.text for part in completion.parts), name
            assert "\x00" not in completion.text, name
            completion.text.encode()

    @pytest.mark.anyio
    async def test_the_prompt_stays_as_it_was(self, provider: Provider) -> None:
        """Nothing in the prompt is changed, the tools' parameters included."""
        prompt = shapes()["the result of a call"]
        before = copy.deepcopy(prompt)
        await self.complete(provider, prompt)
        assert prompt == before

    @pytest.mark.anyio
    async def test_what_it_wants_carried_is_its_own_and_can_be_recorded(self, provider: Provider) -> None:
        """A carry names the provider, is JSON, and is taken with the next prompt."""
        prompt = asked("Hello!")
        completion, _ = await self.complete(provider, prompt)
        if completion.carry is not None:
            assert completion.carry.provider == provider.name
            assert msgspec.json.decode(msgspec.json.encode(completion.carry.data)) == completion.carry.data
        said = PromptMessage("assistant", completion.parts, carry=completion.carry)
        following, _ = await self.complete(provider, asked("And you?", *prompt.messages, said))
        assert following.parts

    @pytest.mark.anyio
    async def test_calls_have_ids_of_their_own_and_json_arguments(self, provider: Provider, calling: Prompt) -> None:
        """A call has an id that no other call of the conversation has, the name of a tool that was offered, and
        arguments that are JSON."""
        completion, _ = await self.complete(provider, calling)
        assert completion.calls, "it called nothing: let the fixture `calling` be a prompt to which it does"
        assert completion.finish is Finish.CALLS
        results = tuple(PromptMessage("tool", (Part("done"),), call=call.id) for call in completion.calls)
        again = PromptMessage("assistant", completion.parts, completion.calls, carry=completion.carry)
        repeated = msgspec.structs.replace(
            calling, messages=(*calling.messages, again, *results, *calling.messages[-1:])
        )
        following, _ = await self.complete(provider, repeated)
        ids = [call.id for call in (*completion.calls, *following.calls)]
        assert all(ids)
        assert len({*ids}) == len(ids), f"ids are used twice: {ids}"
        offered = {tool.name for tool in calling.tools}
        for call in completion.calls:
            assert call.name in offered
            assert isinstance(call.arguments, dict)
            assert msgspec.json.decode(msgspec.json.encode(call.arguments)) == call.arguments

    # --- when things go wrong, or at once ---

    @pytest.mark.anyio
    async def test_calls_at_one_time_do_not_mix(self, provider: Provider) -> None:
        """Each of several prompts at one time gets its own answer, and its own pieces."""
        answers: dict[str, tuple[Completion, list[str]]] = {}
        words = [f"word{number}word" for number in range(6)]

        async def ask(word: str) -> None:
            answers[word] = await self.complete(provider, asked(f"Say {word}."))

        async with anyio.create_task_group() as group:
            for word in words:
                group.start_soon(ask, word)
        for word in words:
            completion, pieces = answers[word]
            assert "".join(pieces) == "".join(part.text for part in completion.parts)
            others = [other for other in words if other != word and other in completion.text]
            assert not others, f"the answer to {word} has {others}"
            assert not self.echoes or word in completion.text

    @pytest.mark.anyio
    async def test_a_cancellation_passes_through(self, provider: Provider) -> None:
        """A call that is cancelled ends at once, with the cancellation and nothing else."""
        call = provider.generate(asked("Hello!"), provider.models["large"], lambda piece: None)
        assert await swallowed(call) == ""

    @pytest.mark.anyio
    async def test_a_failure_is_a_provider_error(self, failing: Provider) -> None:
        """Whatever keeps an answer from being complete is a ProviderError with a reason that policy and fallback know."""
        with pytest.raises(ProviderError) as caught:
            await self.complete(failing, asked("Hello!"))
        assert caught.value.reason in REASONS
        assert caught.value.message

    async def complete(self, provider: Provider, prompt: Prompt) -> tuple[Completion, list[str]]:
        """The completion of a prompt by the provider's own large model, and the pieces that were emitted."""
        pieces: list[str] = []
        return await provider.generate(prompt, provider.models["large"], pieces.append), pieces
