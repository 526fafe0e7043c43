"""Windows: the days and months of budgets, in the operator's time zone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_core import ConfigError
from carrier_core.windows import Windows

HOUR = 3600.0
ZONES = [
    "UTC",
    "Europe/Lisbon",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "America/Santiago",
    "Pacific/Apia",
    "Australia/Lord_Howe",
]


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_day_is_that_of_the_zone() -> None:
    late = moment("2027-01-31T23:30")

    assert Windows("UTC").at(late)[:2] == ("2027-01-31", "2027-01")
    assert Windows("Europe/Berlin").at(late)[:2] == ("2027-02-01", "2027-02")


def test_a_day_is_as_long_as_the_clocks_make_it() -> None:
    berlin = Windows("Europe/Berlin")

    assert berlin.at(moment("2027-03-28T12:00")).end - berlin.at(moment("2027-03-28T12:00")).start == 23 * HOUR
    assert berlin.at(moment("2027-10-31T12:00")).end - berlin.at(moment("2027-10-31T12:00")).start == 25 * HOUR


@pytest.mark.parametrize("zone", ZONES)
@given(times=st.lists(st.floats(0, 4e9), min_size=1, max_size=20))
def test_what_was_asked_before_changes_no_answer(zone: str, times: list[float]) -> None:
    windows = Windows(zone)

    for now in times:
        window = windows.at(now)
        assert window == Windows(zone).at(now)
        assert window.start <= now < window.end or window.day == Windows(zone).back(now, 1)[0]
        assert window.day.startswith(window.month)


def test_the_last_days_are_told_the_oldest_first() -> None:
    assert Windows("UTC").back(moment("2027-03-01T00:00"), 3) == ("2027-02-27", "2027-02-28", "2027-03-01")


def test_a_zone_that_is_not_there_is_named_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"no time zone Mars/Olympus\. Write an IANA name") as raised:
        Windows("Mars/Olympus")

    assert "[limits] zone" in raised.value.message
