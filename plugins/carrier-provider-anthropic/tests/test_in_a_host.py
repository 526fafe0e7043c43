"""A whole host whose agent asks the API: rounds of calls with what was thought, in prompts as the host makes them."""

from __future__ import annotations

import pytest

import carrier_provider_anthropic
from carrier_core import Action, ActionResult, Context, Effect, Part, Provider, State, impl
from carrier_core.testing import running_host, wire

pytestmark = pytest.mark.anyio

CONFIG = """
[plugin.carrier-provider-anthropic]
base_url = "{url}"
[agents.robin.models]
large = {{ use = ["anthropic"], effort = "low" }}
"""


class Ping(Action):
    name, description, effect = "ping", "Ping.", Effect.READ
    parameters = {"type": "object"}

    async def perform(self, turn, call):
        return ActionResult("pong")


class Weather(Context):
    name = "weather"

    async def provide(self, turn):
        return State((Part("It rains.", "weather"),))


class Plugin:
    @impl
    def register_actions(self):
        return Ping()

    @impl
    def register_context(self):
        return Weather()


def running(url: str):
    plugins = {"carrier-provider-anthropic": carrier_provider_anthropic, "plugin": Plugin()}
    environ = {"ANTHROPIC_API_KEY": "sk-1"}
    return running_host(plugins, config=CONFIG.format(url=url), environ=environ)


async def test_a_turn_of_three_rounds(kit):
    rounds = [
        kit.events(
            kit.begun(),
            kit.thought(signature=f"thought {number}"),
            kit.call("{}", index=1, id=f"toolu_{number}", name="ping"),
            kit.ended("tool_use"),
        )
        for number in range(2)
    ]
    async with wire.serve(wire.script(*rounds, kit.events(kit.answer("Done.")))) as server, running(server.url) as host:
        assert await host.ask("Ping twice!") == "Done."
        usage = (await host.last()).outcome.usage
    assert [kit.objections(body) for body in server.requests] == [[], [], []]
    assert (usage.calls, usage.input, usage.output) == (3, 27, 9)
    said = kit.said(server.requests[2])
    assert said[0] == ("user", "Ping twice!")
    assert "It rains." in [block["text"] for block in server.requests[2]["system"]]
    assert [line for line in said if line[0] == "assistant"] == [("assistant", "thinking", "tool_use")] * 2


async def test_its_connections_are_closed_when_the_host_stops(kit):
    async with wire.serve(kit.events(kit.answer("Hi"))) as server, running(server.url) as host:
        await host.ask("Hello!")
        (provider,) = (entry.thing for entry in host.host.plugins.all(Provider) if entry.thing.name == "anthropic")
        client = provider._connection.client
        assert not client.is_closed()
    assert client.is_closed()
