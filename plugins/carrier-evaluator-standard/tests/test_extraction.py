"""Facts that a small model finds, and what becomes of answers that cannot be read."""

from __future__ import annotations

import json

import pytest

import carrier_evaluator_standard
from carrier_core import MemoryKind, Prompt, ProviderError, person
from carrier_core.testing import EchoProvider, running_host

pytestmark = pytest.mark.anyio

CONFIG = '[plugin.carrier-evaluator-standard]\nfacts = "model"\n'


class Understanding:
    """A provider whose answers to questions with a schema are queued; everything else is answered with a word."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked: list[Prompt] = []
        self.provider = EchoProvider(self.answer)

    def answer(self, prompt: Prompt) -> str | Exception:
        if prompt.schema is None:
            return "I see."
        self.asked.append(prompt)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, (str, Exception)) else json.dumps(answer)


def fact(attribute: str, value: str, subject: str = "speaker", **fields: object) -> dict[str, object]:
    return {
        "subject": subject,
        "attribute": attribute,
        "value": value,
        "sentence": "",
        "corrects": "",
        "ended": False,
        **fields,
    }


def found(*facts: dict[str, object], relationships: tuple[dict[str, object], ...] = ()) -> dict[str, object]:
    return {"facts": list(facts), "relationships": list(relationships)}


async def test_one_call_brings_facts_and_relationships() -> None:
    links = ({"name": "Bob", "tag": "brother", "ended": False},)
    model = Understanding(found(fact("home", "Porto"), fact("likes", "tea"), relationships=links))
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        ana = running.client.person("Ana")
        await running.ask("Sou a Ana, vivo no Porto e gosto de tea; o Bob é meu brother.")
        facts = await running.store.memory.list(kind=MemoryKind.FACT)
        (known,) = await running.store.memory.list(kind=MemoryKind.RELATIONSHIP)
        record = await running.last()

    assert sorted(memory.text for memory in facts) == ["Ana likes tea.", "Ana lives in Porto."]
    assert {memory.provenance.origins for memory in facts} == {(person(ana.id),)}
    assert known.text == "Bob is Ana's brother."
    (prompt,) = model.asked
    assert prompt.model == "small"
    assert record.outcome.usage.calls == 2


async def test_what_is_not_in_the_persons_words_is_not_their_word() -> None:
    model = Understanding(found(fact("home", "Lisbon"), fact("word of the day", "swordfish")))
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        ana = running.client.person("Ana")
        await running.ask("I live where the Tejo ends, swordfish.")
        facts = await running.store.memory.list(kind=MemoryKind.FACT)

    for memory in facts:
        assert {person(ana.id), "agent", "outside:plugin/carrier-evaluator-standard"} <= set(memory.provenance.origins)


async def test_secrets_are_no_facts() -> None:
    model = Understanding(
        found(fact("wifi password", "swordfish"), fact("note", "sk-proj-Zq8Lx2Vt7Nw4Rk9Bs3Hd6Jf1Mp5Gc0Ty"))
    )
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        await running.ask("The wifi password is swordfish")
        assert await running.store.memory.list(kind=MemoryKind.FACT) == ()


async def test_what_it_corrects_is_corrected_and_the_known_facts_are_shown_to_it() -> None:
    model = Understanding(
        found(fact("likes", "tea")),
        found(fact("likes", "cocoa", corrects="tea"), fact("home", "Faro")),
        found(fact("home", "Faro", ended=True)),
    )
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        for text in ("I like tea", "It is cocoa that I like, in Faro", "I left Faro"):
            await running.ask(text)
        facts = await running.store.memory.list(kind=MemoryKind.FACT)

    assert sorted(memory.text for memory in facts) == ["Ana likes cocoa.", "Ana no longer lives in Faro."]
    assert "Ana likes tea." in [part.text for part in model.asked[1].select("fact")]


async def test_facts_of_others_stand_beside_the_speakers_own() -> None:
    model = Understanding(found(fact("home", "Porto"), fact("home", "Faro", subject="Bob")))
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        await running.ask("I live in Porto, Bob in Faro")
        facts = await running.store.memory.list(kind=MemoryKind.FACT)

    assert sorted(memory.text for memory in facts) == ["Ana lives in Porto.", "Bob lives in Faro."]


@pytest.mark.parametrize(
    "junk",
    [
        "I found nothing, sorry.",
        "[]",
        '{"facts": "none"}',
        '{"facts": [{"subject": 1}]}',
        "{",
        json.dumps(found(fact("x", "y" * 5_000))),
    ],
)
async def test_an_answer_that_cannot_be_read_is_asked_for_once_more(junk: str) -> None:
    model = Understanding(junk, found(fact("home", "Porto")))
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        await running.ask("I live in Porto")
        facts = await running.store.memory.list(kind=MemoryKind.FACT)

    assert [memory.text for memory in facts] == ["Ana lives in Porto."]
    assert "could not be read" in model.asked[1].messages[-1].text


async def test_what_cannot_be_read_twice_is_skipped_and_logged(capsys) -> None:
    model = Understanding("no", "no again")
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        assert await running.ask("I live in Porto. My goal is to run.") == "I see."
        kinds = {memory.kind for memory in await running.store.memory.list()}
        assert running.told("plugin_failed") == []

    assert kinds == {MemoryKind.MESSAGE, MemoryKind.GOAL}
    assert len(model.asked) == 2
    told = capsys.readouterr()
    assert "model_not_understood" in told.out + told.err


async def test_a_model_that_does_not_answer_costs_nothing_but_its_facts() -> None:
    model = Understanding(*[ProviderError("It is down.", reason="rejected")] * 4)
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        assert await running.ask("I live in Porto. My goal is to run.") == "I see."
        assert (await running.last()).outcome.status == "replied"
        assert {event.plugin for event in running.told("plugin_failed")} == {"carrier-testing"}
        assert [memory.text for memory in await running.store.memory.list(kind=MemoryKind.GOAL)] == ["Run."]


async def test_a_fence_around_the_answer_is_taken_off() -> None:
    model = Understanding(f"```json\n{json.dumps(found(fact('home', 'Porto')))}\n```")
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        await running.ask("I live in Porto")
        assert len(await running.store.memory.list(kind=MemoryKind.FACT)) == 1


async def test_what_nobody_was_answered_costs_no_call() -> None:
    model = Understanding()
    async with running_host([carrier_evaluator_standard], config=CONFIG, provider=model.provider) as running:
        await running.client.ask(running.client.group("harbour"), "Ana", "I live in Porto.")
        facts = await running.store.memory.list(kind=MemoryKind.FACT)

    assert [memory.text for memory in facts] == ["Ana lives in Porto."]  # by the rules
    assert model.asked == []


class Paid(EchoProvider):
    """A provider that counts as a real one."""

    name = "paid"
    last_resort = False
    free = False


@pytest.mark.parametrize(("kind", "calls"), [(EchoProvider, 0), (Paid, 1)])
async def test_auto_asks_a_model_only_where_one_understands(kind: type[EchoProvider], calls: int) -> None:
    model = Understanding(found(fact("home", "Porto")))
    provider = kind(model.answer)
    async with running_host([carrier_evaluator_standard], provider=provider) as running:
        await running.ask("I live in Porto.")
        facts = await running.store.memory.list(kind=MemoryKind.FACT)

    assert len(model.asked) == calls
    assert [memory.text for memory in facts] == ["Ana lives in Porto."]
