"""What is remembered, as whose words, and what is forgotten."""

from __future__ import annotations

import pytest

from carrier_actions_standard.facts import Forget
from carrier_core import ActionCall, MemoryKind, NotSent, person
from carrier_core.testing import running_turn

pytestmark = pytest.mark.anyio


async def facts(talk) -> list[str]:
    """The facts that are stored, the oldest first."""
    return [fact.text for fact in reversed(await talk.memory.list(kind=MemoryKind.FACT))]


async def remembered(talk, *texts: str, person: str = "Ana", room: str = "main") -> None:
    for text in texts:
        await talk.call(f"Robin, remember: {text}", "remember", text=text, person=person, room=room)


async def test_what_a_model_writes_down_is_a_fact_of_the_room_and_not_the_persons_word(talk) -> None:
    told = await talk.call("I live in Porto.", "remember", text="Ana lives in Porto.")

    (fact,) = await talk.memory.list(kind=MemoryKind.FACT)
    assert fact.text == "Ana lives in Porto."
    assert set(fact.provenance.origins) == {"agent", person(talk.client.person("Ana").id)}
    assert (fact.provenance.plugin, fact.provenance.hook) == ("carrier-actions-standard", "remember.perform")
    assert told.text == "Remembered: Ana lives in Porto."


async def test_what_the_person_says_word_for_word_is_theirs(talk) -> None:
    await talk.call("Please remember: I live in Porto.", "remember", text="I live in Porto.")

    (fact,) = await talk.memory.list(kind=MemoryKind.FACT)
    assert fact.provenance.origins == (person(talk.client.person("Ana").id),)


async def test_a_fact_is_forgotten_by_its_own_words(talk) -> None:
    await remembered(talk, "I live in Porto.", "I have a dog.")

    told = await talk.call("Forget that I have a dog.", "forget", what="I have a dog")

    assert "I have a dog." in told.text
    assert await facts(talk) == ["I live in Porto."]


async def test_a_fact_is_forgotten_by_the_words_that_tell_it_from_others(talk) -> None:
    await remembered(talk, "Ana lives in Porto.", "Ana's dog is called Rex.")

    await talk.call("Forget where I live.", "forget", what="where I live")

    assert await facts(talk) == ["Ana's dog is called Rex."]


async def test_where_several_fit_it_is_asked_which_and_all_can_be_meant(talk) -> None:
    await remembered(talk, "Ana's dog is called Rex.", "Ana's dog is old.", "Ana lives in Porto.")

    told = await talk.call("Forget my dog.", "forget", what="my dog")
    assert told.failed
    assert "called Rex" in told.text
    assert "is old" in told.text
    assert len(await facts(talk)) == 3

    assert not (await talk.call("Forget my dog.", "forget", what="my dog", every=True)).failed
    assert await facts(talk) == ["Ana lives in Porto."]


@pytest.mark.parametrize("what", ["tea", "I like tea", "Ana likes tea.", "that I like tea"])
async def test_facts_that_say_the_same_are_forgotten_as_one(talk, what: str) -> None:
    await remembered(talk, "I like tea", "Ana likes tea.", "I like coffee")

    told = await talk.call("Forget the tea.", "forget", what=what)

    assert not told.failed
    assert await facts(talk) == ["I like coffee"]


async def test_what_nothing_fits_is_told_with_what_there_is(talk) -> None:
    await remembered(talk, "Ana lives in Porto.")

    for what in ("my car", "it"):
        told = await talk.call("Forget it.", "forget", what=what)
        assert told.failed
        assert "- Ana lives in Porto." in told.text
    assert await facts(talk) == ["Ana lives in Porto."]


async def test_nobody_has_what_another_person_said_forgotten(talk) -> None:
    hall = talk.client.group("hall")
    await remembered(talk, "I live in Porto.", room=hall)
    told = await talk.call(
        "Robin, forget that Ana lives in Porto.", "forget", what="I live in Porto", room=hall, person="Ben"
    )

    assert told.failed
    assert "Porto.”" not in told.text
    assert await facts(talk) == ["I live in Porto."]


async def test_what_was_told_elsewhere_is_neither_told_nor_forgotten_where_others_read_it(talk) -> None:
    await remembered(talk, "My salary is 100.", room=talk.client.dm("Ana"))
    hall = talk.client.group("hall")
    await talk.client.ask(hall, "Ben", "Robin, hello.")

    told = await talk.call("Robin, forget my salary.", "forget", what="salary", room=hall)

    assert told.failed
    assert "100" not in told.text
    assert await facts(talk) == ["My salary is 100."]


async def test_what_this_turn_has_remembered_can_be_forgotten_in_it(talk) -> None:
    talk.provider.then(
        talk.calls(("remember", {"text": "I live in Porto."})), talk.calls(("forget", {"what": "Porto"})), "Well."
    )
    await talk.running.ask("I live in Porto. No, forget it.")

    assert await facts(talk) == []


async def test_nobody_has_forgotten_what_was_noted_when_another_person_spoke(talk) -> None:
    hall = talk.client.group("hall")
    await talk.client.ask(hall, "Ana", "Robin, hello.")
    await talk.call(
        "Robin, remember: Ben lives in Faro.", "remember", text="Ben lives in Faro.", room=hall, person="Ben"
    )

    assert (await talk.call("Robin, forget Faro.", "forget", what="Faro", room=hall)).failed
    assert await facts(talk) == ["Ben lives in Faro."]


async def test_what_is_in_doubt_was_forgotten_where_it_is_not_there_any_more() -> None:
    forget = Forget()
    async with running_turn("Forget that I live in Porto.") as turn:
        call = ActionCall("1", "forget", {"what": "Porto"}, turn.spoken)
        assert "any more" in (await forget.find(turn, call)).text

        await turn.remember("Ana lives in Porto.")
        assert isinstance(await forget.find(turn, call), NotSent)
