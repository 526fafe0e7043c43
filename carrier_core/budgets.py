"""Budgets: what a model call counts in, and whether there is room for it.

Every call counts in its day's counter of use: of its agent, person, provider and model. Where a budget applies, an upper estimate is
held back in the budget's counter before the call is made, and what the call has used takes its place afterwards. Calls that
run at one time can therefore not spend the same room. What is held stays counted until it is written that the call has ended:
if the process dies before, for as long as the counter is kept, since the call may have been paid for.

The window of a call is that of the moment at which it is opened; a clock that is put forward or back meanwhile changes nothing.
A change of the configuration forgets nothing either: the counter of a budget is known by what it counts, not by its place.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec

from carrier_core.bounds import DAY, DAYS, USE, Bound
from carrier_core.errors import ConfigError, ProviderError
from carrier_core.journal import Charge, Hold, Settlement, Spent
from carrier_core.prices import Price
from carrier_core.prompts import Usage
from carrier_core.tally import Tally
from carrier_core.windows import Window, Windows

if TYPE_CHECKING:
    from carrier_core.journal import Journal
    from carrier_core.sections import Budget

T = TypeVar("T")

_TURNED_AWAY = frozenset(("auth", "rate_limit", "overloaded", "invalid", "length", "server", "connection", "resting"))
_STRICTEST = ("refuse", "cheaper", "ask")
"""What happens where several budgets have no room: the operator is not asked before a cheaper model was tried."""
_FADES = 0.1  # how much of a too large correction of the estimates goes with each call
_LONGER = 4.0  # so much, at most: a document whose pages nobody counted says little about the next prompt


class Outlast(Protocol):
    """A way to write that tries again while the store is away."""

    def __call__(self, write: Callable[[], Awaitable[T]], /) -> Awaitable[T]:
        """The result of the write, whenever it succeeds."""


class Refusal(NamedTuple):
    """That a call may not be made: the ``budget`` whose ``then`` and ``say`` count, why, for the log and for ``why``, and all
    ``budgets`` that have no room."""

    budget: Budget
    message: str
    budgets: tuple[Budget, ...]


class Call:
    """One call of a model, from before it is made until it has ended: hold, then one of ``settle``, ``fail`` and ``drop``.

    Ids are as in the turn; those that there are none of are empty. ``price`` is None where nobody knows it.
    """

    __slots__ = (
        "_bounds", "_budgets", "_charges", "_estimate", "_given", "_is_held", "_is_over", "agent", "key", "model", "person",
        "price", "provider", "room", "turn", "window",
    )  # fmt: skip

    def __init__(
        self,
        budgets: Budgets,
        *,
        agent: str,
        turn: str,
        person: str,
        room: str,
        provider: str,
        model: str,
        price: Price | None,
    ) -> None:
        self._budgets = budgets
        self.agent, self.turn, self.person, self.room = agent, turn, person, room
        self.provider, self.model, self.price = provider, model, price
        self.window = budgets.now()
        self.key = ""
        self._bounds = budgets.bounds(agent)
        self._charges: tuple[Charge, ...] = ()
        self._estimate = Usage()
        self._given = 0
        self._is_held = self._is_over = False

    @property
    def is_bounded(self) -> bool:
        """Whether a budget may apply to it: then the answer should have a limit of tokens, for which room is held."""
        return bool(self._bounds)

    async def hold(self, tokens_in: int, tokens_out: int, *, waived: Collection[Budget] = ()) -> Refusal | None:
        """Hold back what the call may use, a prompt of ``tokens_in`` and at most ``tokens_out`` of an answer, in all counters of
        budgets, or, with a refusal, in none. To be awaited before every call; without a budget it asks nobody.

        ``waived`` are budgets beyond which the operator let it go: it counts in them, and they do not bound it. ConfigError where
        a budget in dollars applies and nobody knows what the model costs; Unavailable while the store is away and the host
        stops.
        """
        self._given, self._is_over = tokens_in, True  # a call that is not made counts as nothing
        bound = [(each, each.charge(self, is_waived=each.budget in waived)) for each in self._bounds]
        charged = [(each, charge) for each, charge in bound if charge is not None]
        if charged:
            tokens_in = self._budgets.corrected(self, tokens_in)
        cost = 0 if self.price is None else self.price.most(tokens_in, tokens_out)
        self._estimate = Usage(tokens_in, tokens_out, calls=1, cost=cost)
        if not charged:
            self._is_over = False
            return None
        if self.price is None and any(charge.most_cost is not None for _, charge in charged):
            raise unpriced(self.provider, self.model)
        self._charges = tuple([charge for _, charge in charged])
        full = await self._budgets.hold(self, self._estimate, self._charges)
        if full:
            lacking = [(each, charge) for each, charge in charged if charge in full]
            return await self._budgets.refusal(lacking, self._estimate)
        self._is_held, self._is_over = True, False
        return None

    def settle(self, usage: Usage) -> Usage:
        """Count what the call has used; returns it with what it cost. What is counted is written soon.

        An answer that does not say what it used counts as all that was held for it, under a budget.
        """
        if usage.calls < 1:
            usage = msgspec.structs.replace(usage, calls=1)
        if self._is_held and not usage.input + usage.output:
            return self._end(self._estimate)
        self._budgets.learn(self, self._given, usage)
        return self._end(usage)

    def fail(self, error: BaseException | None = None, received: int = 0, sent: int = 0) -> Usage:
        """Count a call that gave no answer, of which so many tokens were ``received`` and, where it was not held, ``sent``;
        returns what it counts as.

        It counts as nothing where the service turned it away or could not be reached, before a token came: none bills that.
        Otherwise (the answer was cut, or took too long, or the turn was cancelled) it may be billed, and nobody says how much:
        under a budget as all that was held for it, since no more can have been spent; without one, where the figure bounds
        nothing, as its prompt, by the estimate, and what was received.
        """
        if isinstance(error, ProviderError) and error.reason in _TURNED_AWAY and not received:
            return self._end(Usage())
        return self._end(self._estimate if self._is_held else Usage(sent or self._given, received, calls=1))

    def drop(self) -> None:
        """Let go of what was held for a call that was not made after all: it counts as nothing."""
        self._end(Usage())

    def _end(self, usage: Usage) -> Usage:
        if self._is_over:
            return usage
        self._is_over = True
        if not usage.cost and self.price is not None:
            usage = msgspec.structs.replace(usage, cost=self.price.cost(usage))
        if self._is_held or usage.calls:
            self._budgets.tally.add(self._settlement(usage), is_urgent=self._is_held)
        return usage

    def _settlement(self, usage: Usage) -> Settlement:
        scope = (USE, self.agent, self.person, self.provider, self.model)
        use = Charge(scope, self.window.day, until=self.window.start + DAYS[USE] * DAY)
        return Settlement(self.key, (use, *self._charges), usage)


class Budgets:
    """The budgets of a host, and what its calls have used. ``tally`` writes it: its ``run`` is to go on as long as the host runs.

    ``outlast`` outlasts times in which the store is away. ConfigError if there is no such time ``zone``.
    """

    def __init__(
        self,
        journal: Journal,
        budgets: Sequence[Budget] = (),
        *,
        zone: str = "UTC",
        clock: Callable[[], float] = time.time,
        outlast: Outlast | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._outlast = outlast or _once
        self.tally = Tally(journal, self._outlast)
        self._numbers = count(1)
        self._name = os.urandom(8).hex()
        self._short: dict[tuple[str, str], float] = {}
        self.configure(budgets, zone)

    def configure(self, budgets: Sequence[Budget], zone: str) -> None:
        """Go by these budgets and this time zone from now on."""
        self._windows = Windows(zone)
        self._bounds = tuple(Bound.of(budget) for budget in budgets)
        self._of: dict[str, tuple[Bound, ...]] = {}

    def open(
        self, *, agent: str, turn: str, person: str, room: str, provider: str, model: str, price: Price | None
    ) -> Call:
        """A call that is about to be made. One that is made again is another call."""
        return Call(self, agent=agent, turn=turn, person=person, room=room, provider=provider, model=model, price=price)

    async def run(self) -> None:
        """Write what is counted, soon after, until cancelled."""
        await self.tally.run()

    async def flush(self) -> None:
        """Write all that is counted by now: to be awaited when nothing is called any more. CarrierError if that fails."""
        await self.tally.flush()

    # --- what calls ask ---

    def now(self) -> Window:
        """The window of this moment."""
        return self._windows.at(self._clock())

    def bounds(self, agent: str) -> tuple[Bound, ...]:
        """What applies to an agent."""
        found = self._of.get(agent)
        if found is None:
            fits = [each for each in self._bounds if each.budget.agents is None or agent in each.budget.agents]
            found = self._of[agent] = tuple(fits)
        return found

    async def hold(self, call: Call, estimate: Usage, charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
        """Hold back an estimate; returns the charges that have no room for it."""
        call.key = f"{self._name}/{next(self._numbers)}"
        hold = Hold(call.key, charges, estimate, self._clock())
        try:
            return await self._outlast(partial(self._journal.hold, hold))
        except BaseException:  # it may have been written, and the call is not made
            self.tally.add(Settlement(call.key, (), Usage()), is_urgent=True)
            raise

    async def refusal(self, full: list[tuple[Bound, Charge]], estimate: Usage) -> Refusal:
        """Why there was no room."""
        bound, charge = min(full, key=lambda pair: _STRICTEST.index(pair[0].budget.then))
        found = await self._journal.spent(scope=charge.scope, window=charge.window)
        spent = next((each for each in found if each.counter == charge.counter), Spent(*charge.counter))
        return Refusal(bound.budget, bound.lacking(spent, estimate), tuple(each.budget for each, _ in full))

    # --- estimates ---

    def corrected(self, call: Call, tokens_in: int) -> int:
        """The estimate of a prompt as it has to be for this model: where prompts turned out to be longer, by as much more."""
        return int(tokens_in * self._short.get((call.provider, call.model), 1.0) + 0.999)

    def learn(self, call: Call, given: int, usage: Usage) -> None:
        """Compare the estimate of a prompt with what it was: the largest error counts, and fades."""
        if given and self._bounds:
            key = (call.provider, call.model)
            known = self._short.get(key, 1.0)
            seen = min(_LONGER, max(1.0, usage.input / given))
            self._short[key] = seen if seen >= known else known + (seen - known) * _FADES


async def _once(write: Callable[[], Awaitable[T]]) -> T:
    return await write()


def unpriced(provider: str, model: str) -> ConfigError:
    """That a budget in dollars bounds a model whose price nobody knows."""
    return ConfigError(
        f"Nobody knows what {provider}/{model} costs, and a budget in dollars bounds it.",
        remedy=f'Say it in the configuration: [models."{provider}/{model}"] with `input` and `output`.',
    )
