"""The summary of a room, every so many turns, also over a restart."""

from __future__ import annotations

import json

import pytest

import carrier_evaluator_standard
from carrier_core import Memory, MemoryKind, Prompt, person
from carrier_core.testing import EchoProvider, HostUnderTest, InMemoryStore, running_host

pytestmark = pytest.mark.anyio

CONFIG = '[plugin.carrier-evaluator-standard]\nfacts = "off"\nsummary_every = 3\n'


class Summing:
    """A provider that sums up what it is shown by counting it."""

    def __init__(self) -> None:
        self.asked: list[Prompt] = []
        self.provider = EchoProvider(self.answer)

    def answer(self, prompt: Prompt) -> str:
        if prompt.schema is None:
            return "I see."
        self.asked.append(prompt)
        return json.dumps({"summary": f"Summary {len(self.asked)}."})


async def summaries(running: HostUnderTest) -> tuple[Memory, ...]:
    return await running.store.memory.list(kind=MemoryKind.FACT)


async def test_every_third_turn_of_a_room_is_summed_up() -> None:
    model = Summing()
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        ana = running.client.person("Ana")
        for number in range(1, 7):
            await running.ask(f"Line {number}.")
            assert len(model.asked) == number // 3
        (kept,) = await summaries(running)

    assert kept.text == "Summary 2."
    assert kept.data["attribute"] == "summary"
    assert [was["turn"] for was in kept.data["was"]]
    assert {person(ana.id), "agent"} <= set(kept.provenance.origins)
    first, second = ([part.text for part in prompt.select("line")] for prompt in model.asked)
    assert first[0] == "Ana: Line 1."
    assert "Ana: Line 3." in first
    assert "Ana: Line 4." in second
    assert "Ana: Line 3." not in second
    assert "Summary 1." in model.asked[1].select("summary")[0].text


async def test_turns_are_counted_over_a_restart(tmp_path) -> None:
    model, client = Summing(), None
    config = f'[plugins]\nenabled = ["carrier-memory-sqlite"]\n{CONFIG}'
    for number in range(1, 4):
        async with running_host(
            [carrier_evaluator_standard], config=config, provider=model.provider, client=client, folder=tmp_path
        ) as running:
            client = running.client
            await running.ask(f"Line {number}.")
            assert len(model.asked) == number // 3


async def test_each_room_has_its_own() -> None:
    model = Summing()
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        for number in range(2):
            for room in ("one", "other"):
                await running.ask(f"Line {number}.", room=room)
        assert model.asked == []
        await running.ask("Line 3.", room="one")
        (kept,) = await summaries(running)

    assert kept.provenance.audience.rooms == (kept.room,)


async def test_a_summary_that_failed_is_tried_again_in_the_next_turn() -> None:
    model = Summing()
    answers = iter(["no", "no"])
    provider = EchoProvider(
        lambda prompt: "I see." if prompt.schema is None else next(answers, None) or model.answer(prompt)
    )
    async with running_host(
        [carrier_evaluator_standard], config=CONFIG, provider=provider, store=InMemoryStore()
    ) as running:
        for number in range(3):
            await running.ask(f"Line {number}.")
        assert await summaries(running) == ()
        await running.ask("Line 4.")
        assert len(await summaries(running)) == 1
