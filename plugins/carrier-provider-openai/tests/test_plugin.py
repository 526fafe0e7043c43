"""The plugin in a host: its servers as a chain of models, and its connections when the host stops."""

from __future__ import annotations

import pytest

import carrier_provider_openai
from carrier_core import Embedder, Provider
from carrier_core.testing import running_host
from carrier_core.testing.wire import events, serve, status

pytestmark = pytest.mark.anyio

CONFIG = """
[agents.robin.models]
large = ["openai/gpt-test", "ollama/qwen3"]
embedding = "ollama/nomic"

[plugin.carrier-provider-openai]
base_url = "{first}/v1"

[plugin.carrier-provider-openai.servers.ollama]
base_url = "{second}/v1"
embedding = "nomic"
dimensions = 3
"""
KEYS = {
    "OPENAI_API_KEY": "sk-first",
    "CARRIER_PLUGIN__CARRIER_PROVIDER_OPENAI__SERVERS__OLLAMA__API_KEY": "sk-second",
}


async def test_a_second_server_answers_where_the_first_does_not(chat):
    async with (
        serve(status(503, {"error": {"message": "Too many."}})) as first,
        serve(events(chat.text("Hello from here."), *chat.end())) as second,
        running_host(
            {"carrier-provider-openai": carrier_provider_openai},
            config=CONFIG.format(first=first.url, second=second.url),
            environ=KEYS,
        ) as running,
    ):
        assert await running.ask("hello") == "Hello from here."
        assert running.host.embedding.model == "ollama/nomic/3"
        things = [*running.host.plugins.all(Provider), *running.host.plugins.all(Embedder)]
    assert "Bearer sk-first" in first.heads[0]
    assert ["Bearer sk-second" in head for head in second.heads if "chat" in head] == [True]
    assert [request["model"] for request in second.requests if "messages" in request] == ["qwen3"]
    ours = [each.thing for each in things if each.plugin == "carrier-provider-openai"]
    assert [each.name for each in ours] == ["openai", "ollama", "ollama/nomic"]
    assert [each._server._connection.client for each in ours] == [None] * 3, "connections are left open"
