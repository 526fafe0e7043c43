"""What is told later."""

from __future__ import annotations

import pytest

import carrier_actions_standard
from carrier_actions_standard import reminders
from carrier_core import person
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio


async def schedules(talk):
    return await talk.running.store.journal.schedules()


async def test_the_person_is_reminded_in_the_room_where_they_asked(talk) -> None:
    told = await talk.call(
        "Remind me to call the bank in 10 minutes.", "remind_me", text="call the bank", when="in 10 minutes"
    )
    assert told.text == "It is set up for Thursday 1 January 2026, 10:10 (UTC)."

    talk.running.clock.advance(601.0)
    talk.running.host.agenda.wake()
    reply = (await talk.client.replies(2))[-1]

    assert "Reminder: call the bank" in reply.text
    assert reply.room.id == (await talk.client.replies(1))[0].room.id
    assert await schedules(talk) == ()


async def test_a_task_comes_again_and_again(talk) -> None:
    told = await talk.call("Tell us the news every hour.", "schedule", text="Tell us the news.", when="every hour")
    assert told.text.endswith("and then again and again.")

    for number in (2, 3):
        talk.running.clock.advance(3_600.0)
        talk.running.host.agenda.wake()
        assert "Tell us the news." in (await talk.client.replies(number))[-1].text


async def test_times_are_those_of_the_operators_zone_or_of_the_one_that_is_named(talk) -> None:
    config = '[plugin.carrier-actions-standard]\ntime_zone = "Asia/Tokyo"\n'
    async with running_host([carrier_actions_standard], config=config) as running:
        other = type(talk)(running)
        one = await other.call("Remind me at 23:00.", "remind_me", text="sleep", when="at 23:00")
        two = await other.call("At 18:00 in Lisbon.", "schedule", text="sleep", when="at 18:00", zone="Europe/Lisbon")
        three = await other.call("x", "schedule", text="sleep", when="at 18:00", zone="Europe/Lisboa")

    assert one.text == "It is set up for Thursday 1 January 2026, 23:00 (JST)."
    assert two.text == "It is set up for Thursday 1 January 2026, 18:00 (WET)."
    assert three.failed
    assert "there is no time zone 'Europe/Lisboa'" in three.text


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("soon", "no time that can be understood"),
        ("2020-01-01", "is over"),
        ("every second", "too often"),
        ("cron x y z", "it has five fields"),
        ("cron 0 0 31 2 *", "no cron expression"),
    ],
)
async def test_what_is_no_time_is_told_with_a_remedy(talk, when: str, problem: str) -> None:
    told = await talk.call("Remind me.", "remind_me", text="call the bank", when=when)

    assert told.failed
    assert problem in told.text
    assert await schedules(talk) == ()


async def test_what_the_person_asked_for_in_their_own_words_is_theirs_when_it_is_due(talk) -> None:
    await talk.call("Remind me to call the bank tomorrow.", "remind_me", text="call the bank", when="tomorrow")
    await talk.call("Remind me of the other thing too.", "remind_me", text="Send all to Eve", when="tomorrow")

    theirs, models = sorted(await schedules(talk), key=lambda schedule: "bank" not in schedule.text)
    assert theirs.provenance.origins == (person(talk.client.person("Ana").id),)
    assert "agent" in models.provenance.origins


async def test_a_reminder_is_taken_back_by_the_words_that_tell_it_from_others(talk) -> None:
    for text in ("call the bank", "buy milk"):
        await talk.call(f"Remind me to {text} tomorrow.", "remind_me", text=text, when="tomorrow")

    told = await talk.call("I need not call the bank any more.", "cancel_reminder", what="the bank")

    assert told.text == "Taken back: Reminder: call the bank (Friday 2 January 2026, 09:00 (UTC))"
    assert [schedule.text for schedule in await schedules(talk)] == ["Reminder: buy milk"]


async def test_where_none_or_several_fit_it_is_told_which_there_are(talk) -> None:
    assert "nothing" in (await talk.call("Cancel it.", "cancel_reminder", what="the bank")).text
    for text in ("call the bank", "visit the bank"):
        await talk.call(f"Remind me to {text} tomorrow.", "remind_me", text=text, when="tomorrow")

    for what in ("the bank", "milk"):
        told = await talk.call("Cancel it.", "cancel_reminder", what=what)
        assert told.failed
        assert "call the bank" in told.text
        assert "visit the bank" in told.text
    assert len(await schedules(talk)) == 2


async def test_nobody_takes_back_what_another_person_or_another_room_has_set_up(talk) -> None:
    hall = talk.client.group("hall")
    await talk.call(
        "Robin, remind me to call the bank tomorrow.", "remind_me", text="call the bank", when="tomorrow", room=hall
    )

    by_another = await talk.call("Robin, cancel it.", "cancel_reminder", what="bank", room=hall, person="Ben")
    elsewhere = await talk.call("Cancel it.", "cancel_reminder", what="bank")

    assert "bank”" not in by_another.text
    assert by_another.failed
    assert elsewhere.failed
    assert len(await schedules(talk)) == 1


async def test_nobody_sets_up_more_than_fifty_in_a_room(talk, monkeypatch) -> None:
    monkeypatch.setattr(reminders, "MOST", 2)
    for text in ("buy milk", "buy tea"):
        assert not (await talk.call(f"Remind me: {text}.", "remind_me", text=text, when="tomorrow")).failed

    assert (
        "Take one back" in (await talk.call("Remind me: buy soap.", "remind_me", text="buy soap", when="tomorrow")).text
    )
    assert not (await talk.call("Remind me: x.", "remind_me", text="x", when="tomorrow", room="other")).failed
