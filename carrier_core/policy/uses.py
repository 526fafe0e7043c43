"""Uses: how often actions may be carried out. They are counted in the journal, as model calls are, so that a restart forgets none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from carrier_core.journal import Charge, Hold
from carrier_core.policy.rules import any_of
from carrier_core.prompts import ActionCall, Effect, Usage
from carrier_core.windows import Windows

if TYPE_CHECKING:
    from carrier_core.sections import UseLimit
    from carrier_core.turn import Turn

_ONE = Usage(calls=1)
_DAY = 86_400.0
_KEPT = {"turn": 30 * _DAY, "hour": 2 * _DAY, "day": 3 * _DAY, "month": 40 * _DAY}
"""Seconds for which counters of each window are kept."""


async def use(turn: Turn, call: ActionCall, effect: Effect) -> str:
    """Count a call that is about to be carried out, once however often it is tried; returns why it may not be, or nothing."""
    limits, charges = _charges(turn, call, effect)
    if not limits:
        return ""
    host = turn.agent.host
    journal, key = host.store.journal, f"use/{call.key}"
    lacking = await host.outage.outlast(lambda: journal.hold(Hold(key, charges, _ONE, host.clock())))
    # Never settled, the hold stays with its counters: the same call, tried again, is known by it.
    return _told(limits[charges.index(lacking[0])]) if lacking else ""


async def used_up(turn: Turn, call: ActionCall, effect: Effect) -> str:
    """Why a call could not be carried out now, whoever approved it, or nothing. It is not counted."""
    limits, charges = _charges(turn, call, effect)
    journal = turn.agent.host.store.journal
    for limit, charge in zip(limits, charges, strict=True):
        for counter in await journal.spent(scope=charge.scope, window=charge.window):
            if counter.counter == charge.counter and counter.usage.calls + counter.held.calls >= limit.most:
                return _told(limit)
    return ""


def _charges(turn: Turn, call: ActionCall, effect: Effect) -> tuple[list[UseLimit], tuple[Charge, ...]]:
    """The limits that count a call, and the counter of each."""
    settings = turn.agent.host.config.settings.policy
    limits = [limit for limit in settings.limits if _counts(limit, turn, call, effect)]
    return limits, tuple([_charge(limit, turn) for limit in limits])


def _told(limit: UseLimit) -> str:
    times = "once" if limit.most == 1 else f"{limit.most} times"
    window = f"{'an' if limit.window == 'hour' else 'a'} {limit.window}"
    return f"it was used as often as it may be ({times} {window} for each {limit.per})"


def _counts(limit: UseLimit, turn: Turn, call: ActionCall, effect: Effect) -> bool:
    effects = limit.effect is None or str(effect) in limit.effect
    return effects and any_of(limit.action, call.name) and any_of(limit.agent, turn.agent.name)


def _charge(limit: UseLimit, turn: Turn) -> Charge:
    """The counter of a limit. Its scope begins with what tells limits apart; a person's id comes last, so that the counter goes
    when they are forgotten."""
    host = turn.agent.host
    agent = "" if limit.per == "host" else turn.agent.name
    what = f"{'+'.join(limit.action or ('*',))}/{'+'.join(limit.effect or ('*',))}"
    who = {"person": (turn.person.id,), "room": (turn.room.id,)}.get(limit.per, ())
    now = host.clock()
    return Charge(
        ("action", agent, what, limit.per, *who),
        _window(limit.window, turn, now),
        until=now + _KEPT[limit.window],
        most_calls=limit.most,
    )


def _window(name: str, turn: Turn, now: float) -> str:
    if name == "turn":
        return f"turn/{turn.id}"
    zone = turn.agent.host.config.settings.limits.zone
    day = Windows(zone).at(now)
    if name == "hour":
        return f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H}"
    return day.day if name == "day" else day.month
