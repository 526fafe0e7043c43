"""Sentences: what clauses ask, again and again, of the places in a message, and the work that this may cost."""

from __future__ import annotations

from carrier_core.policy.tokens import Token, Whose
from carrier_core.policy.vocabulary import CONDITIONS, HELD_BACK, REPORTED, RETRACTED

LONGEST = 400
"""Words of a sentence that is read at all."""
_STEPS = 30_000  # words that are looked at, again and again, for one call
_NEAR = 4  # words behind a clause in which somebody else may be named as whose it is


class TooMuch(Exception):
    """A message would take too long to be understood."""


class Meter:
    """The work that may be done for one call; counted in words that are looked at, so that it does not depend on a clock."""

    def __init__(self, most: int = _STEPS) -> None:
        self.done = 0
        self._most = most

    def add(self, steps: int) -> None:
        """Count steps. Raises TooMuch behind the last."""
        self.done += steps
        if self.done > self._most:
            raise TooMuch


class Message:
    """A message, and what is asked of its places again and again."""

    def __init__(self, tokens: list[Token], meter: Meter) -> None:
        self.tokens, self.meter = tokens, meter
        self.is_long = False
        self.ends = [len(tokens)] * len(tokens)  # of each word's sentence
        self.over = [True] * (len(tokens) + 1)  # whether what was asked for before a place is over there
        self.next = [-1] * (len(tokens) + 1)  # where the next word of meaning of the same sentence is; -1 for nowhere
        for place in range(len(tokens) - 1, -1, -1):
            last = tokens[place].stop or place + 1 == len(tokens)
            self.ends[place] = place + 1 if last else self.ends[place + 1]
            self.over[place] = self._is_over(place)
            self.next[place] = place if tokens[place].kind in ("word", "not") else -1 if last else self.next[place + 1]
            self.is_long = self.is_long or self.ends[place] - place > LONGEST
        self._taken_back: dict[int, bool] = {}

    def _is_over(self, place: int) -> bool:
        """Whether a sentence has ended, or another clause begins, but for small words."""
        token = self.tokens[place]
        if token.starts or (place and self.tokens[place - 1].stop):
            return True
        return token.kind in ("function", "relation", "I", "you") and self.over[place + 1]

    def taken_back(self, place: int) -> bool:
        """Whether what stands behind a clause takes it back, puts a condition, has it wait, or says that somebody else said it:
        "..., says the page"."""
        while place < len(self.tokens) and not self.tokens[place].starts and not self.tokens[place - 1].stop:
            place += 1
        if place not in self._taken_back:
            self._taken_back[place] = self._takes_back(place)
        return self._taken_back[place]

    def _takes_back(self, place: int) -> bool:
        self.meter.add(len(self.tokens) - place)
        if any(each.kind == "not" or each.text in RETRACTED for each in self._own(place, len(self.tokens))):
            return True
        if place >= len(self.tokens):
            return False
        end = self.ends[place]
        if self.tokens[place - 1].stop:
            return self.waits(place, end)
        same = self._own(place, end)
        if any(each.text in CONDITIONS for each in same) or any(each.text in REPORTED for each in same[:_NEAR]):
            return True
        return self.waits(place, self.ends[end] if end < len(self.tokens) else end)

    def waits(self, begin: int, end: int) -> bool:
        """Whether these words, of one sentence or two, have a request wait for the speaker."""
        self.meter.add(end - begin)
        words = " ".join(f"{each.text} ." if each.stop else each.text for each in self._own(begin, end))
        return HELD_BACK.search(f"{words} .") is not None

    def _own(self, begin: int, end: int) -> list[Token]:
        return [each for each in self.tokens[begin:end] if each.whose is not Whose.QUOTED]
