"""All context of this plugin keeps what the host relies on."""

from __future__ import annotations

import pytest

from carrier_context_standard import Settings, register_context
from carrier_core import Context
from carrier_core.testing import ContextConformance

NAMES = [context.name for context in register_context(Settings(actions=True))]


class TestContext(ContextConformance):
    trusted = True
    character = {"name": "Robin", "bio": ["Robin keeps a lighthouse."], "knowledge": ["It has 99 steps."]}

    @pytest.fixture(params=NAMES)
    def context(self, request: pytest.FixtureRequest) -> Context:
        return {context.name: context for context in register_context(Settings(actions=True))}[request.param]


class TestOwnTemplate(TestContext):
    character = {
        "name": "Robin",
        "templates": {
            "system_template": "{{agentName}} and {{senderName}}: {{recentMessages}} {{time}} {{attachments}}"
        },
    }

    @pytest.fixture
    def context(self) -> Context:
        return next(context for context in register_context(Settings()) if context.name == "character")
