"""Schedules: when an agent is to be told something, once or again and again, and which of its times are slots.

A time is written ``at TIME``, ``every INTERVAL`` or ``cron EXPRESSION``. A slot is a time in seconds since the epoch at which
a schedule is due. Slots depend on what is written and on the slot before alone, so that every host counts the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import islice, takewhile
from math import floor
from typing import NamedTuple

import msgspec

from carrier_core.errors import CarrierError
from carrier_core.messages import Entity, OpenEnum, Room
from carrier_core.provenance import Provenance

SHORTEST = 1
"""The least interval, in seconds: a slot is a durable turn, which no store and no model keeps up with more often."""

LONGEST = 10 * 366 * 86_400
"""The greatest interval, in seconds: ten years. What is longer is a slip of the pen."""

GRACE = 60.0
"""How late, in seconds, a slot may be without counting as missed."""

MOST = 100
"""How many missed slots are made up for at most, the latest ones."""

_COUNTED = 1_000  # missed slots of a cron expression that are counted one by one
_LINE = 200  # characters of a `when`
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_INTERVAL = re.compile(r"\s*".join(rf"(?:(\d+)\s*{unit})?" for unit in ("w", "d", "h", "m", "s?")))
_FORMS = "Write `at 2026-12-24T18:00`, `every 1h30m` or `cron 0 9 * * 1-5`."


class Missed(OpenEnum):
    """What becomes of slots that passed while nobody was there: one turn for all of them, a turn each, or none."""

    ONE = "one"
    ALL = "all"
    SKIP = "skip"
    UNKNOWN = "unknown"


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """That an agent is told ``text`` in a room at its times, as ``person`` would have told it.

    ``when`` is ``at TIME`` (ISO 8601), ``every SECONDS`` or ``cron EXPRESSION``; ``zone`` is an IANA time zone for the last.
    ``next_at`` is the next slot and ``made`` when it was set up, in seconds since the epoch. ``client`` delivers the reply.
    ``provenance`` is the text's; None where the person, or the operator for them, wrote it.
    """

    id: str
    agent: str
    room: Room
    person: Entity
    text: str
    when: str
    next_at: float
    client: str = ""
    zone: str = "UTC"
    missed: Missed = Missed.ONE
    made: float = 0.0
    provenance: Provenance | None = None

    @property
    def key(self) -> str:
        """The dedupe key of the inbound of its next slot."""
        return f"sched:{self.id}:{self.next_at:.3f}"


class Plan(NamedTuple):
    """What is to be done about a schedule now.

    ``slots`` are to be fired, in order. ``next_at`` is the first slot after now; None where there is none, so that the
    schedule is over. ``skipped`` counts the slots that passed and get no turn; those of a cron expression up to a thousand.
    """

    slots: tuple[float, ...]
    next_at: float | None
    skipped: int


# --- what is written -----------------------------------------------------------------------------------------------------


def normal(when: str, zone: str = "UTC") -> str:
    """The time as it is kept in :attr:`Schedule.when`: ``every 1h30m`` is ``every 5400``.

    CarrierError (exit code 64) if it, or the zone, cannot be understood; the message says what is wrong with it.
    """
    kind, rest = _split(when)
    if kind == "at":
        _moment(rest, zone)
    elif kind == "every":
        rest = str(_interval(rest))
        _zone(zone)
    else:
        next(_cron(rest, zone, 0.0), None)
    return f"{kind} {rest}"


def first(when: str, zone: str, now: float) -> float:
    """The first slot after now. CarrierError (exit code 64) if there is none, or if it cannot be understood.

    An interval begins now, in whole milliseconds. A time that the clocks jump over is as much later as they jump; one that
    they show twice is meant the first time.
    """
    kind, rest = _split(normal(when, zone))
    if kind == "at":
        slot = _moment(rest, zone)
        if slot <= now:
            raise _wrong(f"{rest} is over.", "Name a time to come, with an offset or a time zone if it is not UTC.")
        return slot
    if kind == "every":
        return round(now + _interval(rest), 3)
    found = next(_cron(rest, zone, now), None)
    if found is None:
        raise _wrong(f"`{rest}` names a day that never comes.", "Look at its day and month.")
    return found


def following(schedule: Schedule, after: float) -> float | None:
    """The first slot after a time. None if there is none: ``at`` has one slot, which is :attr:`Schedule.next_at`."""
    kind, rest = _split(schedule.when)
    if kind == "at":
        return None
    if kind == "every":
        interval = _interval(rest)
        return _slot(schedule.next_at, interval, _steps(schedule.next_at, interval, after) + 1)
    return next(_cron(rest, schedule.zone, after), None)


# --- what is due ---------------------------------------------------------------------------------------------------------


def plan(schedule: Schedule, now: float) -> Plan:
    """Which slots get a turn now, by :attr:`Schedule.missed`: ``one``, and whatever is not known, the latest that passed; ``all``
    each of them, but no more than the last :data:`MOST`; ``skip`` the latest if it is not later than :data:`GRACE`.

    Fire the slots one after the other, each with the next one as ``next_at``, the last with :attr:`Plan.next_at`. Where the
    first of them (or, without any, ``next_at``) is not the schedule's own ``next_at``, that one is fired without a payload
    before. A clock that went back makes nothing due: see :func:`mended`.
    """
    if schedule.next_at > now:
        return Plan((), schedule.next_at, 0)
    most = MOST if schedule.missed is Missed.ALL else 1
    slots, passed = _passed(schedule, now, most)
    if schedule.missed is Missed.SKIP and now - slots[-1] > GRACE:
        slots = ()
    return Plan(slots, following(schedule, now), passed - len(slots))


def mended(schedule: Schedule, now: float) -> Schedule | None:
    """The schedule with the next slot that it should have, where its own is too far away; None where it is right.

    That is so where the clock was ahead when the slot was set. To keep the result is safe: a slot that was fired has its key in the
    ledger, and is not heard twice.
    """
    due = following(schedule, now)
    if due is None or due >= schedule.next_at:
        return None
    return msgspec.structs.replace(schedule, next_at=due)


def _passed(schedule: Schedule, now: float, most: int) -> tuple[tuple[float, ...], int]:
    """The last slots up to now, and how many there were."""
    kind, rest = _split(schedule.when)
    if kind == "at":
        return (schedule.next_at,), 1
    if kind == "every":
        interval = _interval(rest)
        last = _steps(schedule.next_at, interval, now)
        steps = range(max(0, last - most + 1), last + 1)
        return tuple(_slot(schedule.next_at, interval, step) for step in steps), last + 1
    later = takewhile(lambda slot: slot <= now, _cron(rest, schedule.zone, schedule.next_at))
    slots = [schedule.next_at, *islice(later, _COUNTED)]
    passed = len(slots)
    if passed > _COUNTED:  # so many that it may take long to go through all of them
        slots = _latest(rest, schedule.zone, now, most) or slots
    return tuple(slots[-most:]), passed


def _slot(start: float, interval: int, step: int) -> float:
    """The slot that is so many intervals from another, in whole milliseconds, so that no rounding adds up."""
    return round(start + step * interval, 3)


def _steps(start: float, interval: int, now: float) -> int:
    """How many intervals after a slot the latest one is that is not after now."""
    steps = floor((now - start) / interval) + 1  # one more than that, or, by a rounding, two
    while _slot(start, interval, steps) > now:
        steps -= 1
    return steps


# --- each way of writing it ------------------------------------------------------------------------------------------------


def _split(when: str) -> tuple[str, str]:
    words = when.split()
    kind = words[0].lower() if words else ""
    if kind not in ("at", "every", "cron") or len(words) == 1 or len(when) > _LINE:
        raise _wrong(f"`{when[:_LINE]}` is no time of a schedule.", _FORMS)
    return kind, " ".join(words[1:])


def _moment(text: str, zone: str) -> float:
    known = _zone(zone)
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=known)).timestamp()
    except (ValueError, OverflowError):
        raise _wrong(f"`{text}` is no time.", "Write it as ISO 8601 has it: 2026-12-24T18:00.") from None


def _interval(text: str) -> int:
    found = _INTERVAL.fullmatch(text.lower())
    if found is None or not any(found.groups()):
        raise _wrong(
            f"`{text}` is no interval.", "Write seconds, or weeks, days, hours... in this order: 90, 1h30m, 2d."
        )
    seconds = sum(int(number or 0) * unit for number, unit in zip(found.groups(), _SECONDS.values(), strict=True))
    if not SHORTEST <= seconds <= LONGEST:
        raise _wrong(f"An interval of {seconds} s cannot be kept.", f"Choose one from {SHORTEST} s to ten years.")
    return seconds


def _cron(text: str, zone: str, after: float) -> Iterator[float]:
    """The slots of a cron expression after a time.

    Where clocks change they are those of cron on Debian: what is set for a certain time comes once a day, right after the gap
    if its time falls into it; what is set for every hour or minute goes by the time that passes.
    """
    known = _zone(zone)
    if len(text.split()) != 5:
        raise _wrong(
            f"`{text}` is no cron expression: it has five fields.", "They are minute, hour, day, month, weekday."
        )
    try:
        start = datetime.fromtimestamp(after, known)
    except (ValueError, OverflowError, OSError):
        return iter(())  # beyond the year 9999
    return _slots(text, start, after)


def _slots(text: str, start: datetime, after: float) -> Iterator[float]:
    from cronsim import CronSim, CronSimError

    try:
        times = CronSim(text, start)
    except (CronSimError, AssertionError, ValueError) as error:
        raise _wrong(f"`{text}` is no cron expression: {str(error).lower() or 'it has a bad field'}.", _FORMS) from None
    return _rising((time.timestamp() for time in times), after)


def _rising(slots: Iterator[float], after: float) -> Iterator[float]:
    """Without those that are not later than the one before: seen from an hour that the clocks show twice, the parser may
    name a time of its first passage."""
    try:
        for slot in slots:
            if slot > after:
                after = slot
                yield slot
    except OverflowError:
        return  # beyond the year 9999


def _latest(text: str, zone: str, now: float, most: int) -> list[float]:
    """The last slots of a cron expression up to now. Where they are is looked for backwards; what counts is forwards."""
    from cronsim import CronSim

    backwards = CronSim(text, datetime.fromtimestamp(now + 1, _zone(zone)), reverse=True)
    far = [time.timestamp() for time in islice(backwards, most + 1)]
    return list(takewhile(lambda slot: slot <= now, _cron(text, zone, far[-1] - 1 if far else now)))


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    if name == "UTC":  # which is there without a database of time zones
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise _no_zone(name) from None


def _no_zone(name: str) -> CarrierError:
    from difflib import get_close_matches
    from zoneinfo import available_timezones

    known = available_timezones()
    if not known:
        return _wrong(f"The time zone {name} cannot be found: this machine knows none.", "Run: pip install tzdata.")
    near = get_close_matches(name, known, 1)
    remedy = f"Did you mean {near[0]}?" if near else "Write an IANA name such as Europe/Lisbon, or UTC."
    return _wrong(f"There is no time zone {name or 'without a name'}.", remedy)


def _wrong(message: str, remedy: str) -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 64  # EX_USAGE
    return error
