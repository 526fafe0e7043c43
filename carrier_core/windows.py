"""Windows: the calendar days and months in which spending is counted, in one time zone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from carrier_core.errors import ConfigError


class Window(NamedTuple):
    """A day, ``2027-01-31``, and its month, ``2027-01``: from ``start`` to before ``end``, in seconds since the epoch."""

    day: str
    month: str
    start: float
    end: float


class Windows:
    """The days of a time zone, given by its IANA name. ConfigError if there is none of that name."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self._zone = _zone(zone)
        self._latest = Window("", "", 0.0, 0.0)

    def at(self, now: float) -> Window:
        """The day of a moment, in seconds since the epoch."""
        latest = self._latest
        if not latest.start <= now < latest.end:
            latest = self._latest = self._day(now)
        return latest

    def back(self, now: float, days: int) -> tuple[str, ...]:
        """The last so many days up to that of a moment, the oldest first."""
        today = datetime.fromtimestamp(now, self._zone).date()
        return tuple((today - timedelta(days=ago)).isoformat() for ago in reversed(range(days)))

    def _day(self, now: float) -> Window:
        day = datetime.fromtimestamp(now, self._zone).date()
        start, end = (datetime.combine(each, time(), self._zone).timestamp() for each in (day, day + timedelta(days=1)))
        return Window(day.isoformat(), f"{day:%Y-%m}", start, end)


def _zone(name: str) -> tzinfo:
    if name == "UTC":  # which is there without a database of time zones
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"[limits] zone: there is no time zone {name}.",
            remedy="Write an IANA name such as Europe/Lisbon, or UTC; if that is right, run: pip install tzdata.",
        ) from None
