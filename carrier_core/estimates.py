"""Estimates: what a model call will use, about and at most, by its size and by what the bills of its model taught.

Where prompts turn out longer than they were estimated, the next ones of that model are estimated higher. Where one turns out longer
than it can be (a service that bills what it adds to prompts, unsaid), so many tokens are added to what the next ones are at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from carrier_core.prompts import Usage

if TYPE_CHECKING:
    from carrier_core.prices import Price

_FADES = 0.1  # how much of a too large correction of the estimates goes with each call
_LONGER = 4.0  # so much, at most: a document whose pages nobody counted says little about the next prompt


class Size(NamedTuple):
    """Tokens of a call: of its prompt, about and at most, and of its answer, at most. 0 where nobody counted."""

    tokens_in: int = 0
    most_in: int = 0
    most_out: int = 0


class Estimates:
    """What is known of the bills of each model. Models are told apart by provider and name."""

    def __init__(self) -> None:
        self._longer: dict[tuple[str, str], float] = {}
        self._beyond: dict[tuple[str, str], tuple[int, int]] = {}

    def expected(self, model: tuple[str, str], size: Size, price: Price | None) -> tuple[Usage, Usage]:
        """What a call will use, about and at most."""
        about_in = int(size.tokens_in * self._longer.get(model, 1.0) + 0.999)
        beyond_in, beyond_out = self._beyond.get(model, (0, 0))
        most_in, most_out = max(about_in, size.most_in + beyond_in), size.most_out + beyond_out
        about_cost = most_cost = 0
        if price is not None:
            about_cost = price.most(about_in, size.most_out)
            most_cost = max(about_cost, price.most(most_in, most_out))
        about = Usage(about_in, size.most_out, calls=1, cost=about_cost)
        return about, Usage(most_in, most_out, calls=1, cost=most_cost)

    def learn(self, model: tuple[str, str], size: Size, usage: Usage) -> None:
        """Compare a call with its bill: the largest error of an estimate counts, and fades; what came beyond all that was thought
        possible is not forgotten."""
        if not size.tokens_in:
            return
        known = self._longer.get(model, 1.0)
        seen = min(_LONGER, max(1.0, usage.input / size.tokens_in))
        self._longer[model] = seen if seen >= known else known + (seen - known) * _FADES
        beyond_in, beyond_out = self._beyond.get(model, (0, 0))
        most_in = max(size.tokens_in, size.most_in)
        beyond = (max(beyond_in, usage.input - most_in), max(beyond_out, usage.output - size.most_out))
        if beyond != (0, 0):
            self._beyond[model] = beyond
