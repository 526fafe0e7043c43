"""The slots of schedules: each comes once, in order, whatever clocks do, and what was missed follows the policy."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from carrier_core import CarrierError, Entity, Missed, Room, Schedule
from carrier_core.schedules import GRACE, MOST, Plan, first, following, mended, normal, plan

NOW = 1_790_000_000.0  # a Monday in September 2026, 14:13:20 UTC
DAY = 86_400.0


def schedule(when: str, next_at: float, *, zone: str = "UTC", missed: Missed = Missed.ONE) -> Schedule:
    """A schedule of the command line."""
    room, person = Room.of("local", "main"), Entity.of("local", "ana")
    return Schedule("s", "robin", room, person, "hello", when, next_at, zone=zone, missed=missed)


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    """Seconds since the epoch of a time in a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


# --- what is written -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "zone", "slot"),
    [
        ("at 2026-12-24T18:00", "UTC", at("2026-12-24T18:00")),
        ("at 2026-12-24T18:00", "Europe/Lisbon", at("2026-12-24T18:00")),
        ("at 2026-12-24 18:00", "Asia/Tokyo", at("2026-12-24T09:00")),
        ("at 2026-12-24T18:00+05:00", "Asia/Tokyo", at("2026-12-24T13:00")),
        ("at 2026-12-24T18:00Z", "Asia/Tokyo", at("2026-12-24T18:00")),
        ("every 90", "UTC", NOW + 90),
        ("every 90s", "UTC", NOW + 90),
        ("every 1h30m", "UTC", NOW + 5400),
        ("Every 1H 30M", "UTC", NOW + 5400),
        ("every 1w2d", "UTC", NOW + 9 * DAY),
        ("cron 0 9 * * 1-5", "UTC", at("2026-09-22T09:00")),
        ("cron 0 9 * * mon-fri", "Europe/Lisbon", at("2026-09-22T08:00")),
        ("cron  0  9  1 * *", "UTC", at("2026-10-01T09:00")),
        ("cron 14 14 * * *", "UTC", at("2026-09-21T14:14")),
    ],
)
def test_the_first_slot_is_the_next_time_that_is_meant(when: str, zone: str, slot: float) -> None:
    assert first(when, zone, NOW) == slot
    assert first(normal(when, zone), zone, NOW) == slot


def test_an_interval_is_kept_in_seconds_and_the_rest_as_it_was_written() -> None:
    assert normal("every  1h 30m") == "every 5400"
    assert normal("AT 2026-12-24T18:00") == "at 2026-12-24T18:00"
    assert normal("cron 0  9 * * MON") == "cron 0 9 * * MON"


@pytest.mark.parametrize(
    ("when", "zone", "said"),
    [
        ("", "UTC", "is no time of a schedule"),
        ("tomorrow", "UTC", "Write `at 2026-12-24T18:00`, `every 1h30m` or `cron 0 9 * * 1-5`"),
        ("every", "UTC", "is no time of a schedule"),
        ("cron " + "1," * 200 + "1 * * * *", "UTC", "is no time of a schedule"),
        ("at noon", "UTC", "`noon` is no time. Write it as ISO 8601 has it"),
        ("at 2020-01-01", "UTC", "2020-01-01 is over"),
        ("every 0", "UTC", "An interval of 0 s cannot be kept. Choose one from 1 s to ten years"),
        ("every 0.5", "UTC", "`0.5` is no interval"),
        ("every -5", "UTC", "`-5` is no interval"),
        ("every 1 30", "UTC", "`1 30` is no interval"),
        ("every 30m1h", "UTC", "in this order: 90, 1h30m, 2d"),
        ("every 600w", "UTC", "to ten years"),
        ("every 5m", "Mars/Olympus", "There is no time zone Mars/Olympus"),
        ("cron 0 9 * * 1-5", "Europe/Lisbno", "There is no time zone Europe/Lisbno. Did you mean Europe/Lisbon?"),
        ("cron 0 9 * * 1-5", "", "There is no time zone without a name"),
        ("cron 0 9 * * 1-5", "Europe", "There is no time zone Europe"),
        ("cron 0 9 * * 1-5", "../../etc/passwd", "There is no time zone ../../etc/passwd"),
        ("cron 0 9 * *", "UTC", "it has five fields"),
        ("cron 0 0 9 * * *", "UTC", "it has five fields"),
        ("cron 61 9 * * *", "UTC", "bad minute"),
        ("cron 0 9 * * 1-L", "UTC", "bad day-of-week"),
        ("cron 0 0 30 2 *", "UTC", "bad day-of-month"),
        ("cron 0 0 */28 2 1#2", "UTC", "names a day that never comes"),
    ],
)
def test_what_cannot_be_understood_is_told_as_wrong_usage(when: str, zone: str, said: str) -> None:
    with pytest.raises(CarrierError) as raised:
        first(when, zone, NOW)
    assert said in str(raised.value)
    assert raised.value.exit_code == 64
    assert raised.value.remedy


