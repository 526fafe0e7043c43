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
    host = turn.agent.host
    limits = [limit for limit in host.config.settings.policy.limits if _counts(limit, turn, call, effect)]
    if not limits:
        return ""
    charges = tuple([_charge(limit, number, turn) for number, limit in enumerate(limits)])
    journal, key = host.store.journal, f"use/{call.key}"
    lacking = await host.outage.outlast(lambda: journal.hold(Hold(key, charges, _ONE, host.clock())))
    if not lacking:  # never settled, the hold stays with its counters: the same call, tried again, is known by it
        return ""
    limit = limits[charges.index(lacking[0])]
    return f"it was used as often as it may be ({limit.most} times a {limit.window} for each {limit.per})"


def _counts(limit: UseLimit, turn: Turn, call: ActionCall, effect: Effect) -> bool:
    effects = limit.effect is None or str(effect) in limit.effect
    return effects and any_of(limit.action, call.name) and any_of(limit.agent, turn.agent.name)


def _charge(limit: UseLimit, number: int, turn: Turn) -> Charge:
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
