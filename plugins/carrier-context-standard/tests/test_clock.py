"""The time, in words."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from pydantic import ValidationError

from carrier_context_standard import Settings, clock

NOON = 1_777_809_600.0


@pytest.mark.anyio
async def test_the_time_is_told_in_words_to_the_minute(turn) -> None:
    turn.now = NOON + 59.9

    state = await clock.Time("UTC").provide(turn)

    assert state.text("time") == "It is Sunday, 3 May 2026, 12:00 (UTC)."
    assert [(part.stable, part.provenance.origins) for part in state.parts] == [(False, ("operator",))]


@pytest.mark.anyio
async def test_within_a_minute_it_is_the_same_part(turn) -> None:
    time = clock.Time("UTC")

    first = await time.provide(turn)
    turn.now += 30

    assert await time.provide(turn) is first
    turn.now += 30
    assert (await time.provide(turn)).text("time").endswith("12:01 (UTC).")


@pytest.mark.anyio
async def test_it_is_told_in_the_zone_of_the_settings(turn) -> None:
    state = await clock.Time("Europe/Lisbon").provide(turn)

    assert state.text("time") == "It is Sunday, 3 May 2026, 13:00 (WEST)."


@pytest.mark.parametrize("name", ["UTC", "utc", "Europe/Lisbon"])
def test_a_time_zone_is_taken(name: str) -> None:
    assert Settings(time_zone=name).time_zone == name


@pytest.mark.parametrize("name", ["Europe/Lisboa", "", "Europe", "../../etc/passwd", "/etc/passwd", "a\0b", "x" * 5000])
def test_what_is_no_time_zone_is_refused_with_a_remedy(name: str) -> None:
    with pytest.raises(ValidationError, match=r"there is no time zone .*; write a name such as Europe/Lisbon"):
        Settings(time_zone=name)


@pytest.mark.anyio
@pytest.mark.parametrize("at", [float("nan"), float("inf"), -1e18, 1e18])
async def test_a_moment_that_is_none_costs_only_the_time(turn, at: float) -> None:
    turn.now = at

    assert await clock.Time("UTC").provide(turn) is None


def test_a_day_that_is_not_known_is_not_told() -> None:
    assert clock.day(0.0, UTC) == ""
    assert clock.day(1e18, UTC) == ""
    assert clock.day(NOON, timezone(timedelta(hours=13))) == "4 May 2026"