@given(st.text(max_size=40), st.sampled_from(["", "at ", "every ", "cron ", "cron * * ", "cron 0 0 * * "]))
def test_no_text_raises_anything_else(text: str, kind: str) -> None:
    try:
        slot = first(kind + text, "Europe/Berlin", NOW)
    except CarrierError:
        return
    assert slot > NOW


# --- clocks that change ----------------------------------------------------------------------------------------------------


def slots_of(when: str, zone: str, after: float, count: int) -> list[float]:
    """The slots after a time, each asked for by itself, as a host asks."""
    slots: list[float] = []
    for _ in range(count):
        found = following(schedule(when, 0.0, zone=zone), after)
        assert found is not None
        slots.append(after := found)
    return slots


def shown(slots: list[float], zone: str) -> list[str]:
    return [f"{datetime.fromtimestamp(slot, ZoneInfo(zone)):%d %H:%M%z}" for slot in slots]


def test_a_time_in_the_hour_that_is_left_out_comes_right_after_it() -> None:
    slots = slots_of("cron 30 2 * * *", "Europe/Prague", at("2027-03-27T12:00"), 2)
    assert shown(slots, "Europe/Prague") == ["28 03:00+0200", "29 02:30+0200"]


@pytest.mark.parametrize("since", ["2026-10-24T12:00", "2026-10-25T00:10", "2026-10-25T01:10"])
def test_a_time_in_the_hour_that_comes_twice_comes_once(since: str) -> None:
    slots = slots_of("cron 30 2 * * *", "Europe/Prague", at(since), 2)
    first_time = [] if since.endswith("01:10") else ["25 02:30+0200"]
    assert shown(slots, "Europe/Prague") == [*first_time, "26 02:30+0100", "27 02:30+0100"][:2]


def test_what_is_set_for_every_half_hour_goes_by_the_time_that_passes() -> None:
    autumn = slots_of("cron */30 * * * *", "Europe/Prague", at("2026-10-25T00:00"), 6)
    spring = slots_of("cron */30 * * * *", "Europe/Prague", at("2027-03-28T00:00"), 6)
    for slots in (autumn, spring):
        assert {later - earlier for earlier, later in pairwise(slots)} == {1800.0}


def test_nine_in_the_morning_stays_nine_in_the_morning() -> None:
    slots = slots_of("cron 0 9 * * *", "Europe/Lisbon", at("2026-10-23T12:00"), 4)
    assert shown(slots, "Europe/Lisbon") == ["24 09:00+0100", "25 09:00+0000", "26 09:00+0000", "27 09:00+0000"]


def test_a_moment_that_the_clocks_jump_over_or_show_twice() -> None:
    assert first("at 2027-03-28T02:30", "Europe/Prague", NOW) == at("2027-03-28T01:30")
    assert first("at 2026-10-25T02:30", "Europe/Prague", NOW) == at("2026-10-25T00:30")


