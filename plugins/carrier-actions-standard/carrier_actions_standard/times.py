"""Times as people say them: ``in 10 minutes``, ``tomorrow at 9``, ``every Monday at 8:30``, as a schedule has them.

A schedule has ``at TIME``, ``every INTERVAL`` or ``cron EXPRESSION``. A day without a time is meant at nine; a time without a day
is the next one that comes. All of it is relative to the turn's own time, so that it is the same when a turn is resumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from math import ceil
from zoneinfo import ZoneInfo

from carrier_core import CarrierError

MORNING = time(9)
"""When a day without a time is meant."""

SHORTEST = 60
"""Seconds between two times at least: each is a turn with a model call."""

LONGEST = 10 * 366 * 86_400
"""Seconds until a time at most: ten years, which is as far as a schedule's interval goes."""

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = "january february march april may june july august september october november december".split()
_TIMES = {
    "morning": MORNING,
    "noon": time(12),
    "midday": time(12),
    "afternoon": time(15),
    "evening": time(18),
    "night": time(20),
    "tonight": time(20),
    "midnight": time(0),
}
_UNITS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_SHORT = {
    "s": "second",
    "sec": "second",
    "m": "minute",
    "min": "minute",
    "h": "hour",
    "hr": "hour",
    "d": "day",
    "w": "week",
}
_NUMBERS = {
    "a": 1.0,
    "an": 1.0,
    "one": 1.0,
    "two": 2.0,
    "three": 3.0,
    "four": 4.0,
    "five": 5.0,
    "six": 6.0,
    "seven": 7.0,
}
_NUMBERS |= {"eight": 8.0, "nine": 9.0, "ten": 10.0, "twelve": 12.0, "fifteen": 15.0, "twenty": 20.0, "thirty": 30.0}

