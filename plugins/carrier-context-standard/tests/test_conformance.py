"""All context of this plugin keeps what the host relies on."""

from __future__ import annotations

import pytest

from carrier_context_standard import Settings, register_context
from carrier_core import (
    Action,
    AgentRuntime,
    Audience,
    Context,
    Effect,
    Entity,
    Memory,
    MemoryKind,
    Part,
    Provenance,
    Room,
    Turn,
    action,
    impl,
    make_id,
    person,
)
from carrier_core.testing import ContextConformance


class Past:
    """What was before: Ana has told a fact, a goal and who Ben is, and an action asks for what is dynamic."""

    @impl
    def register_actions(self) -> Action:
        return look_up

    @impl
    async def start_agent(self, agent: AgentRuntime) -> None:
        ana = Entity.of("fake", "ana", name="Ana")
        for native in ("dm/ana", "square"):
            room = Room.of("fake", native)
            said = Provenance((person(ana.id),), Audience((room.id,)))
            for kind in (MemoryKind.FACT, MemoryKind.GOAL, MemoryKind.RELATIONSHIP):
                key, part = make_id("memory", native, kind), Part(f"Ana has a {kind} with Ben.", provenance=said)
                memory = Memory(key, agent.name, room.id, kind, (part,), 1.0, said, ana.id, "Ana")
                await agent.memory.put((memory,))


@action(effect=Effect.READ)
async def look_up(turn: Turn, name: str) -> str:
    """Look up what is asked for."""
    return ""


NAMES = [context.name for context in register_context(Settings(actions=True))]


class TestContext(ContextConformance):
    trusted = True
    plugins = (Past(),)
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
