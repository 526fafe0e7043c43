"""Times as people say them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from carrier_actions_standard import Settings
from carrier_actions_standard.times import in_words, when
from carrier_core import CarrierError

NOON = 1_777_809_600.0
"""Sunday, 3 May 2026, 12:00 UTC; 13:00 in Lisbon."""
LISBON = ZoneInfo("Europe/Lisbon")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("in 10 minutes", "at 2026-05-03T12:10:00+00:00"),
        ("in an hour", "at 2026-05-03T13:00:00+00:00"),
        ("in half an hour", "at 2026-05-03T12:30:00+00:00"),
        ("in an hour and a half", "at 2026-05-03T13:30:00+00:00"),
        ("in 1h30m", "at 2026-05-03T13:30:00+00:00"),
        ("in 2 days", "at 2026-05-05T12:00:00+00:00"),
        ("in 2 days at 9", "at 2026-05-05T09:00:00+01:00"),
        ("10 minutes from now", "at 2026-05-03T12:10:00+00:00"),
        ("tomorrow", "at 2026-05-04T09:00:00+01:00"),
        ("Tomorrow at 9am.", "at 2026-05-04T09:00:00+01:00"),
        ("9am tomorrow", "at 2026-05-04T09:00:00+01:00"),
        ("tomorrow evening at 7", "at 2026-05-04T19:00:00+01:00"),
        ("tomorrow in the afternoon", "at 2026-05-04T15:00:00+01:00"),
        ("the day after tomorrow at 10", "at 2026-05-05T10:00:00+01:00"),
        ("at 18:00", "at 2026-05-03T18:00:00+01:00"),
        ("at 6 pm", "at 2026-05-03T18:00:00+01:00"),
        ("at 12:00", "at 2026-05-04T12:00:00+01:00"),  # it is one o'clock
        ("today at 18:00", "at 2026-05-03T18:00:00+01:00"),
        ("tonight", "at 2026-05-03T20:00:00+01:00"),
        ("midnight", "at 2026-05-04T00:00:00+01:00"),
        ("on Monday at 8:30", "at 2026-05-04T08:30:00+01:00"),
        ("sunday at 18:00", "at 2026-05-03T18:00:00+01:00"),
        ("sunday at 9", "at 2026-05-10T09:00:00+01:00"),
        ("next sunday", "at 2026-05-10T09:00:00+01:00"),
        ("on 4 May", "at 2026-05-04T09:00:00+01:00"),
        ("May 2nd at 6pm", "at 2027-05-02T18:00:00+01:00"),
        ("the 5th of June 2027 at 7:15", "at 2027-06-05T07:15:00+01:00"),
        ("2027-01-31", "at 2027-01-31T09:00:00+00:00"),
        ("2027-01-31 18:00", "at 2027-01-31T18:00:00+00:00"),
        ("at 2027-01-31T18:00", "at 2027-01-31T18:00:00+00:00"),
        ("2027-01-31T18:00Z", "at 2027-01-31T18:00:00+00:00"),
        ("2027-01-31T18:00+02:00", "at 2027-01-31T18:00:00+02:00"),
        ("2026-10-25 1:30", "at 2026-10-25T01:30:00+01:00"),  # the clocks show it twice: the first time
        ("every 2 hours", "every 7200"),
        ("every hour", "every 3600"),
        ("every 5400", "every 5400"),
        ("hourly", "every 3600"),
        ("every day at 9", "cron 0 9 * * *"),
        ("daily at noon", "cron 0 12 * * *"),
        ("every weekday at 8:30", "cron 30 8 * * 1-5"),
        ("every Monday and Thursday at 18:00", "cron 0 18 * * 1,4"),
        ("every evening", "cron 0 18 * * *"),
        ("cron 0 9 * * 1-5", "cron 0 9 * * 1-5"),
    ],
)
def test_a_time_is_understood_in_its_zone(said: str, meant: str) -> None:
    assert when(said, NOON, LISBON) == meant


@pytest.mark.parametrize(
    "said",
    [
        *(
            "",
            "at",
            "soon",
            "in a bit",
            "yesterday",
            "at 25:00",
            "2026-13-45",
            "31 June",
            "every",
            "every blue moon",
            "every month",
        ),
        *(
            "in 0 minutes",
            "in 99999999999 weeks",
            "9999-12-31T23:59-10:00",
            "every day at 25:00",
            "in",
            "1e9 weeks from now",
        ),
    ],
)
def test_what_is_no_time_is_refused_with_a_remedy(said: str) -> None:
    with pytest.raises(CarrierError, match="can be understood") as caught:
        when(said, NOON, LISBON)
    assert "in 10 minutes" in caught.value.remedy


@pytest.mark.parametrize("said", ["today at 9", "2020-01-01", "3 May 2026 at 8"])
def test_what_is_over_is_said_to_be(said: str) -> None:
    with pytest.raises(CarrierError, match="is over"):
        when(said, NOON, LISBON)


@pytest.mark.parametrize("said", ["every second", "every 30 seconds", "every 59"])
def test_nothing_happens_more_often_than_once_in_a_minute(said: str) -> None:
    with pytest.raises(CarrierError, match="too often"):
        when(said, NOON, LISBON)


@given(st.text(max_size=60), st.floats(allow_nan=True, allow_infinity=True))
def test_whatever_is_said_there_is_a_time_or_an_error_that_names_it(said: str, now: float) -> None:
    _understood_or_refused(said, now)


WORDS = "at on in every next 9 18:00 2 hours monday may 31 tomorrow noon morning and a half 2027-01-31".split()


@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_words_of_times_in_any_order_are_a_time_to_come_or_an_error(words: list[str]) -> None:
    _understood_or_refused(" ".join(words), NOON)


def _understood_or_refused(said: str, now: float) -> None:
    try:
        found = when(said, now, LISBON)
    except CarrierError as error:
        found = f"refused {error.message}"
    kind, _, rest = found.partition(" ")
    assert kind in ("at", "every", "cron") or said in rest


def test_a_moment_is_told_in_words() -> None:
    assert in_words(NOON, LISBON) == "Sunday 3 May 2026, 13:00 (WEST)"


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no time zone 'Europe/Lisboa'"):
        Settings(time_zone="Europe/Lisboa")
