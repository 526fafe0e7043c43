"""Which of the memories that were found are recalled: what only their texts tell, and once more who may know them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence

from carrier_core.messages import Memory, Query, Recalled
from carrier_core.recall.asked import Asked, tells_of_self
from carrier_core.recall.ranking import ASKING, OWN_REPLY, Ranked
from carrier_core.recall.shelves import AGENT, QUESTION, place_of

CANDIDATES = 10
"""Memories that the best are chosen from; twice as many as are wanted, if that is more."""
QUESTIONS = 2
"""Questions of the agent whose answers are looked for in the next message."""

SAME_SPEAKER = 1.3
OTHER_SPEAKER = 0.6
"""The query says I: what the one who asks has said counts for more, what other people said for less."""
TOLD_OF_SELF = 3.0
"""The query says I, and what it asks for is told of the speaker, not of a cousin."""
NAMED = 1.5
"""The query names somebody: what they said, or what names them too."""
ANSWER = 0.4
"""What the message after a question of the agent counts, of what a person would who had said its words."""


def questions(ranked: Sequence[tuple[float, int]]) -> dict[int, float]:
    """The best questions of the agent among the rows found, with their scores: what stands after them on their shelves may
    answer them, and an answer need not repeat their words."""
    asked = {row: score for score, row in ranked if row & QUESTION and row & AGENT}
    return dict([*asked.items()][:QUESTIONS])


def with_answers(ranked: Ranked, asked: Mapping[int, float], after: Iterable[tuple[int, int]]) -> Ranked:
    """With what a person said right after the questions ``asked``. ``after`` are pairs of a question's row and the next row of
    its shelf. Best first."""
    answers = [
        (asked[row] * ANSWER / (ASKING * OWN_REPLY), following)
        for row, following in after
        if not following & (QUESTION | AGENT) and place_of(following) == place_of(row) + 1
    ]
    if not answers:
        return ranked
    best = {row: score for score, row in sorted([*ranked, *answers])}
    return sorted([(score, row) for row, score in best.items()], reverse=True)


class Choice:
    """What one query recalls, chosen from the candidates that a store offers it, best first, while it :meth:`wants` more.

    ``size`` is how many it looks at, at most, of those that the query does not exclude.
    """

    def __init__(self, query: Query, asked: Asked) -> None:
        self.size = max(CANDIDATES, 2 * query.limit)
        self._query = query
        self._asked = asked
        self._exclude = frozenset(query.exclude)
        self._found: list[Recalled] = []
        self._scores: list[float] = []  # the lowest first
        told = SAME_SPEAKER * TOLD_OF_SELF if asked.of_self else 1.0
        self._most = told * NAMED if asked.names else told

    def wants(self, score: float) -> bool:
        """Whether a candidate with this score, or a lower one, could still be among the best: so many memories need not be
        read, most of all where the query names nobody and asks nothing of the speaker, so that texts tell no more."""
        best, limit = round(score * self._most, 4), self._query.limit
        if limit < 1 or len(self._found) >= self.size or best < self._query.threshold:
            return False
        return len(self._scores) < limit or best > self._scores[-limit]

    def offer(self, score: float, row: int, memory: Memory | None) -> None:
        """A candidate, None if it is gone. What the query excludes is not taken. What no reader may know does not stand on a
        shelf that was searched; that it does not is checked once more on what is about to leave the store."""
        query = self._query
        if memory is None or memory.id in self._exclude or (query.kinds and memory.kind not in query.kinds):
            return
        if memory.provenance.audience.admits(query.readers):
            found = Recalled(memory, round(score * self._cue(row, memory), 4))
            self._found.append(found)
            insort(self._scores, found.score)

    def recalled(self) -> tuple[Recalled, ...]:
        """The best of them, best first: as many as the query wants, none below its threshold."""
        found = sorted(self._found, key=lambda found: found.score, reverse=True)
        return tuple([found for found in found[: self._query.limit] if found.score >= self._query.threshold])

    def _cue(self, row: int, memory: Memory) -> float:
        query, asked, cue = self._query, self._asked, 1.0
        if asked.of_self and not memory.by_agent:
            if query.speaker and memory.entity:
                cue = SAME_SPEAKER if memory.entity == query.speaker else OTHER_SPEAKER
            if not row & QUESTION and tells_of_self(memory.text, asked.stems):
                cue *= TOLD_OF_SELF
        if asked.names:
            text = f"{memory.name} {memory.text}".lower()
            if any(name in text for name in asked.names):
                cue *= NAMED
        return cue
