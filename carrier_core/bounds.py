"""Bounds: what the budgets of the configuration come to as counters, and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from carrier_core.journal import Charge, Spent
from carrier_core.prices import billionths, dollars
from carrier_core.prompts import Usage

if TYPE_CHECKING:
    from carrier_core.budgets import Call
    from carrier_core.sections import Budget

USE = "use"
"""The sort of the counters that every call counts in: ``("use", agent, person, provider, model)`` by day."""
DAYS = {"use": 400, "month": 400, "day": 40, "turn": 30}
"""How long counters are kept, in days from the beginning of the day of their latest call: those of use and of months a year and
a little more, so that it can be looked back on; those of turns for as long as one may wait for somebody; none so briefly that a
clock that is wrong for some weeks has them forgotten."""
DAY = 86_400.0
"""Seconds of a day, as far as the keeping of counters goes."""


class Bound(NamedTuple):
    """A budget, the beginning of the scope of its counters, and its caps in tokens and billionths of a dollar."""

    budget: Budget
    scope: tuple[str, ...]
    tokens: int | None
    cost: int | None

    @classmethod
    def of(cls, budget: Budget) -> Bound:
        """What a budget means."""
        agents = tuple(sorted(budget.agents or ()))
        if budget.per in ("agent", "turn"):
            scope: tuple[str, ...] = (budget.per,)
        elif len(agents) == 1:
            scope = (budget.per, agents[0])
        else:  # that of several is of no one agent, but not of all either
            scope = (budget.per, "", ",".join(agents)) if agents else (budget.per, "")
        return cls(budget, scope, budget.tokens, None if budget.usd is None else billionths(budget.usd))

    @property
    def span(self) -> str:
        """For how long it counts: day, month or turn."""
        return "turn" if self.budget.per == "turn" else self.budget.window

    def charge(self, call: Call, *, is_waived: bool) -> Charge | None:
        """What the call counts in; None where that is nobody's: some are made for no person, in no room."""
        per, span = self.budget.per, self.span
        subject = "" if per == "host" else call.agent if per == "turn" else getattr(call, per)
        window = call.turn if span == "turn" else getattr(call.window, span)
        if not window or not (subject or per == "host"):
            return None
        scope = (*self.scope, subject) if subject else self.scope
        tokens, cost = (None, None) if is_waived else (self.tokens, self.cost)
        return Charge(scope, window, tokens, cost, call.window.start + DAYS[span] * DAY)

    def lacking(self, spent: Spent, estimate: Usage) -> str:
        """Why there is no room for a call, in words."""
        return (
            f"The budget of {told(self.budget)} has no room for a call of about {self.amount(estimate)}: "
            f"{self.amount(spent.usage)} used, {self.amount(spent.held)} held back."
        )

    def amount(self, usage: Usage) -> str:
        """How much of it that is, in what it bounds."""
        money = [] if self.cost is None else [dollars(usage.cost)]
        return " and ".join(money + ([] if self.tokens is None else [f"{usage.input + usage.output:,} tokens"]))


def told(budget: Budget) -> str:
    """A budget, for people: ``$5.00 and 1,000 tokens per person and day``."""
    money = [] if budget.usd is None else [dollars(billionths(budget.usd))]
    caps = money + ([] if budget.tokens is None else [f"{budget.tokens:,} tokens"])
    whose = [] if budget.per == "host" else [budget.per]
    spans = whose + ([] if budget.per == "turn" else [budget.window])
    of = f" of {', '.join(budget.agents)}" if budget.agents else ""
    return f"{' and '.join(caps)} per {' and '.join(spans)}{of}"
