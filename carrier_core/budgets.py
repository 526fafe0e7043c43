"""Budgets: what a model call counts in, and whether there is room for it.

Every call counts in its day's counter of use: of its agent, person, provider and model. Where a budget applies, its counter has to
have room for what the call will use by the estimate; what the call can use at most is then held back in it, and what it has used
takes the place of that afterwards. So all that is counted beside the next call is as much as can have been spent, and a budget
is exceeded by what the estimate of one call was wrong, whatever runs at one time. What is held stays counted until it is written
that the call has ended: if the process dies before, for as long as the counter is kept, since the call may have been paid for.

A call that has no room only for what is held for others of this process waits until one of them has ended.

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

import anyio
import msgspec

from carrier_core.bounds import DAY, DAYS, USE, Bound
from carrier_core.errors import ConfigError, ProviderError
from carrier_core.estimates import Estimates, Size
from carrier_core.journal import Charge, CounterKey, Hold, Settlement, Spent
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
        "_bounds", "_budgets", "_charges", "_is_held", "_is_over", "_most", "_size", "agent", "key", "model", "person", "price",
        "provider", "room", "turn", "window",
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
        self._most = Usage()
        self._size = Size()
        self._is_held = self._is_over = False

    @property
    def is_bounded(self) -> bool:
        """Whether a budget may apply to it: then the answer should have a limit of tokens, for which room is held."""
        return bool(self._bounds)

    async def hold(
        self, tokens_in: int, tokens_out: int, *, most_in: int = 0, waived: Collection[Budget] = ()
    ) -> Refusal | None:
        """Hold back what the call may use, a prompt of about ``tokens_in`` and at most ``most_in``, if that is more, and an answer
        of ``tokens_out`` at most, in all counters of budgets, or, with a refusal, in none. To be awaited before every call;
        without a budget it asks nobody. It waits for other calls if there is room as soon as they have ended.

        ``waived`` are budgets beyond which the operator let it go: it counts in them, and they do not bound it. ConfigError where
        a budget in dollars applies and nobody knows what the model costs; Unavailable while the store is away and the host
        stops.
        """
        self._size = Size(tokens_in, most_in, tokens_out)
        self._is_over = True  # a call that is not made counts as nothing
        bound = [(each, each.charge(self, is_waived=each.budget in waived)) for each in self._bounds]
        charged = [(each, charge) for each, charge in bound if charge is not None]
        if not charged:
            self._is_over = False
            return None
        if self.price is None and any(charge.most_cost is not None for _, charge in charged):
            raise unpriced(self.provider, self.model)
        self._charges = tuple([charge for _, charge in charged])
        about, self._most = self._budgets.estimates.expected((self.provider, self.model), self._size, self.price)
        refusal = await self._budgets.hold(self, about, self._most, charged)
        if refusal is None:
            self._is_held, self._is_over = True, False
        return refusal

    def settle(self, usage: Usage) -> Usage:
        """Count what the call has used; returns it with what it cost. What is counted is written soon.

        An answer that does not say what it used counts as all that was held for it, under a budget.
        """
        if usage.calls < 1:
            usage = msgspec.structs.replace(usage, calls=1)
        if self._is_held and not usage.input + usage.output:
            return self._end(self._most)
        if self._bounds:
            self._budgets.estimates.learn((self.provider, self.model), self._size, usage)
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
        return self._end(self._most if self._is_held else Usage(sent or self._size.tokens_in, received, calls=1))

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
        self.tally = Tally(journal, self._outlast, self._written)
        self._numbers = count(1)
        self._name = os.urandom(8).hex()
        self.estimates = Estimates()
        self._under_way: dict[str, Hold] = {}
        self._ended = anyio.Event()
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

    async def hold(self, call: Call, about: Usage, most: Usage, charged: list[tuple[Bound, Charge]]) -> Refusal | None:
        """Hold back ``most`` where there is room for ``about`` as much, as soon as there is; why there will be none, else."""
        call.key = f"{self._name}/{next(self._numbers)}"
        hold = Hold(call.key, tuple([charge for _, charge in charged]), about, self._clock(), most)
        while True:
            ended = self._ended
            try:
                full = await self._outlast(partial(self._journal.hold, hold))
            except BaseException:  # it may have been written, and the call is not made
                self.tally.add(Settlement(call.key, (), Usage()), is_urgent=True)
                raise
            if not full:
                self._under_way[call.key] = hold
                return None
            lacking = await self._lacking([pair for pair in charged if pair[1] in full], about)
            if lacking:
                bound, spent = min(lacking, key=lambda pair: _STRICTEST.index(pair[0].budget.then))
                return Refusal(bound.budget, bound.lacking(spent, about), tuple([each.budget for each, _ in lacking]))
            await ended.wait()

    async def _lacking(self, full: list[tuple[Bound, Charge]], about: Usage) -> list[tuple[Bound, Spent]]:
        """The bounds that will have no room either when all that is under way has ended, and what is counted there."""
        ours = [self._held_in(charge.counter) for _, charge in full]  # before they are read: some may end meanwhile
        spent = [await self._spent(charge) for _, charge in full]
        counted = zip(full, spent, ours, strict=True)
        return [(bound, each) for (bound, _), each, held in counted if not bound.fits(each, held, about)]

    def _held_in(self, counter: CounterKey) -> Usage:
        holds = self._under_way.values()
        return sum((hold.held for hold in holds if any(each.counter == counter for each in hold.charges)), Usage())

    async def _spent(self, charge: Charge) -> Spent:
        found = await self._journal.spent(scope=charge.scope, window=charge.window)
        return next((each for each in found if each.counter == charge.counter), Spent(*charge.counter))

    def _written(self, settlements: tuple[Settlement, ...]) -> None:
        """There is room again where these calls had been."""
        for each in settlements:
            self._under_way.pop(each.key, None)
        self._ended.set()
        self._ended = anyio.Event()


async def _once(write: Callable[[], Awaitable[T]]) -> T:
    return await write()


def unpriced(provider: str, model: str) -> ConfigError:
    """That a budget in dollars bounds a model whose price nobody knows."""
    return ConfigError(
        f"Nobody knows what {provider}/{model} costs, and a budget in dollars bounds it.",
        remedy=f'Say it in the configuration: [models."{provider}/{model}"] with `input` and `output`.',
    )
