"""A fact told, corrected and recalled, a goal set, updated and completed: in three lives of a daemon on its real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import carrier_evaluator_standard
from carrier_core import MemoryKind, Prompt, person
from carrier_core.testing import EchoProvider, FakeClient, HostUnderTest, running_host

pytestmark = pytest.mark.anyio

CONFIG = """
[plugins]
enabled = ["carrier-memory-sqlite", "carrier-context-standard"]

[policy]
trusted = ["carrier-context-standard"]

[agents.robin]
conversation_length = 2
memory.kinds = ["fact", "goal"]
"""


class Lives:
    """One daemon after another on the same folder, with the same people on the same platform."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client = FakeClient()

    @asynccontextmanager
    async def life(self) -> AsyncIterator[HostUnderTest]:
        provider = EchoProvider()
        async with running_host(
            [carrier_evaluator_standard], config=CONFIG, client=self._client, provider=provider, folder=self._folder
        ) as running:
            assert running.store.name == "sqlite"
            yield running


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    return Lives(tmp_path)


def brought(prompt: Prompt) -> list[str]:
    """What a prompt has besides the conversation and what is fixed."""
    keys = ("facts", "memories", "goals", "relationships")
    return [part.text for key in keys for part in prompt.select(key)]


async def test_a_fact_is_told_corrected_and_recalled(lives) -> None:
    async with lives.life() as running:
        await running.ask("Hi, my name is Ana and I live in Porto.")
        (told,) = [fact for fact in await running.store.memory.list(kind=MemoryKind.FACT) if "Porto" in fact.text]
    async with lives.life() as running:
        await running.ask("What a day.")
        await running.ask("By the way, I moved to Lisbon.")
    async with lives.life() as running:
        await running.ask("What a day, again.")
        await running.ask("Well then.")
        await running.ask("In which city do I live?")
        prompt = running.provider.prompts[-1]
        facts = await running.store.memory.list(kind=MemoryKind.FACT)
        ana = running.client.person("Ana")

    assert "Ana lives in Lisbon." in brought(prompt)
    assert not any("Porto" in part.text for part in prompt.parts)
    (home,) = facts  # that Ana's name is Ana is none
    assert home.id == told.id
    assert [was["value"] for was in home.data["was"]] == ["Porto"]
    assert home.data["was"][0]["turn"] == told.turn
    assert home.provenance.origins == (person(ana.id),)


async def test_a_goal_is_set_updated_and_completed(lives) -> None:
    async with lives.life() as running:
        await running.ask("My goal is to run a marathon: buy shoes, train every week and register.")
    async with lives.life() as running:
        await running.ask("I finished buying the shoes.")
        await running.ask("I'm done with the training.")
        await running.ask("What is left of my marathon?")
        prompt = running.provider.prompts[-1]
    async with lives.life() as running:
        await running.ask("I have registered. Done with registering!")
        await running.ask("What is left of my marathon?")
        (goal,) = await running.store.memory.list(kind=MemoryKind.GOAL)
        last = running.provider.prompts[-1]

    assert "Run a marathon. Done: buy shoes, train every week. Left: register." in brought(prompt)
    assert goal.data["status"] == "done"
    assert all(step["done"] for step in goal.data["steps"])
    assert [was["status"] for was in goal.data["was"]] == ["open", "open", "open"]
    assert last.select("goals") == ()


async def test_a_fact_that_is_no_more_is_known_as_such(lives) -> None:
    async with lives.life() as running:
        await running.ask("I like tea and coffee.")
    async with lives.life() as running:
        await running.ask("I don't like coffee any more.")
    async with lives.life() as running:
        await running.ask("What do I like?")
        prompt = running.provider.prompts[-1]

    assert "Ana likes tea." in brought(prompt)
    assert "Ana no longer likes coffee." in brought(prompt)
    assert "Ana likes coffee." not in brought(prompt)


async def test_who_knows_whom_outlives_the_daemon(lives) -> None:
    async with lives.life() as running:
        room = running.client.group("harbour")
        await running.client.ask(room, "Ben", "Morning!")
        await running.client.ask(room, "Ana", "Ben is my brother.")
    async with lives.life() as running:
        await running.client.ask(room, "Ana", "Ben is my cousin, sorry.")
        await running.client.ask(room, "Ana", "Actually, Ben is my cousin.")
        (known,) = await running.store.memory.list(kind=MemoryKind.RELATIONSHIP)

    assert known.text == "Ben is Ana's cousin."
    assert [was["tag"] for was in known.data["was"]] == ["brother"]
