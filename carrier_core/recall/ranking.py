"""Which of the rows that were found answer best, told from their numbers alone.

BM25 over single words, each counted once in a message; where a message lacks a word, one of its neighbours in the
conversation may have it, and counts for less: an answer need not repeat what it was asked.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cache
from math import log
from typing import NamedTuple

from carrier_core.recall.shelves import (
    AGENT,
    LENGTH_MASK,
    PLACE_BITS,
    PLACES,
    QUESTION,
    SELF,
    TRAIT_BITS,
    TRAITS,
    words_of,
)

NEAR = ((-1, 0.3), (1, 0.3), (-2, 0.15), (2, 0.15))
"""What a word counts that a neighbour has, by the distance: a window of five messages."""

LENGTH, TYPICAL = 0.15, 12
"""BM25's b, low because messages are short, and the length of a typical message in words."""

ASKING = 0.08
"""A message that only asks holds no answer: it stays below any statement that matches half as well."""
OWN_REPLY = 0.45
"""The agent's own words repeat what it was told, at best."""
OF_OTHERS = 0.6
"""The query says you: people's words tell of themselves, not of the agent."""
SELF_MATCH = 1.25
"""The query says I, and so does the message."""
RECENT = 0.02
"""What the newest message of a shelf has over the oldest: enough to part equals."""

WORDS, MEANING = 0.6, 0.4
"""What the words of a memory and its vector count where both are known, each scaled from its least to its best score:
better than fusing ranks, and of conversations words alone find more than vectors alone."""
ALIKE = 0.2
"""The least cosine of a memory that shares no word with the query: texts of nothing in common have less."""
BESIDE = 64
"""Memories found by their words, the best, whose vectors are compared too."""

Ranked = list[tuple[float, int]]
"""Rows with their scores, best first."""


class Found(NamedTuple):
    """The rows that have one word of a query, or one of its kin: which concept it belongs to and what that counts."""

    concept: int
    weight: float
    rows: list[int]


def rank(found: Iterable[Found], *, of_self: bool, of_agent: bool) -> Ranked:
    """All rows found, each with its score, best first."""
    lists = list(found)
    spots = {row >> TRAIT_BITS: row for each in lists for row in each.rows}  # shelf and place, without traits
    newest = {spot >> PLACE_BITS: spot & PLACES for spot in sorted(spots)}  # the last of a shelf stays
    matched = _matched(lists, spots, sum(newest.values()))
    weight = _weights(of_self, of_agent)
    recency = {shelf: RECENT / place for shelf, place in newest.items()}
    ranked = [
        (matched[spot] * weight[row & TRAITS] * (1 + recency[spot >> PLACE_BITS] * (spot & PLACES)), row)
        for spot, row in spots.items()
    ]
    ranked.sort(reverse=True)
    return ranked


def fuse(words: Sequence[tuple[float, int]], cosines: Mapping[int, float], *, of_self: bool, of_agent: bool) -> Ranked:
    """All rows that were found by their words or by their meaning, each with its score (about 1 at most), best first."""
    if not cosines:
        return list(words)
    bearing = _bearing(of_self, of_agent)
    # Scaled by what they matched alone: else a question that matches, and nothing else does, would become the best.
    best = max((score / bearing[row & TRAITS] for score, row in words), default=1.0)
    fused = {row: WORDS * score / best for score, row in words}
    # Where all there is bears on the query the least of it does too; and the same question asked before is no measure.
    low = min(ALIKE, *cosines.values())
    high = max((cosine for row, cosine in cosines.items() if not row & QUESTION), default=1.0)
    for row, cosine in cosines.items():
        if row in fused or cosine >= ALIKE:
            scaled = min(1.0, (cosine - low) / (high - low)) if high > low else 1.0
            fused[row] = fused.get(row, 0.0) + MEANING * scaled * bearing[row & TRAITS]
    return sorted(((score, row) for row, score in fused.items()), reverse=True)


@cache
def _bearing(of_self: bool, of_agent: bool) -> tuple[float, ...]:
    """For all traits of a message, how much it bears on a query, whatever it was found by."""
    weights = []
    for traits in range(TRAITS + 1):
        weight = ASKING if traits & QUESTION else 1.0
        if traits & AGENT:
            weight *= 1.0 if of_agent else OWN_REPLY
        elif of_agent:
            weight *= OF_OTHERS
        weights.append(weight * SELF_MATCH if of_self and traits & SELF else weight)
    return tuple(weights)


@cache
def _weights(of_self: bool, of_agent: bool) -> tuple[float, ...]:
    """For all traits of a message, what a word that it has counts: the less the longer it is."""
    bearing = _bearing(of_self, of_agent)
    return tuple([weight * _SHORTER[traits & LENGTH_MASK] for traits, weight in enumerate(bearing)])


def _matched(lists: Iterable[Found], spots: Container[int], total: int) -> dict[int, float]:
    """BM25 of every spot. Each concept counts once: by the word itself or its kin, in the message or near to it."""
    by_concept: dict[int, dict[int, float]] = {}
    for concept, weight, numbers in lists:
        best = by_concept.setdefault(concept, {})
        value = weight * _rarity(total, len(numbers))
        for number in numbers:
            spot = number >> TRAIT_BITS
            if best.get(spot, 0.0) < value:
                best[spot] = value
            for distance, part in NEAR:
                near = spot + distance
                if near in spots and best.get(near, 0.0) < value * part:
                    best[near] = value * part
    matched: dict[int, float] = {}
    for best in by_concept.values():
        for spot, value in best.items():
            matched[spot] = matched.get(spot, 0.0) + value
    return matched


def _rarity(total: int, holders: int) -> float:
    """BM25's weight of a word that ``holders`` of ``total`` messages have. The counts are those of the rooms searched,
    which the search yields anyway, and which say better than all rooms together what is rare in this one."""
    return log(1 + (max(total, holders) - holders + 0.5) / (holders + 0.5))


_SHORTER = {
    trait: 1 / (1 - LENGTH + LENGTH * min(4.0, max(0.5, words_of(trait) / TYPICAL)))
    for trait in range(0, LENGTH_MASK + 1, 8)
}
