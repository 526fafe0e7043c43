"""What every provider keeps, kept by this one: through the SDK, with a server that is as strict as the API, and with another."""

from __future__ import annotations

import pytest

from carrier_core import Part, Prompt, PromptMessage, Tool
from carrier_core.testing import ProviderConformance, wire
from carrier_provider_anthropic.provider import AnthropicProvider

WEATHER = Prompt(
    (PromptMessage("user", (Part("How is the weather?"),)),),
    (Tool("get_weather", "The weather of a city.", {"type": "object"}),),
)


class Anthropic(ProviderConformance):
    @pytest.fixture
    async def failing(self, make):
        with wire.nobody() as url:
            yield make(url)

    @pytest.fixture
    def unready(self):
        return AnthropicProvider()

    @pytest.fixture
    def calling(self):
        return WEATHER


class TestWithAStrictServer(Anthropic):
    """It refuses what the API refuses, repeats what it is told, and asked for the weather it calls the tool until it has a
    result."""

    echoes = True

    @pytest.fixture(params=["claude-sonnet-5-5", "claude-sonnet-5"])
    async def provider(self, request, make, kit):
        async def respond(exchange: wire.Exchange) -> None:
            if refused := kit.objections(exchange.body):
                respond = wire.status(400, kit.failure("invalid_request_error", "; ".join(refused)))
            else:
                respond = kit.events(reply(kit, exchange.body))
            await respond(exchange)

        async with wire.serve(respond) as server:
            yield make(server.url, models={"large": request.param})


class TestWithAnIndependentServer(Anthropic):
    @pytest.fixture
    async def provider(self, make, aimock):
        return make(aimock.url)


def reply(kit, body: dict) -> list[dict[str, object]]:
    last = [message for message in body["messages"] if message["role"] == "user"][-1]["content"]
    words = last[-1].get("text", "")
    if "weather" in words and body.get("tools") and last[0]["type"] != "tool_result":
        called = kit.call('{"city": "Porto"}', id=f"toolu_{next(kit.numbers)}")
        return [kit.begun(), *called, *kit.ended("tool_use")]
    said = f"You said: {words}"
    return kit.answer(*(said[start : start + 500] for start in range(0, len(said), 500)))
