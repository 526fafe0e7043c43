"""Ranking from row numbers alone."""

from __future__ import annotations

from carrier_core.recall.ranking import ALIKE, Found, fuse, rank
from carrier_core.recall.shelves import AGENT, QUESTION, SELF, length_trait, pack

WORDS = length_trait(8)


def order(*found: Found, of_self: bool = False, of_agent: bool = False) -> list[int]:
    return [row for _, row in rank(found, of_self=of_self, of_agent=of_agent)]


def test_rare_words_count_for_more():
    rare, common = pack(1, 1, WORDS), [pack(1, place, WORDS) for place in range(10, 100, 10)]
    assert order(Found(0, 1.0, [rare]), Found(1, 1.0, common))[0] == rare


def test_two_words_count_for_more_than_one():
    both, one = pack(1, 1, WORDS), pack(1, 50, WORDS)
    assert order(Found(0, 1.0, [both, one]), Found(1, 1.0, [both]))[0] == both


def test_a_word_and_its_kin_count_once():
    both, one, far = pack(1, 1, WORDS), pack(1, 50, WORDS), pack(1, 99, WORDS)
    ranked = rank([Found(0, 1.0, [both, far]), Found(0, 0.5, [both, one])], of_self=False, of_agent=False)
    scores = {row: score for score, row in ranked}
    assert scores[far] > scores[both] * 0.99
    assert scores[both] > scores[one]


def test_a_neighbour_lends_its_words():
    near, lender, alone = pack(1, 10, WORDS), pack(1, 11, WORDS), pack(1, 90, WORDS)
    ranked = rank([Found(0, 1.0, [near, alone]), Found(1, 1.0, [lender])], of_self=False, of_agent=False)
    scores = {row: score for score, row in ranked}
    assert scores[near] > scores[alone]


def test_questions_and_the_agents_replies_come_after_what_people_said():
    said, asked, replied = pack(1, 10, WORDS), pack(1, 30, WORDS | QUESTION), pack(1, 50, WORDS | AGENT)
    assert order(Found(0, 1.0, [said, asked, replied])) == [said, replied, asked]
    assert order(Found(0, 1.0, [said, asked, replied]), of_agent=True)[0] == replied


def test_who_asks_of_themselves_wants_what_was_told_of_self():
    told, other = pack(1, 10, WORDS | SELF), pack(1, 30, WORDS)
    assert order(Found(0, 1.0, [told, other]))[0] == other
    assert order(Found(0, 1.0, [told, other]), of_self=True)[0] == told


def test_equals_are_parted_by_recency():
    rows = [pack(1, place, WORDS) for place in (10, 30, 50)]
    assert order(Found(0, 1.0, rows)) == rows[::-1]


def fused(words: list[tuple[float, int]], cosines: dict[int, float]) -> list[int]:
    return [row for _, row in fuse(words, cosines, of_self=False, of_agent=False)]


def test_without_vectors_the_words_decide():
    assert fused([(2.0, 5), (1.0, 7)], {}) == [5, 7]


def test_what_has_words_and_meaning_comes_before_what_has_one():
    both, words, meaning = (pack(1, place, WORDS) for place in (10, 20, 30))
    assert fused([(3.0, words), (2.9, both)], {both: 0.6, meaning: 0.61, words: 0.1})[0] == both


def test_what_is_like_nothing_is_found_by_its_words_alone():
    words, unlike = pack(1, 10, WORDS), pack(1, 20, WORDS)
    assert fused([(1.0, words)], {words: 0.0, unlike: ALIKE - 0.01}) == [words]


def test_the_same_question_asked_before_is_no_answer():
    asked, answer = pack(1, 10, WORDS | QUESTION), pack(1, 20, WORDS)
    assert fused([(0.1, asked)], {asked: 1.0, answer: 0.3}) == [answer, asked]
