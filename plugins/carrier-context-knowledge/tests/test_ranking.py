"""Which fragments answer best."""

from __future__ import annotations

import pytest

from carrier_context_knowledge.chunks import Chunk
from carrier_context_knowledge.library import said
from carrier_context_knowledge.ranking import ranked, widened
from carrier_core import Memory, MemoryKind, Provenance, Recalled


def found(*chunks: Chunk, scores: tuple[float, ...] = ()) -> list[Recalled]:
    return [
        Recalled(
            Memory(f"{at:032x}", "robin", "", MemoryKind.FRAGMENT, said(chunk), 0.0, Provenance(), name="a.md"),
            scores[at] if scores else 1.0,
        )
        for at, chunk in enumerate(chunks)
    ]


def best(text: str, *chunks: Chunk) -> str:
    return ranked(text, found(*chunks))[0].memory.content[-1].text


def test_what_says_it_more_often_is_better() -> None:
    often, once = Chunk("Budgets bound budgets of a budget."), Chunk("A budget is a thing that some people have.")

    assert best("What is a budget?", once, often) == often.text


def test_what_is_called_so_is_better() -> None:
    about, beside = (
        Chunk("Write it down.", ("Money", "Budgets")),
        Chunk("A budget is no wage, nor is a budget rent.", ("Work",)),
    )

    assert best("What about budgets?", beside, about) == about.text


def test_what_answers_more_of_the_question_is_better() -> None:
    both, one = (
        Chunk("Holidays of part-timers are fewer."),
        Chunk("Holidays, holidays, holidays: everybody likes holidays."),
    )

    assert best("How many holidays do part-timers have?", one, both) == both.text


def test_the_stores_own_score_counts_where_words_say_nothing() -> None:
    chunks = (Chunk("One."), Chunk("Two."))

    order = [each.memory.content[0].text for each in ranked("Tea?", found(*chunks, scores=(0.2, 0.8)))]

    assert order == ["Two.", "One."]


def test_the_best_counts_as_1_and_equals_are_in_one_order() -> None:
    given = found(Chunk("Tea."), Chunk("Tea."), Chunk("Soup."))

    once = ranked("Is there tea?", given)

    assert [each.score for each in once][:2] == [1.0, 1.0]
    assert once[2].score < 1.0
    assert ranked("Is there tea?", given[::-1]) == once
    assert ranked("Is there tea?", []) == []


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("How is a budget set?", ["budgets"]),
        ("Which policies are there?", ["policy"]),
        ("Is there a valley near the city?", ["valleys", "cities"]),
        ("Tell me about people who live beside the harbour and sell fish to tourists every morning.", []),
        ("漢字?", []),
        ("", []),
    ],
)
def test_a_question_asks_for_singular_and_plural_where_there_is_room(text: str, more: list[str]) -> None:
    wide = widened(text)

    assert wide.startswith(text)
    assert {*more} <= {*wide.removeprefix(text).split()}
    assert bool(more) == (wide != text)
