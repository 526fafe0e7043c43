"""The bill: what was spent on models, by agent, person, model or day, and how full each budget is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, cast

from carrier_core.bounds import USE, Bound, told
from carrier_core.journal import Spent
from carrier_core.naming import people
from carrier_core.prices import BILLION
from carrier_core.prompts import Json, Usage
from carrier_core.windows import Windows

if TYPE_CHECKING:
    from carrier_core.memory import Store
    from carrier_core.sections import Budget

BY: dict[str, Callable[[Spent], str]] = {
    "agent": lambda spent: spent.scope[1],
    "person": lambda spent: spent.scope[2],
    "model": lambda spent: "/".join(spent.scope[3:5]),
    "day": lambda spent: spent.window,
}
"""What it can be summed up by."""
_MOST = 1_000_000  # counters of one month that are read
_FULLEST = 5  # counters of one budget that are told


async def bill(
    store: Store,
    windows: Windows,
    budgets: Sequence[Budget],
    now: float,
    *,
    by: str = "agent",
    agent: str = "",
    days: int = 30,
    month: str = "",
) -> dict[str, Json]:
    """What ``carrierd usage --json`` prints. ``now`` is in seconds since the epoch. It is of so many ``days`` up to now,
    or of a ``month``, ``2027-01``, where one is given; ``agent`` leaves out all others."""
    span = windows.back(now, days)
    counters = await _used(store, agent, span, month)
    sums: dict[str, Usage] = {}
    for spent in counters:
        key = BY[by](spent)
        sums[key] = sums.get(key, Usage()) + spent.usage
    standing = [await _standing(store, Bound.of(budget), windows, now, agent) for budget in _applying(budgets, agent)]
    ids = {*(sums if by == "person" else ()), *_subjects(standing, "person")}
    names = {each.id: each.name async for each in people(store) if each.id in ids} if ids else {}
    rooms = {key: room.name for key in _subjects(standing, "room") if (room := await store.memory.room(key))}
    _name(standing, names | rooms)
    return {
        "v": 1,
        "from": month or span[0],
        "to": month or span[-1],
        "zone": windows.zone,
        "by": by,
        "rows": [{by: key, **_named(by, key, names), **_told(sums[key])} for key in _order(by, sums)],
        "total": _told(sum(sums.values(), Usage())),
        "budgets": cast("Json", standing),
    }


# --- use -----------------------------------------------------------------------------------------------------------------


async def _used(store: Store, agent: str, days: tuple[str, ...], month: str) -> list[Spent]:
    scope = (USE, agent) if agent else (USE,)
    if month:
        return [*await store.journal.spent(scope=scope, window=month, limit=_MOST)]
    wanted, found = {*days}, list[Spent]()
    for part in sorted({day[:7] for day in days}):
        counters = await store.journal.spent(scope=scope, window=part, limit=_MOST)
        found += [counter for counter in counters if counter.window in wanted]
    return found


def _order(by: str, sums: dict[str, Usage]) -> list[str]:
    """Days as they come, everything else the dearest first."""
    if by == "day":
        return sorted(sums)
    return sorted(sums, key=lambda key: (-sums[key].cost, -sums[key].input - sums[key].output, key))


def _told(usage: Usage) -> dict[str, Json]:
    return {
        "calls": usage.calls,
        "input": usage.input,
        "cached": usage.cached,
        "stored": usage.stored,
        "output": usage.output,
        "cost": usage.cost,
        "usd": usage.cost / BILLION,
    }


def _named(by: str, key: str, names: dict[str, str]) -> dict[str, Json]:
    return {"name": names.get(key, "")} if by == "person" else {}


# --- budgets -------------------------------------------------------------------------------------------------------------

_Standing = dict[str, "Json"]


def _applying(budgets: Iterable[Budget], agent: str) -> list[Budget]:
    return [each for each in budgets if not agent or each.agents is None or agent in each.agents]


async def _standing(store: Store, bound: Bound, windows: Windows, now: float, agent: str) -> _Standing:
    """A budget and its fullest counters of now, or of the turns that are still known."""
    budget = bound.budget
    window = "" if bound.span == "turn" else str(getattr(windows.at(now), bound.span))
    scope = (*bound.scope, agent) if agent and budget.per in ("agent", "turn") else bound.scope
    length = len(bound.scope) + (budget.per != "host")
    counters = [
        spent
        for spent in await store.journal.spent(scope=scope, window=window, limit=_MOST)
        if len(spent.scope) == length and (not window or spent.window == window)
    ]
    if not counters and budget.per == "host":
        counters = [Spent(bound.scope, window)]
    counters.sort(key=lambda spent: -_full(bound, spent))
    return {
        "budget": told(budget),
        "per": budget.per,
        "window": window or bound.span,
        "most_tokens": bound.tokens,
        "most_cost": bound.cost,
        "then": budget.then,
        "counters": [_counter(bound, spent) for spent in counters[:_FULLEST]],
        "more": max(0, len(counters) - _FULLEST),
    }


def _counter(bound: Bound, spent: Spent) -> _Standing:
    per = bound.budget.per
    return {
        "of": spent.window if per == "turn" else "" if per == "host" else spent.scope[-1],
        "tokens": spent.usage.input + spent.usage.output,
        "cost": spent.usage.cost,
        "held_tokens": spent.held.input + spent.held.output,
        "held_cost": spent.held.cost,
        "used": bound.amount(spent.usage),
        "held": bound.amount(spent.held) if spent.held != Usage() else "",
        "full": round(_full(bound, spent), 4),
    }


def _full(bound: Bound, spent: Spent) -> float:
    """How full a counter is: 1 is full, by its tokens or its cost, whichever is more."""
    whole = spent.usage + spent.held
    parts = [(whole.input + whole.output, bound.tokens), (whole.cost, bound.cost)]
    return max(amount / most if most else 1.0 for amount, most in parts if most is not None)


def _subjects(standing: list[_Standing], per: str) -> set[str]:
    return {str(each["of"]) for each in _counters(standing, per)}


def _name(standing: list[_Standing], names: dict[str, str]) -> None:
    for per in ("person", "room"):
        for each in _counters(standing, per):
            each["name"] = names.get(str(each["of"]), "")


def _counters(standing: list[_Standing], per: str) -> list[_Standing]:
    return [each for told in standing if told["per"] == per for each in cast("list[_Standing]", told["counters"])]
