"""Which of the candidates are recalled."""

from __future__ import annotations

from carrier_core import AGENT, Audience, Memory, MemoryKind, Part, Provenance, Query, Readers, person
from carrier_core.recall.asked import read_query, speakers
from carrier_core.recall.choice import CANDIDATES, Choice, questions, with_answers
from carrier_core.recall.shelves import AGENT as BY_AGENT
from carrier_core.recall.shelves import QUESTION, pack

HERE = Audience(("here",))


def memory(text: str, *, key: str = "", entity: str = "ana", name: str = "Ana", audience: Audience = HERE) -> Memory:
    origin = person(entity) if entity else AGENT
    key = key or text
    return Memory(
        key, "tifa", "here", MemoryKind.MESSAGE, (Part(text),), 1.0, Provenance((origin,), audience), entity, name
    )


def chosen(text: str, *offered: Memory, names: tuple[str, ...] = (), **given: object) -> list[str]:
    """What is recalled of memories that were found with the same score each."""
    query = Query("tifa", text, **({"room": "here", "speaker": "ana", "readers": Readers("here")} | given))  # type: ignore[arg-type]
    choice = Choice(query, read_query(text, speakers(names)))
    for place, each in enumerate(offered, 1):
        choice.offer(1.0, pack(1, place, 0), each)
    return [found.memory.text for found in choice.recalled()]


def test_what_readers_may_not_know_is_never_recalled_wherever_it_was_found():
    assert chosen("porto?", memory("Porto", audience=Audience(("elsewhere",))), memory("In Porto.")) == ["In Porto."]


def test_what_the_query_excludes_is_left_out():
    told, known = memory("I live in Porto."), memory("Porto is old.")
    assert chosen("porto?", told, known, exclude=(known.id,)) == [told.text]
    assert chosen("porto?", told, kinds=(MemoryKind.FACT,)) == []


def test_what_one_asks_of_oneself_is_what_oneself_has_told():
    mine, hers, cousin = (
        memory("I live in Porto."),
        memory("I live in Oslo.", entity="bea", name="Bea"),
        memory("My cousin lives in Rome."),
    )
    assert chosen("Where do I live?", cousin, hers, mine) == [mine.text, hers.text, cousin.text]


def test_what_somebody_said_comes_first_where_they_are_named():
    hers, mine = memory("In Oslo.", entity="bea", name="Bea"), memory("In Porto.")
    assert chosen("Where is Bea?", mine, hers, names=("Bea", "Ana"))[0] == hers.text


def test_a_query_gets_as_many_as_it_wants_and_none_below_its_threshold():
    many = [memory(f"Porto {number}") for number in range(30)]
    assert len(chosen("porto?", *many, limit=3)) == 3
    assert chosen("porto?", *many, threshold=2.0) == []


def choice_of(text: str, **given: object) -> Choice:
    return Choice(Query("tifa", text, Readers("here"), room="here", speaker="ana", **given), read_query(text, ()))  # type: ignore[arg-type]


def test_no_more_is_wanted_where_nothing_could_be_better():
    choice = choice_of("porto?", limit=2)
    for place, score in enumerate((0.9, 0.8), 1):
        assert choice.wants(score)
        choice.offer(score, pack(1, place, 0), memory(f"Porto {place}"))
    assert not choice.wants(0.8)
    choice.offer(0.7, pack(1, 3, 0), memory("Porto 3"))
    assert [found.score for found in choice.recalled()] == [0.9, 0.8]


def test_more_is_wanted_as_long_as_its_text_could_make_it_the_best():
    choice = choice_of("Where do I live?", limit=1)
    choice.offer(0.9, pack(1, 1, 0), memory("My cousin lives in Rome."))
    assert choice.wants(0.8)
    choice.offer(0.8, pack(1, 2, 0), memory("I live in Porto."))
    assert not choice.wants(0.7)
    assert [found.memory.text for found in choice.recalled()] == ["I live in Porto."]


def test_no_more_is_looked_at_than_a_choice_has_place_for():
    choice = choice_of("Where do I live?", limit=1)
    for place in range(1, CANDIDATES + 1):
        assert choice.wants(1.0)
        choice.offer(1.0, pack(1, place, 0), memory(f"Porto {place}", entity="bea"))
        choice.offer(1.0, pack(1, place, 0), None)
    assert not choice.wants(1.0)


def test_nothing_is_wanted_where_nothing_is_asked_for():
    assert not choice_of("porto?", limit=0).wants(1.0)


def test_what_cannot_reach_the_threshold_is_not_wanted():
    assert not choice_of("porto?", threshold=0.5).wants(0.4)
    assert choice_of("Where do I live?", threshold=0.5).wants(0.4)


def test_an_answer_is_found_by_the_question_of_the_agent_before_it():
    asked = pack(1, 4, QUESTION | BY_AGENT)
    answer, question, later = pack(1, 5, 0), pack(1, 5, QUESTION), pack(1, 7, 0)
    ranked = [(1.0, pack(1, 1, 0)), (0.02, asked)]
    questioned = questions(ranked)
    assert [*questioned] == [asked]
    assert [row for _, row in with_answers(ranked, questioned, [(asked, answer)])] == [pack(1, 1, 0), answer, asked]
    assert with_answers(ranked, questioned, [(asked, question), (asked, later)]) == ranked