# --- the slots of a schedule -------------------------------------------------------------------------------------------------

ZONES = st.sampled_from(
    ["UTC", "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo"]
)
MOMENTS = st.floats(at("2026-01-01"), at("2028-01-01"), allow_nan=False)
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 28), ("month", 1, 12), ("weekday", 0, 6))


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Cron expressions with one or two wild or stepped fields, as people write them."""
    fields = []
    for _, low, high in FIELDS:
        number = st.integers(low, high).map(str)
        step = st.integers(1, max(1, high // 3)).map(lambda size: f"*/{size}")
        fields.append(draw(st.one_of(st.just("*"), number, step, st.tuples(number, number).map(",".join))))
    return " ".join(fields)


@given(expressions(), ZONES, MOMENTS)
@settings(max_examples=150, deadline=None)
def test_slots_of_a_cron_expression_rise_and_are_what_it_says(expression: str, zone: str, now: float) -> None:
    try:
        slots = [first(f"cron {expression}", zone, now)]
    except CarrierError:
        assume(False)
    for _ in range(4):
        found = following(schedule(f"cron {expression}", slots[0], zone=zone), slots[-1])
        if found is None:
            break
        slots.append(found)
    assert slots[0] > now
    assert all(earlier < later for earlier, later in pairwise(slots))
    months = expression.split()[3]
    for slot in slots:
        moment = datetime.fromtimestamp(slot, ZoneInfo(zone))
        assert moment.second == 0
        if months.isdigit():
            assert moment.month == int(months)


@given(st.integers(1, 10**7), st.floats(-1e9, 1e9), MOMENTS)
@example(1, 1.0 - 1e-9, 1_790_000_000.001)
@settings(deadline=None)
def test_slots_of_an_interval_are_whole_intervals_apart(interval: int, later: float, start: float) -> None:
    start = round(start, 3)
    after = start + later
    slot = following(schedule(f"every {interval}", start), after)
    assert slot is not None
    assert after < slot <= after + interval + 0.001
    assert round((slot - start) / interval, 6) == pytest.approx(round((slot - start) / interval), abs=1e-3)
    again = following(schedule(f"every {interval}", slot), slot)
    assert again == pytest.approx(slot + interval, abs=0.0011)


def test_a_moment_has_no_other_slot() -> None:
    once = schedule("at 2026-12-24T18:00", at("2026-12-24T18:00"))
    assert following(once, NOW) is None
    assert following(once, at("2027-01-01")) is None


# --- what is due, and what was missed -----------------------------------------------------------------------------------------


def test_nothing_is_due_before_its_slot() -> None:
    assert plan(schedule("every 60", NOW + 1), NOW) == Plan((), NOW + 1, 0)


@pytest.mark.parametrize("missed", [Missed.ONE, Missed.ALL, Missed.SKIP, Missed.UNKNOWN])
def test_a_slot_that_has_just_come_is_fired_whatever_the_policy(missed: Missed) -> None:
    assert plan(schedule("every 60", NOW, missed=missed), NOW + 0.5) == Plan((NOW,), NOW + 60, 0)
    assert plan(schedule("at 2026-09-21", NOW, missed=missed), NOW + 0.5) == Plan((NOW,), None, 0)


@pytest.mark.parametrize(
    ("missed", "slots", "skipped"),
    [
        (Missed.ONE, (NOW + 3600,), 6),
        (Missed.UNKNOWN, (NOW + 3600,), 6),
        (Missed.ALL, tuple(NOW + 600 * step for step in range(7)), 0),
        (Missed.SKIP, (), 7),
    ],
)
def test_missed_slots_follow_the_policy(missed: Missed, slots: tuple[float, ...], skipped: int) -> None:
    assert plan(schedule("every 600", NOW, missed=missed), NOW + 4000) == Plan(slots, NOW + 4200, skipped)


def test_skipping_leaves_the_present_slot() -> None:
    assert plan(schedule("every 600", NOW, missed=Missed.SKIP), NOW + 3600 + GRACE) == Plan(
        (NOW + 3600,), NOW + 4200, 6
    )


def test_a_moment_that_passed_long_ago_comes_or_is_skipped() -> None:
    once = schedule("at 2026-09-21", NOW)
    assert plan(once, NOW + DAY) == Plan((NOW,), None, 0)
    assert plan(msgspec.structs.replace(once, missed=Missed.SKIP), NOW + DAY) == Plan((), None, 1)


def test_no_more_than_the_last_hundred_are_made_up_for() -> None:
    found = plan(schedule("every 1", NOW, missed=Missed.ALL), NOW + 365 * DAY)
    assert found.slots == tuple(NOW + 365 * DAY - MOST + 1 + step for step in range(MOST))
    assert (found.next_at, found.skipped) == (NOW + 365 * DAY + 1, 365 * 86_400 + 1 - MOST)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Prague"])
def test_a_year_of_missed_minutes_ends_with_the_last_hundred_too(zone: str) -> None:
    start, now = at("2026-06-01"), at("2027-06-01") + 7
    found = plan(schedule("cron * * * * *", start, zone=zone, missed=Missed.ALL), now)
    assert found.slots == tuple(now - 7 - 60 * back for back in reversed(range(MOST)))
    assert found.next_at == now - 7 + 60
    assert found.skipped >= 900
    one = plan(schedule("cron * * * * *", start, zone=zone), now)
    assert (one.slots, one.next_at) == ((now - 7,), now - 7 + 60)


@given(expressions(), ZONES, MOMENTS, st.floats(0, 40 * DAY), st.sampled_from(list(Missed)))
@settings(max_examples=100, deadline=None)
def test_no_slot_is_fired_twice_or_too_early_however_time_passes(
    expression: str, zone: str, now: float, gap: float, missed: Missed
) -> None:
    try:
        due = first(f"cron {expression}", zone, now)
    except CarrierError:
        assume(False)
    assume(due < now + 400 * DAY)
    fired: list[float] = []
    planned = schedule(f"cron {expression}", due, zone=zone, missed=missed)
    for _ in range(4):
        now = max(now, planned.next_at) + gap
        found = plan(planned, now)
        assert all(slot <= now for slot in found.slots)
        assert len(found.slots) <= (MOST if missed is Missed.ALL else 1)
        fired += found.slots
        assert found.next_at is None or found.next_at > now
        if found.next_at is None:
            break
        planned = msgspec.structs.replace(planned, next_at=found.next_at)
    assert all(earlier < later for earlier, later in pairwise(fired))


# --- clocks that jump -----------------------------------------------------------------------------------------------------------


def test_a_clock_that_goes_back_makes_nothing_due_again() -> None:
    done = plan(schedule("every 600", NOW), NOW + 1)
    assert done.next_at is not None
    assert plan(schedule("every 600", done.next_at), NOW - 1000).slots == ()


@pytest.mark.parametrize("when", ["every 600", "cron */10 * * * *"])
def test_a_schedule_that_was_set_by_a_clock_that_was_ahead_is_mended(when: str) -> None:
    start = at("2026-09-21T14:20")
    ahead = plan(schedule(when, start), start + 300 * DAY)
    assert ahead.next_at is not None
    wrong = schedule(when, ahead.next_at)
    right = mended(wrong, start + 30)
    assert right is not None
    assert right.next_at == start + 600
    assert msgspec.structs.replace(right, next_at=wrong.next_at) == wrong


@pytest.mark.parametrize("when", ["every 600", "cron 0 9 * * *", "at 2026-12-24T18:00"])
def test_a_schedule_that_is_right_is_left_alone(when: str) -> None:
    due = first(when, "UTC", NOW)
    assert mended(schedule(when, due), NOW) is None
    assert mended(schedule(when, due), due + timedelta(days=2).total_seconds()) is None
