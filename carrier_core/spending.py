"""Spending: how the counters of model calls change. For authors of stores, each of which keeps the rows in its own way.

A store loads the counters and holds that a call is about, lets a :class:`Spending` do the sums, and writes what has
changed. All of that is one transaction, during which nobody else may change these rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

import msgspec

from carrier_core.journal import Charge, CounterKey, Hold, Settlement, Spent
from carrier_core.prompts import Usage
from carrier_core.records import decode, encode

_END, _LAST = "\x1f", "\U0010ffff"  # ends each word of a scope; comes after all that words begin with
_NOTHING = Usage()
_replace = msgspec.structs.replace
_usage = msgspec.json.Decoder(Usage)
_json = msgspec.json.Encoder().encode


class Spending:
    """Counters and holds in hand. Those that are not in hand count as not there: take all that a call names.

    ``changed`` are the keys of the counters that are to be written, ``changed_holds`` those of the holds; what is not in
    hand any more is to be removed.

    Where a store has tables, a counter is a row of texts and a number: scope, window, until, used, held. The words of a scope
    are each ended by U+001F, so that those of one beginning lie side by side; used and held are JSON objects of numbers,
    without those that are 0. A hold is its record, under its key.
    """

    def __init__(self, counters: dict[CounterKey, Spent] | None = None, holds: dict[str, Hold] | None = None) -> None:
        self.counters = {} if counters is None else counters
        self.holds = {} if holds is None else holds
        self.changed: set[CounterKey] = set()
        self.changed_holds: set[str] = set()

    # --- as rows ---

    @staticmethod
    def names(keys: Iterable[CounterKey]) -> list[tuple[str, str]]:
        """Scope and window of counters as they are stored, in order."""
        return sorted([(_text(scope), window) for scope, window in keys])

    @staticmethod
    def between(scope: tuple[str, ...], window: str) -> tuple[str, str, str, str]:
        """The first scope that begins with these words and the first after those that do; the same of windows."""
        first = _text(scope)
        return first, first + _LAST, window, window + _LAST

    @staticmethod
    def counter(row: tuple[Any, ...]) -> Spent:
        """The counter of a row."""
        scope, window, until, used, held = row
        return Spent(_words(scope), window, _usage.decode(used), _usage.decode(held), until)

    def take(self, rows: Iterable[tuple[Any, ...]] = (), records: Iterable[bytes] = ()) -> set[CounterKey]:
        """Take the counters of rows and the holds of records in hand; the keys of these counters. A hold that a newer
        release wrote in a way unknown here is left out."""
        counters = {counter.counter: counter for counter in map(self.counter, rows)}
        self.counters |= counters
        found = [decode(record, object) for record in records]
        self.holds |= {hold.key: hold for hold in found if isinstance(hold, Hold)}
        return {*counters}

    def rows(self) -> list[tuple[str, str, float, str, str]]:
        """The counters that are to be written, in order."""
        changed = [counter for key in self.changed if (counter := self.counters.get(key)) is not None]
        return sorted(
            [
                (_text(each.scope), each.window, each.until, _json(each.usage).decode(), _json(each.held).decode())
                for each in changed
            ]
        )

    def gone(self) -> list[tuple[str, str]]:
        """Scope and window of the counters that are to be removed, in order."""
        return self.names(self.changed.difference(self.counters))

    def records(self) -> list[tuple[str, bytes]]:
        """The holds that are to be written, by their keys."""
        return [(key, encode(self.holds[key])) for key in sorted(self.changed_holds.intersection(self.holds))]

    def gone_holds(self) -> list[str]:
        """The keys of the holds that are to be removed."""
        return sorted(self.changed_holds.difference(self.holds))

    # --- calls ---

    def hold(self, hold: Hold) -> tuple[Charge, ...]:
        """Hold back what a call can use in all counters, or in none where some have no room for its estimate; these are returned."""
        if hold.key in self.holds or not hold.charges:
            return ()
        lacking = tuple([charge for charge in hold.charges if not self._has_room(charge, hold.estimate)])
        if not lacking:
            self._keep(hold)
        return lacking

    def settle(self, settlement: Settlement) -> None:
        """Count what was used, and let go of what was held for it."""
        self._let_go(settlement.key)
        for key, until in _each(settlement.charges):
            self._count(key, settlement.usage, until)

    def _has_room(self, charge: Charge, estimate: Usage) -> bool:
        counter = self.counters.get(charge.counter)
        return has_room(charge, estimate if counter is None else counter.usage + counter.held + estimate, estimate)

    def _keep(self, hold: Hold) -> None:
        self.holds[hold.key] = hold
        self.changed_holds.add(hold.key)
        for key, until in _each(hold.charges):
            self._count(key, _NOTHING, until, hold.held)

    def _let_go(self, key: str) -> None:
        hold = self.holds.pop(key, None)
        if hold is not None:
            self.changed_holds.add(key)
            less = _NOTHING - hold.held
            for counter, _ in _each(hold.charges):
                if counter in self.counters:
                    self._count(counter, _NOTHING, 0.0, less)

    def _count(self, key: CounterKey, usage: Usage, until: float, held: Usage = _NOTHING) -> None:
        known = self.counters.get(key)
        if known is not None:
            usage = known.usage if usage is _NOTHING else known.usage + usage
            held = known.held if held is _NOTHING else known.held + held
            until = max(known.until, until)
        self.counters[key] = Spent(*key, usage, held, until)
        self.changed.add(key)

    # --- what comes and goes as a whole ---

    def restore(self, entry: Spent | Hold) -> bool:
        """Take in a row of an archive; whether it is new. What is held in a counter comes with the holds."""
        if isinstance(entry, Hold):
            if entry.key in self.holds:
                return False
            self._keep(entry)
        else:
            if entry.counter in self.counters:
                return False
            self._count(entry.counter, entry.usage, entry.until)
        return True

    def drop(self, keys: Collection[CounterKey]) -> None:
        """Remove counters, and what is held in them: a hold that is left without any goes."""
        for key in keys:
            self._remove(key)
        for hold in [*self.holds.values()]:
            charges = tuple([charge for charge in hold.charges if charge.counter not in keys])
            if len(charges) < len(hold.charges):
                self.changed_holds.add(hold.key)
                del self.holds[hold.key]
                if charges:
                    self.holds[hold.key] = _replace(hold, charges=charges)

    def touched_by_forgetting(self, entity: str) -> set[CounterKey]:
        """The counters that have to be in hand to :meth:`forget` a person, once all rows are that name them."""
        named = [*self.counters, *[charge.counter for hold in self._naming(entity) for charge in hold.charges]]
        merged = [(_without(scope, entity), window) for scope, window in named]
        return {*named, *[(scope, window) for scope, window in merged if scope is not None]}

    def forget(self, entity: str) -> dict[str, int]:
        """Remove a person: the counters that are theirs alone go, others go on without their name, as do holds. Returns how
        many rows of each sort that were."""
        holds = self._naming(entity)
        for hold in holds:
            self._let_go(hold.key)
        named = [counter for counter in self.counters.values() if entity in counter.scope]
        for counter in named:
            self._remove(counter.counter)
            scope = _without(counter.scope, entity)
            if scope is not None:
                self._count((scope, counter.window), counter.usage, counter.until)
        for hold in holds:
            charges = [(_without(charge.scope, entity), charge) for charge in hold.charges]
            kept = tuple([_replace(charge, scope=scope) for scope, charge in charges if scope is not None])
            if kept:
                self._keep(_replace(hold, charges=kept))
        return {"counters": len(named), "holds": len(holds)}

    def _naming(self, entity: str) -> list[Hold]:
        return [hold for hold in self.holds.values() if any(entity in charge.scope for charge in hold.charges)]

    def _remove(self, key: CounterKey) -> None:
        self.counters.pop(key, None)
        self.changed.add(key)


def takes_room(charge: Charge, estimate: Usage) -> bool:
    """Whether a call takes any of what is bounded: a model that is free goes on when all money is spent."""
    tokens = charge.most_tokens is not None and estimate.input + estimate.output > 0
    calls = charge.most_calls is not None and estimate.calls > 0
    return tokens or calls or (charge.most_cost is not None and estimate.cost > 0)


def has_room(charge: Charge, total: Usage, estimate: Usage) -> bool:
    """Whether a counter that comes to ``total`` with an estimate is within its bounds, as far as the estimate takes any of it."""
    tokens = estimate.input + estimate.output
    fits = charge.most_tokens is None or not tokens or total.input + total.output <= charge.most_tokens
    fits = fits and (charge.most_calls is None or not estimate.calls or total.calls <= charge.most_calls)
    return fits and (charge.most_cost is None or not estimate.cost or total.cost <= charge.most_cost)


@lru_cache(maxsize=4_096)
def _text(scope: tuple[str, ...]) -> str:
    """A scope as it is stored."""
    return "".join([word + _END for word in scope])


@lru_cache(maxsize=4_096)
def _words(scope: str) -> tuple[str, ...]:
    """A scope that was stored."""
    return tuple(scope.split(_END)[:-1])


def _each(charges: Iterable[Charge]) -> Iterable[tuple[CounterKey, float]]:
    """The counters that charges name, each once, with the latest ``until`` of those that name it."""
    found: dict[CounterKey, float] = {}
    for charge in charges:
        key = charge.counter
        found[key] = max(found.get(key, 0.0), charge.until)
    return found.items()


def _without(scope: tuple[str, ...], entity: str) -> tuple[str, ...] | None:
    """The scope as it is once a person is forgotten; None where the counter is theirs alone, and goes."""
    return None if scope[-1:] == (entity,) else tuple(["" if word == entity else word for word in scope])
