"""Budgets: what a model call counts in, and whether there is room for it.

Every call counts in its day's counter of use: of its agent, person, provider and model. Where a budget applies, its counter has to
have room for what the call will use by the estimate; what the call can use at most is then held back in it, and what it has used
takes the place of that afterwards. So all that is counted beside the next call is as much as can have been spent, and a budget
is exceeded by what the estimate of one call was wrong, whatever runs at one time. What is held stays counted until it is written
that the call has ended: if the process dies before, for as long as the counter is kept, since the call may have been paid for.

A call that has no room only for what is held for others of this process waits until they have ended, in line with those that wait
for the same counter.

The window of a call is that of the moment at which it is opened; a clock that is put forward or back meanwhile changes nothing.
A change of the configuration forgets nothing either: the counter of a budget is known by what it counts, not by its place.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
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
from carrier_core.spending import has_room, takes_room
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


class _Wait(NamedTuple):
    """That a call has to be tried again: in the ``line`` of a counter whose room is held for calls under way; at once if None."""

    line: CounterKey | None


class _Line:
    """Those that wait for room in a counter; ``first`` is whose turn it is."""

    def __init__(self) -> None:
        self.first = anyio.Lock()
        self.length = 0


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
        found = await self._budgets.hold(self, charged)
        if isinstance(found, Refusal):
            return found
        self._most = found
        self._is_held, self._is_over = True, False
        return None

    def expected(self) -> tuple[Usage, Usage]:
        """What it will use, about and at most, by all that is known now."""
        return self._budgets.estimates.expected((self.provider, self.model), self._size, self.price)

    def settle(self, usage: Usage, sent: int = 0) -> Usage:
        """Count what the call has used; returns it with what it cost. What is counted is written soon.

        An answer that does not say what it used counts as all that was held for it, under a budget; else as its prompt, by the
        estimate: ``sent``, where it was not known before the call.
        """
        if usage.calls < 1:
            usage = msgspec.structs.replace(usage, calls=1)
        if not usage.input + usage.output:
            return self._end(self._most if self._is_held else Usage(sent or self._size.tokens_in, calls=1))
        if self._bounds:
            self._budgets.estimates.learn((self.provider, self.model), self._size, usage)
        return self._end(usage)

    def fail(
        self, error: BaseException | None = None, received: int = 0, sent: int = 0, told: Usage | None = None
    ) -> Usage:
        """Count a call that gave no answer, of which so many tokens were ``received`` and, where it was not held, ``sent``;
        returns what it counts as. ``told`` is what the service had said by then, None if it had not begun to answer.

        It counts as nothing where the service turned it away or could not be reached, before it began: none bills that.
        Otherwise (the answer was cut, or took too long, or the turn was cancelled) it may be billed, and nobody says how much:
        under a budget as all that was held for it, since no more can have been spent; without one, where the figure bounds
        nothing, as its prompt, by the estimate, and what was received. The prompt counts as was told, if it was.
        """
        if isinstance(error, ProviderError) and error.reason in _TURNED_AWAY and told is None and not received:
            return self._end(Usage())
        used = self._most if self._is_held else Usage(sent or self._size.tokens_in, received, calls=1)
        if told is not None and told.input:
            used = Usage(told.input, max(used.output, told.output), told.cached, 1, told.stored)
        return self._end(used)

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
        self._lines: dict[CounterKey, _Line] = {}
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

    async def hold(self, call: Call, charged: list[tuple[Bound, Charge]]) -> Refusal | Usage:
        """Hold back what a call can use where there is room for its estimate, as soon as there is; returns what is held, or why
        there will be no room."""
        call.key = f"{self._name}/{next(self._numbers)}"
        charges = tuple([charge for _, charge in charged])
        about, most = call.expected()
        line = next((each.counter for each in charges if each.counter in self._lines and takes_room(each, about)), None)
        while True:
            async with self._in_line(line):
                while True:
                    ended = self._ended
                    about, most = call.expected()  # bills may have taught something meanwhile
                    full = await self._try(Hold(call.key, charges, about, self._clock(), most))
                    if not full:
                        return most
                    found = await self._missing([pair for pair in charged if pair[1] in full], about)
                    if isinstance(found, Refusal):
                        return found
                    if found.line is None:
                        continue
                    if found.line != line:
                        break
                    await ended.wait()
            line = found.line

    async def _try(self, hold: Hold) -> tuple[Charge, ...]:
        try:
            full = await self._outlast(partial(self._journal.hold, hold))
        except BaseException:  # it may have been written, and the call is not made
            self._under_way[hold.key] = hold
            self.tally.add(Settlement(hold.key, (), Usage()), is_urgent=True)
            raise
        if not full:
            self._under_way[hold.key] = hold
        return full

    async def _missing(self, full: list[tuple[Bound, Charge]], about: Usage) -> Refusal | _Wait:
        """What is missing where there was no room: a budget, or the end of calls that are under way."""
        holds = self._under_way.copy()
        spent = [await self._spent(charge) for _, charge in full]
        holds |= self._under_way  # with those that have ended meanwhile, and those that have begun
        line: CounterKey | None = None
        lacking: list[tuple[Bound, Spent]] = []
        for (bound, charge), each in zip(full, spent, strict=True):
            ours = sum((hold.held for hold in holds.values() if hold.counts_in(charge.counter)), Usage())
            total = each.usage + each.held + about
            if not has_room(charge, total - ours, about):
                lacking.append((bound, each))
            elif line is None and not has_room(charge, total, about):
                line = charge.counter
        if not lacking:
            return _Wait(line)
        strictest, each = min(lacking, key=lambda pair: _STRICTEST.index(pair[0].budget.then))
        return Refusal(strictest.budget, strictest.lacking(each, about), tuple([bound.budget for bound, _ in lacking]))

    async def _spent(self, charge: Charge) -> Spent:
        found = await self._outlast(partial(self._journal.spent, scope=charge.scope, window=charge.window))
        return next((each for each in found if each.counter == charge.counter), Spent(*charge.counter))

    @asynccontextmanager
    async def _in_line(self, counter: CounterKey | None) -> AsyncIterator[None]:
        """In the line of those that wait for room in a counter, as its first; in none if there is no counter."""
        if counter is None:
            yield
            return
        line = self._lines.setdefault(counter, _Line())
        line.length += 1
        try:
            async with line.first:
                yield
        finally:
            line.length -= 1
            if not line.length:
                del self._lines[counter]

    def _written(self, settlements: tuple[Settlement, ...]) -> None:
        """There is room again where these calls had been."""
        ended = [self._under_way.pop(each.key, None) for each in settlements]
        if any(ended):
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
