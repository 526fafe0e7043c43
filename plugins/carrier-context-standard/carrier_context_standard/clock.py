"""What time it is, in words."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from carrier_context_standard import order
from carrier_core import OPERATOR, Context, Part, Provenance, State, Turn


def zone_named(name: str) -> tzinfo:
    """The time zone of the IANA database with this name. ValueError if there is none; UTC needs no database."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name of a zone at all, or the name of a folder
        raise ValueError(
            f"there is no time zone {name!r}; write a name such as Europe/Lisbon, "
            "and install tzdata where the system has no time zones"
        ) from None


def in_words(at: float, zone: tzinfo) -> str:
    """A moment, to the minute: ``Sunday, 3 May 2026, 14:05 (UTC)``; empty where the seconds are no moment."""
    moment = _moment(at, zone)
    if moment is None:
        return ""
    return f"{_DAYS[moment.weekday()]}, {_date(moment)}, {moment:%H:%M} ({moment.tzname() or zone})"


def day(at: float, zone: tzinfo) -> str:
    """The day of a moment: ``3 May 2026``; empty where the seconds are no moment, or 0, which means unknown."""
    moment = _moment(at, zone) if at else None
    return "" if moment is None else _date(moment)


class Time(Context):
    """When the message was said, to the minute."""

    name = "time"
    size = 200

    def __init__(self, zone: str) -> None:
        self._zone = zone_named(zone)
        self._provenance = Provenance((OPERATOR,))
        self._state_at = lru_cache(maxsize=16)(self._state)

    async def provide(self, turn: Turn) -> State | None:
        """The turn's own time, which is the same when it is resumed."""
        return self._state_at(turn.now // 60)

    def _state(self, minute: float) -> State | None:
        words = in_words(minute * 60, self._zone)
        if not words:
            return None
        return State((Part(f"It is {words}.", self.name, self._provenance, order=order.TIME),))


# Not strftime's names, which follow the locale of the daemon.
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January February March April May June July August September October November December").split()


def _date(moment: datetime) -> str:
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def _moment(at: float, zone: tzinfo) -> datetime | None:
    try:
        return datetime.fromtimestamp(at, zone)
    except (ValueError, OverflowError, OSError):  # a client may hand over any number
        return None