_QUANTITY = re.compile(r"(?:(\d+(?:\.\d+)?)\s*|(half an|half a|[a-z]+) +)([a-z]+)")
_CLOCK = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?(?::(\d{2}))? *(am|pm|a\.m\.|p\.m\.|o'clock|h)?")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[t ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?z|[+-]\d{2}:?\d{2})?)?")
_DATE = re.compile(
    rf"(?:the )?(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({'|'.join(m[:3] for m in _MONTHS)})[a-z]*,?(?: (\d{{4}}))?"
)
_DATE_US = re.compile(rf"({'|'.join(m[:3] for m in _MONTHS)})[a-z]* (\d{{1,2}})(?:st|nd|rd|th)?,?(?: (\d{{4}}))?")

_REMEDY = (
    "Write it like: in 10 minutes; at 18:00; tomorrow at 9; on Monday at 8:30; 2027-01-31T18:00; every day at 9; every 2 hours; "
    "cron 0 9 * * 1-5."
)


def zone_named(name: str) -> tzinfo:
    """The time zone of the IANA database with this name. ValueError if there is none; UTC needs no database."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name of a zone at all, or the name of a folder
        raise ValueError(f"there is no time zone {name!r}; write a name such as Europe/Lisbon, or UTC") from None


def when(text: str, now: float, zone: tzinfo) -> str:
    """The time as a schedule has it. CarrierError, with a remedy, if it is none or is over."""
    said = " ".join(text.replace(",", " ").casefold().split()).strip(" .!?")
    kind, _, rest = said.partition(" ")
    if kind == "cron":
        return said
    if kind in ("every", *_EVERY):
        return _repeated(said, text)
    try:
        moment = _moment(rest if kind in ("at", "on", "by") else said, now, zone)
        away = 0.0 if moment is None else moment.timestamp() - now
    except (ValueError, OverflowError, OSError):  # beyond what calendars have; a client may hand over any time, too
        moment, away = None, 0.0
    if moment is None or away > LONGEST:
        raise CarrierError(f"“{text}” is no time that can be understood.", remedy=_REMEDY)
    if away <= 0:
        raise CarrierError(f"“{text}” is over.", remedy="Name a time to come.")
    return f"at {moment.isoformat(timespec='seconds')}"


def in_words(at: float, zone: tzinfo) -> str:
    """A moment for people: ``Sunday 3 May 2026, 18:00 (UTC)``."""
    moment = datetime.fromtimestamp(at, zone)
    day, month = _DAYS[moment.weekday()].title(), _MONTHS[moment.month - 1].title()
    return f"{day} {moment.day} {month} {moment.year}, {moment:%H:%M} ({moment.tzname() or zone})"


# --- again and again -----------------------------------------------------------------------------------------------------


def _repeated(said: str, text: str) -> str:
    """``every 2 hours`` is an interval; what is said of days is a cron expression, which goes by the clock on the wall."""
    kind, _, rest = said.partition(" ")
    rest = f"{_EVERY.get(kind, '')} {rest}".strip()
    found = re.fullmatch(r"(?P<day>[a-z ]+?)(?: at| from)? ?(?P<clock>\d.*|noon|midnight)?", rest)
    if found is not None:
        days = _weekdays(found["day"].strip())
        if days is not None:
            words = found["day"].split()
            clock = _clock(found["clock"]) if found["clock"] else _TIMES.get(words[-1], MORNING)
            if clock is not None:
                return f"cron {clock.minute} {clock.hour} * * {days}"
    is_counted = rest[:1].isdigit() or rest.split(" ")[0] in _NUMBERS
    seconds = float(rest) if rest.isdecimal() else _seconds(rest if is_counted else f"1 {rest}")
    if seconds is None:
        raise CarrierError(f"“{text}” is no interval that can be understood.", remedy=_REMEDY)
    if seconds < SHORTEST:
        raise CarrierError(f"“{text}” is too often.", remedy=f"Once in {SHORTEST} seconds is the most.")
    return f"every {round(seconds)}"


_EVERY = {"each": "", "daily": "day", "weekly": "week", "hourly": "hour"}
"""What else a repetition begins with, and the unit that it says."""


def _weekdays(words: str) -> str | None:
    """The last field of a cron expression."""
    if words in ("day", "morning", "noon", "midday", "afternoon", "evening", "night", "midnight", "single day"):
        return "*"
    if words in ("weekday", "workday", "working day", "weekday morning"):
        return "1-5"
    if words in ("weekend", "weekends"):
        return "0,6"
    named = [word for word in words.split() if word not in ("and", "or", "morning", "evening", "afternoon", "night")]
    days = [_day(word) for word in named]
    if not days or None in days:
        return None
    return ",".join(str((day + 1) % 7) for day in days if day is not None)


# --- once ------------------------------------------------------------------------------------------------------------------


def _moment(said: str, now: float, zone: tzinfo) -> datetime | None:
    """The moment that is meant, in the zone unless it names another; None if none is."""
    today = datetime.fromtimestamp(now, zone)
    if said.startswith("in ") or said.endswith(" from now"):
        return _later(said.removeprefix("in ").removesuffix(" from now"), now, zone)
    if _ISO.fullmatch(said):
        return _iso(said, zone)
    for day, clock in _splits(said):
        date, found = _date(day, today), _clock(clock) if clock else MORNING
        if date is None or found is None or not (day or clock):
            continue
        moment = datetime.combine(date, found, zone)
        # What comes round again is meant the next time: a time of day, or a day of the week.
        again = 0 if moment > today else 1 if not day else 7 if _day(day) is not None else 0
        return datetime.combine(date + timedelta(days=again), found, zone)
    return None


def _splits(said: str) -> Iterator[tuple[str, str]]:
    """The ways in which a text may consist of a day and a time of day, in either order; either may be missing."""
    words = said.split(" ")
    for place in range(len(words) + 1):
        before, after = " ".join(words[:place]), " ".join(words[place:])
        yield before, after.removeprefix("at ").removeprefix("in the ")
    for place in range(1, len(words)):
        yield " ".join(words[place:]).removeprefix("on "), " ".join(words[:place])


def _date(said: str, today: datetime) -> datetime | None:
    """The day that is meant, at midnight without a zone."""
    start = datetime(today.year, today.month, today.day)
    if said in ("", "today", "this"):
        return start
    if said == "tomorrow":
        return start + timedelta(days=1)
    if said in ("the day after tomorrow", "day after tomorrow"):
        return start + timedelta(days=2)
    if said == "next week":
        return start + timedelta(days=7)
    day = _day(said.removeprefix("next ").removeprefix("this "))
    if day is not None:
        return start + timedelta(days=(day - start.weekday()) % 7 or (7 if said.startswith("next ") else 0))
    return _calendar(said, start)


def _calendar(said: str, start: datetime) -> datetime | None:
    """``3 May``, ``May 3rd``, ``the 3rd of May 2027``, ``2027-05-03``; without a year the next one that comes."""
    found = _DATE.fullmatch(said)
    us = _DATE_US.fullmatch(said)
    if found is not None:
        day, month, year = found.groups()
    elif us is not None:
        month, day, year = us.groups()
    elif _ISO.fullmatch(said) and len(said) == len("2027-05-03"):
        return _naive(said)
    else:
        return None
    number = next(place for place, name in enumerate(_MONTHS, 1) if name.startswith(month))
    for guess in (
        (int(year),) if year else range(start.year, start.year + 9)
    ):  # a 29 February is at most eight years away
        moment = _naive(f"{guess:04}-{number:02}-{int(day):02}")
        if moment is not None and (year or moment >= start):
            return moment
    return None


def _naive(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _iso(said: str, zone: tzinfo) -> datetime | None:
    if len(said) == len("2027-05-03"):
        day = _naive(said)
        return None if day is None else datetime.combine(day, MORNING, zone)
    hour = said[11:].replace(" ", "").upper()
    moment = _naive(f"{said[:10]}T{hour if hour[1] != ':' else f'0{hour}'}")
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=zone)


def _later(said: str, now: float, zone: tzinfo) -> datetime | None:
    """``10 minutes``, ``2 days at 9``; in whole seconds, so that none is lost to the rounding."""
    amount, _, clock = said.partition(" at ")
    seconds = _seconds(amount)
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(ceil(now + seconds), zone)
    if not clock:
        return moment.astimezone(UTC)  # no time of the wall is meant
    found = _clock(clock)
    return None if found is None else datetime.combine(moment, found, zone)


def _seconds(said: str) -> float | None:
    """``1 hour and 30 minutes``, ``half an hour``, ``1h30m``, ``an hour and a half`` in seconds."""
    said = said.replace("an hour and a half", "90 minutes").replace("a couple of", "2").replace("a few", "3")
    said = re.sub(r"\band\b", " ", said).strip()
    total, place = 0.0, 0
    while place < len(said):
        found = _QUANTITY.match(said, place)
        if found is None:
            return None
        number, word, unit = found.groups()
        unit = _SHORT.get(unit, unit.removesuffix("s") if len(unit) > 2 else unit)
        unit = _SHORT.get(unit, unit)
        amount = float(number) if number else 0.5 if word.startswith("half") else _NUMBERS.get(word)
        if amount is None or unit not in _UNITS:
            return None
        total += amount * _UNITS[unit]
        place = found.end()
        while place < len(said) and said[place] == " ":
            place += 1
    return total or None


def _clock(said: str) -> time | None:
    """``18:00``, ``6pm``, ``6 o'clock``, ``noon``, ``evening``, ``evening at 7``."""
    said = said.strip()
    if said in _TIMES:
        return _TIMES[said]
    part, _, rest = said.partition(" at ")
    if rest and part in _TIMES:
        hand = _clock(rest)
        is_late = part not in ("morning", "midnight") and hand is not None and hand.hour < 12
        return hand.replace(hour=hand.hour + 12) if is_late and hand is not None else hand
    found = _CLOCK.fullmatch(said)
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2] or 0)
    half = (found[4] or "").replace(".", "")
    if half in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _day(word: str) -> int | None:
    """The number of a weekday, Monday's being 0."""
    word = word.removesuffix("s") if len(word) > 4 else word
    return next((number for number, day in enumerate(_DAYS) if word == day or (word == day[:3])), None)
