"""What every provider keeps, kept by this one: under the built-in rules, and under a file that calls and fails."""

from __future__ import annotations

import pytest

from carrier_core import Part, Prompt, PromptMessage, Tool
from carrier_core.testing import ProviderConformance
from carrier_provider_scripted.provider import ScriptedProvider
from carrier_provider_scripted.rules import Rules

RULES = """
version = 1

[[rules]]
contains = "weather"
when = { tools = ["get_weather"], after_result = false }
calls = [{ name = "get_weather", arguments = { city = "Porto" } }, { name = "get_weather", arguments = { city = "Faro" } }]
"""


class TestScripted(ProviderConformance):
    echoes = True

    @pytest.fixture
    def provider(self, tmp_path):
        path = tmp_path / "rules.toml"
        path.write_text(RULES, encoding="utf-8")
        return ScriptedProvider(Rules(path))

    @pytest.fixture
    def failing(self, tmp_path):
        path = tmp_path / "failing.toml"
        path.write_text("version = 1\n[[rules]]\nfailure = { reason = 'server' }\n", encoding="utf-8")
        return ScriptedProvider(Rules(path))

    @pytest.fixture
    def calling(self):
        tool = Tool("get_weather", "The weather of a city.", {"type": "object"})
        return Prompt((PromptMessage("user", (Part("How is the weather?"),)),), (tool,))

    test_what_is_missing_is_a_sentence_and_no_answer = None  # it needs nothing that it could lack
