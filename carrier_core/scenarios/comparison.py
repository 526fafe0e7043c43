"""Comparing two runs: which figures differ by more than chance would have it.

The rule: a permutation test over conversations (Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 2005). If it
made no difference which run a conversation belongs to, the runs could be exchanged; so they are, in each conversation that
both have, in every possible way or in 2,000 random ones (always the same), and the share of ways in which the difference is at
least as large as the one found is its *chance*. From 5 % on the difference is within noise. Where the runs do not have the
same conversations, conversations are dealt to the two runs anew instead. Of fewer than 6 common conversations, or 4 on either
side, even the clearest difference could be chance: these are too few to tell.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from carrier_core.scenarios.metrics import FIGURES, Conversation, Metrics, Sum, mean

Pair = tuple[Sum, Sum]

NOISE = 0.05
_WAYS = 2_000
_LEAST_PAIRS, _LEAST_EACH = 6, 4
_NOTHING: Sum = (0.0, 0)


class Difference(msgspec.Struct, frozen=True):
    """A figure of two runs. ``samples`` are those of each; ``chance`` is None where nothing can be said."""

    figure: str
    first: float
    second: float
    samples: tuple[int, int]
    verdict: Literal["better", "worse", "differs", "within noise", "too few to tell", "the same"]
    chance: float | None = None

    @property
    def change(self) -> float:
        """From the first run to the second."""
        return self.second - self.first


class Comparison(msgspec.Struct, frozen=True):
    """Two runs side by side. ``paired`` is the number of conversations that both have, 0 where they do not have the same.
    ``notes`` are what else has to be known to read it."""

    differences: tuple[Difference, ...]
    conversations: tuple[int, int]
    paired: int
    notes: tuple[str, ...] = ()


def compare(first: Metrics, second: Metrics) -> Comparison:
    """Every figure that both runs have."""
    pairs = _pairs(first.conversations, second.conversations)
    found = tuple(
        _difference(figure, first, second, pairs)
        for figure in FIGURES
        if first.total(figure)[1] and second.total(figure)[1]
    )
    sizes = (len(first.conversations), len(second.conversations))
    return Comparison(found, sizes, len(pairs), tuple(_notes(first, second, is_paired=bool(pairs))))


def _notes(first: Metrics, second: Metrics, *, is_paired: bool) -> Iterator[str]:
    if not is_paired:
        yield "The two runs do not have the same conversations, so that a difference may be one of these."
    if first.total("score")[1] and second.total("score")[1]:
        if first.judge != second.judge:
            yield f"The scores are those of two judges, {first.judge} and {second.judge}: they do not compare."
        elif first.rubric != second.rubric:
            yield "The scores were given by two rubrics: they do not compare."


def _difference(
    figure: str, first: Metrics, second: Metrics, pairs: Sequence[tuple[Conversation, Conversation]]
) -> Difference:
    totals = (first.total(figure), second.total(figure))
    values = (totals[0][0] / totals[0][1], totals[1][0] / totals[1][1])
    samples = (totals[0][1], totals[1][1])
    if values[0] == values[1]:
        return Difference(figure, *values, samples, "the same")
    if pairs:
        both = [(a.sums.get(figure, _NOTHING), b.sums.get(figure, _NOTHING)) for a, b in pairs]
        chance = _chance_of_pairs([pair for pair in both if pair[0][1] or pair[1][1]])
    else:
        sides = [[each.sums[figure] for each in run.conversations if figure in each.sums] for run in (first, second)]
        chance = _chance_of_sides(*sides)
    if chance is None:
        return Difference(figure, *values, samples, "too few to tell")
    if chance >= NOISE:
        return Difference(figure, *values, samples, "within noise", chance)
    return Difference(figure, *values, samples, _direction(figure, values), chance)


def _direction(figure: str, values: tuple[float, float]) -> Literal["better", "worse", "differs"]:
    better = FIGURES[figure].better
    if not better:
        return "differs"
    return "better" if (values[1] > values[0]) == (better == "more") else "worse"


def _pairs(
    first: Sequence[Conversation], second: Sequence[Conversation]
) -> tuple[tuple[Conversation, Conversation], ...]:
    """The conversations that are the same in both runs, if all are. The model is what may be compared, so it may differ."""
    keys: tuple[Callable[[Conversation], tuple[object, ...]], ...] = (
        lambda each: (each.name, each.agent, each.run, each.model),
        lambda each: (each.name, each.agent, each.run),
        lambda each: (each.name, each.run),
    )
    for key in keys:
        ours, theirs = {key(each): each for each in first}, {key(each): each for each in second}
        if ours.keys() == theirs.keys() and (len(ours), len(theirs)) == (len(first), len(second)):
            return tuple((ours[each], theirs[each]) for each in ours)
    return ()


# --- chance ----------------------------------------------------------------------------------------------------------------


def _chance_of_pairs(pairs: Sequence[Pair]) -> float | None:
    if len(pairs) < _LEAST_PAIRS:
        return None
    if 2 ** len(pairs) <= _WAYS:
        ways = (list(way) for way in itertools.product((False, True), repeat=len(pairs)))
        return _chance(_gap(pairs), (_gap(_swapped(pairs, way)) for way in ways))
    drawn = random.Random(0)  # noqa: S311 - the same ways each time; nothing is secret
    ways = ([drawn.random() < 0.5 for _ in pairs] for _ in range(_WAYS))
    return _chance(_gap(pairs), itertools.chain((_gap(pairs),), (_gap(_swapped(pairs, way)) for way in ways)))


def _chance_of_sides(first: Sequence[Sum], second: Sequence[Sum]) -> float | None:
    if min(len(first), len(second)) < _LEAST_EACH:
        return None
    drawn = random.Random(0)  # noqa: S311 - the same ways each time; nothing is secret
    everything = [*first, *second]
    found = _gap_of(first, second)

    def dealt() -> Iterator[float]:
        yield found
        for _ in range(_WAYS):
            drawn.shuffle(everything)
            yield _gap_of(everything[: len(first)], everything[len(first) :])

    return _chance(found, dealt())


def _chance(found: float, gaps: Iterator[float]) -> float:
    """The share of gaps that are at least as large as the one that was found."""
    large = [gap >= found - 1e-12 for gap in gaps]
    return sum(large) / len(large)


def _swapped(pairs: Sequence[Pair], way: Sequence[bool]) -> list[Pair]:
    return [(b, a) if swap else (a, b) for (a, b), swap in zip(pairs, way, strict=True)]


def _gap(pairs: Sequence[Pair]) -> float:
    return _gap_of([a for a, _ in pairs], [b for _, b in pairs])


def _gap_of(first: Sequence[Sum], second: Sequence[Sum]) -> float:
    means = [mean((sum(total for total, _ in side), sum(count for _, count in side))) for side in (first, second)]
    return 0.0 if means[0] is None or means[1] is None else abs(means[0] - means[1])
