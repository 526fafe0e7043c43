"""Embedding, through a real host: the store's memories get their vectors, whatever the embedder does."""

from __future__ import annotations

import re

import anyio
import pytest

from carrier_core import Embedder, ProviderError, Usage, embedding, impl
from carrier_core.providing import tell_usage

pytestmark = pytest.mark.anyio

SYNONYMS = {"automobile": "car", "vehicle": "car", "physician": "doctor"}
SMALL_TALK = {"i", "a", "my", "is", "the", "have", "do", "what", "where", "an"}


class Meaning(Embedder):
    """Understands a few words and their synonyms: each is a direction of its own. ``fails`` is raised as often as it says."""

    def __init__(self, name: str = "meaning", dimension: int = 32) -> None:
        self.name = name
        self.dimension = dimension
        self.asked: list[tuple[str, ...]] = []
        self.fails: list[Exception] = []
        self.hates = ""
        self.width = dimension
        self._directions: dict[str, int] = {}

    async def embed(self, texts: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
        self.asked.append(texts)
        if self.fails:
            raise self.fails.pop(0)
        if self.hates and any(self.hates in text for text in texts):
            raise ProviderError("That text is not welcome.", reason="invalid")
        return tuple(self._vector(text) for text in texts)

    def _vector(self, text: str) -> tuple[float, ...]:
        words = [SYNONYMS.get(word, word) for word in re.findall(r"\w+", text.lower()) if word not in SMALL_TALK]
        vector = [0.0] * self.width
        for word in words:
            vector[self._directions.setdefault(word, len(self._directions) % self.width)] += 1.0
        return tuple(vector)

    @property
    def embedded(self) -> list[str]:
        """Every text that it was given, in order."""
        return [text for texts in self.asked for text in texts]


class Remembering:
    """A plugin that recalls what is said, and keeps what it found."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder
        self.found: list[str] = []

    @impl
    def register_embedders(self) -> Embedder | None:
        return self._embedder

    @impl
    async def provide_state(self, turn) -> None:
        found = [recalled.memory for recalled in await turn.recall(turn.message.text)]
        self.found = [memory.text for memory in found if not memory.by_agent]


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """No test waits for the embedder to be asked again."""
    monkeypatch.setattr(embedding, "SOON", 0.005)
    monkeypatch.setattr(embedding, "LATE", 0.005)


async def embedded(running) -> None:
    """Wait until every memory has its vector."""
    with anyio.fail_after(10):
        while await running.store.memory.unembedded(running.host.embedding.model, limit=1):
            await anyio.lowlevel.checkpoint()


async def test_a_memory_is_found_by_what_it_means(make_host):
    plugin = Remembering(Meaning())
    async with make_host([plugin]) as running:
        await running.ask("My automobile is red.")
        await running.ask("The weather is nice.")
        await embedded(running)
        await running.ask("What car do I have?")
    assert plugin.found[0] == "My automobile is red."


async def test_without_an_embedder_nothing_is_embedded(make_host):
    plugin = Remembering(None)
    async with make_host([plugin]) as running:
        await running.ask("My automobile is red.")
        await running.ask("Which vehicle?")
        assert running.host.embedding is None
    assert "My automobile is red." not in plugin.found


async def test_what_waits_when_a_host_stops_is_embedded_by_the_next(make_host):
    async with make_host([Remembering(None)]) as running:
        await running.ask("My automobile is red.")
        kept = {"store": running.store, "client": running.client}
    plugin = Remembering(Meaning())
    async with make_host([plugin], **kept) as running:
        await embedded(running)
        await running.ask("What car do I have?")
    assert plugin.found[0] == "My automobile is red."


async def test_a_failing_embedder_is_reported_and_asked_again(make_host):
    meaning = Meaning()
    meaning.fails = [ProviderError("Too much.", reason="overloaded", retry_after=0.0) for _ in range(4)]
    plugin = Remembering(meaning)
    async with make_host([plugin]) as running:
        assert await running.ask("My automobile is red.")
        await embedded(running)
        assert {event.data["message"] for event in running.told("plugin_failed")} == {"ProviderError: Too much."}
        await running.ask("What car do I have?")
        assert running.host.degraded == {}
    assert plugin.found[0] == "My automobile is red."


@pytest.mark.parametrize("error", [ProviderError("Down.", reason="connection"), RuntimeError("Down.")])
async def test_recall_goes_on_without_a_vector(make_host, error):
    meaning = Meaning()
    plugin = Remembering(meaning)
    async with make_host([plugin]) as running:
        await running.ask("My automobile is red.")
        await embedded(running)
        meaning.fails = [error]
        await running.ask("What automobile do I have?")
        (failure,) = running.told("plugin_failed")
        assert failure.plugin == "remembering"
        assert (await running.last()).outcome.status == "replied"
    assert plugin.found[0] == "My automobile is red."


async def test_a_slow_embedder_costs_a_turn_only_its_vector(make_host, monkeypatch):
    monkeypatch.setattr(embedding, "QUESTION", 0.01)

    class Slow(Meaning):
        async def embed(self, texts):
            if texts == ("What automobile do I have?",):
                await anyio.sleep_forever()
            return await super().embed(texts)

    plugin = Remembering(Slow())
    async with make_host([plugin]) as running:
        await running.ask("My automobile is red.")
        await running.ask("What automobile do I have?")
        (failure,) = running.told("plugin_failed")
        assert failure.data["how"] == "timed_out"
    assert plugin.found[0] == "My automobile is red."


async def test_a_text_that_is_refused_is_left_out_and_the_rest_goes_on(make_host):
    meaning = Meaning()
    plugin = Remembering(meaning)
    async with make_host([plugin], config="[limits]\nbreaker_failures = 1000") as running:
        meaning.hates = "herring"
        for text in ("A herring, red.", "My automobile is red.", "The weather is nice."):
            await running.ask(text)
        await embedded(running)
        await running.ask("What car do I have?")
    assert plugin.found[0] == "My automobile is red."


async def test_an_embedder_that_refuses_everything_is_asked_again_later(make_host):
    meaning = Meaning()
    plugin = Remembering(meaning)
    async with make_host([plugin]) as running:
        meaning.hates = " "
        await running.ask("My automobile is red.")
        with anyio.fail_after(10):
            while embedding.PLAIN not in meaning.embedded:
                await anyio.lowlevel.checkpoint()
        meaning.hates = ""
        await embedded(running)
        await running.ask("What car do I have?")
    assert plugin.found[0] == "My automobile is red."


async def test_vectors_of_the_wrong_length_are_not_kept(make_host):
    meaning = Meaning()
    meaning.width = 5
    plugin = Remembering(meaning)
    async with make_host([plugin]) as running:
        await running.ask("My automobile is red.")
        await running.ask("What car do I have?")
        assert "vector of 32 numbers" in running.host.degraded["embedder meaning"]
        assert "My automobile is red." not in plugin.found
        meaning.width = 32
        await embedded(running)
        await running.ask("What car do I have?")
    assert "My automobile is red." in plugin.found


async def test_another_dimension_is_another_embedder(make_host):
    async with make_host([Remembering(Meaning(dimension=32))]) as running:
        await running.ask("My automobile is red.")
        await embedded(running)
        kept = {"store": running.store, "client": running.client}
    wider = Meaning(dimension=48)
    plugin = Remembering(wider)
    async with make_host([plugin], **kept) as running:
        await embedded(running)
        assert "My automobile is red." in wider.embedded
        await running.ask("What car do I have?")
        assert plugin.found[0] == "My automobile is red."
    plugin = Remembering(Meaning(dimension=32))
    async with make_host([plugin], **kept) as running:
        await embedded(running)
        assert "My automobile is red." not in plugin._embedder.embedded  # its vector was kept


async def test_many_memories_are_embedded_in_batches_and_long_ones_cut(make_host):
    async with make_host([Remembering(None)]) as running:
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(running.ask, f"This is number {number}. {'word ' * 2_000}")
        kept = {"store": running.store, "client": running.client}
    meaning = Meaning()
    async with make_host([Remembering(meaning)], **kept) as running:
        await embedded(running)
    assert [len(texts) for texts in meaning.asked] == [64, 16]
    assert max(len(text) for text in meaning.embedded) == embedding.LETTERS


async def test_a_text_is_embedded_once_however_often_it_comes(make_host):
    meaning = Meaning()
    async with make_host([Remembering(meaning)]) as running:
        await running.ask("The cat sleeps.", room="one")
        await embedded(running)
        await running.ask("The cat sleeps.", room="two")
        await embedded(running)
        assert meaning.embedded.count("The cat sleeps.") == 1
        assert meaning.embedded.count("You said: The cat sleeps.") == 1


PRICED = '[models."test/meaning"]\ninput = 1000000\noutput = 0\n'  # a dollar for each token


async def test_what_is_embedded_counts_as_use_of_its_model(make_host):
    async with make_host([Remembering(Meaning("test/meaning"))], config=PRICED) as running:
        await running.ask("My automobile is red.")
        await embedded(running)
        await running.host.spending.flush()
        (used,) = await running.store.journal.spent(scope=("use", ""))
        assert used.scope[3:] == ("test", "meaning")
        assert used.usage.calls == 2
        assert used.usage.cost == used.usage.input * 1_000_000_000 > 0


async def test_what_the_service_says_that_it_read_counts(make_host):
    class Telling(Meaning):
        async def embed(self, texts):
            tell_usage(Usage(1_000 * len(texts), calls=1))
            return await super().embed(texts)

    async with make_host([Remembering(Telling("test/meaning"))]) as running:
        await running.ask("It is red.")
        await embedded(running)
        await running.host.spending.flush()
        (used,) = await running.store.journal.spent(scope=("use", ""))
        assert used.usage.input == 1_000 * used.usage.calls > 0


async def test_a_budget_bounds_what_is_embedded_and_the_talk_goes_on(make_host):
    meaning = Meaning("test/meaning")
    async with make_host([Remembering(meaning)], config=PRICED + "[[budgets]]\nusd = 10\n") as running:
        assert await running.ask("My automobile is red and has four wheels, which are round.")
        assert await running.ask("It is red.") == "You said: It is red."
        assert meaning.embedded == ["It is red."]
        assert "The budget of $10.00 per day has no room" in running.host.degraded["embedder test/meaning"]


async def test_a_question_does_not_wait_for_a_rate_limit(make_host, monkeypatch):
    monkeypatch.setattr(embedding, "QUESTION", 0.01)
    plugin = Remembering(Meaning("test/meaning"))
    async with make_host([plugin], config="[limits.providers.test]\nat_once = 1\n") as running:
        async with running.host.asking.pace("test").turn("somebody else"):
            assert await running.ask("It is red.") == "You said: It is red."
        await embedded(running)
