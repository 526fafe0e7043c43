"""The agenda: schedules become turns, once for each slot, before and after a restart."""

from __future__ import annotations

import anyio
import pytest

from carrier_core import Decision, Entity, Missed, Room, Schedule, Turn, impl
from carrier_core.testing import Lives
from carrier_core.testing.clock import START

pytestmark = pytest.mark.anyio

ANA = Entity.of("fake", "ana", name="Ana")
ROOM = Room.of("fake", "r")


def every_hour(lives: Lives, **changes: object) -> Schedule:
    now = lives.clock()
    fields = {"id": "s1", "agent": "robin", "room": ROOM, "person": ANA, "text": "Water the plants!", **changes}
    return Schedule(**{"when": "every 1h", "next_at": now + 3600, "client": "fake", "made": now, **fields})


async def test_a_schedule_is_told_at_its_time_and_remembered_as_nobodys_words():
    lives = Lives()
    async with lives.host() as running:
        await lives.store.journal.schedule(every_hour(lives))
        running.host.agenda.wake()
        assert await running.ask("hello", room="r") == "You said: hello"
        lives.clock.advance(3600.0)
        running.host.agenda.wake()
        await lives.client.replies(2)
        record = await running.last()
        said = [memory.text for memory in await lives.store.memory.list(agent="robin") if not memory.by_agent]
    assert lives.client.texts[1] == "You said: Water the plants!"
    assert "scheduled by Ana" in lives.provider.prompts[-1].select("schedule")[0].text
    assert (record.person, said) == (ANA.id, ["hello"])
    assert [each.next_at for each in await lives.store.journal.schedules()] == [START + 7200.0]


async def test_a_reminder_set_before_a_restart_comes_once_after_it():
    lives = Lives()
    async with lives.host():
        at = every_hour(lives, when="at 2026-01-01T11:00:00Z")
        await lives.store.journal.schedule(at)
    lives.clock.advance(7200.0)
    async with lives.host():
        await lives.client.replies(1)
    async with lives.host() as running:
        assert await running.ask("hello", room="r") == "You said: hello"
    assert lives.client.texts == ("You said: Water the plants!", "You said: hello")
    assert await lives.store.journal.schedules() == ()


@pytest.mark.parametrize(("missed", "told"), [(Missed.ONE, 1), (Missed.ALL, 5), (Missed.SKIP, 0)])
async def test_slots_that_were_missed_follow_the_policy(missed, told):
    lives = Lives()
    async with lives.host():
        await lives.store.journal.schedule(every_hour(lives, missed=missed))
    lives.clock.advance(5 * 3600.0 + 600)
    async with lives.host() as running:
        await lives.client.replies(told)
        while (await lives.store.journal.schedules())[0].next_at <= lives.clock():
            await anyio.lowlevel.checkpoint()
        assert await running.ask("hello", room="r") == "You said: hello"
    assert len(lives.client.texts) == told + 1
    assert (await lives.store.journal.schedules())[0].next_at == START + 6 * 3600.0


async def test_a_clock_that_is_set_back_tells_no_slot_twice():
    lives = Lives()
    async with lives.host() as running:
        await lives.store.journal.schedule(every_hour(lives))
        lives.clock.advance(3600.0)
        running.host.agenda.wake()
        await lives.client.replies(1)
        lives.clock.advance(-3600.0)
        running.host.agenda.wake()
        lives.clock.advance(3600.0)
        running.host.agenda.wake()
        assert await running.ask("hello", room="r") == "You said: hello"
    assert lives.client.texts == ("You said: Water the plants!", "You said: hello")


async def test_a_turn_sets_a_reminder_of_its_own():
    class Reminds:
        @impl
        async def decide(self, turn: Turn) -> Decision | None:
            if not turn.inbound.schedule:
                made = await turn.schedule("Call Ben!", "every 30m")
                assert made.next_at == turn.agent.host.clock() + 1800
            return None

    lives = Lives(Reminds())
    async with lives.host() as running:
        await running.ask("remind me", room="r")
        [kept] = await lives.store.journal.schedules(agent="robin")
        lives.clock.advance(1800.0)
        running.host.agenda.wake()
        await lives.client.replies(2)
    assert (kept.text, kept.person.name, kept.client) == ("Call Ben!", "Ana", "fake")
    assert lives.client.texts[1] == "You said: Call Ben!"


async def test_a_schedule_that_cannot_be_read_is_left_and_the_others_go_on():
    lives = Lives()
    async with lives.host() as running:
        await lives.store.journal.schedule(every_hour(lives, id="s0", when="cron at the crossroads"))
        await lives.store.journal.schedule(every_hour(lives))
        lives.clock.advance(3600.0)
        running.host.agenda.wake()
        await lives.client.replies(1)
    assert {each.id for each in await lives.store.journal.schedules()} == {"s0", "s1"}


async def test_schedules_of_agents_that_are_not_configured_keep_nobody_back():
    lives = Lives()
    async with lives.host() as running:
        for number in range(150):
            await lives.store.journal.schedule(every_hour(lives, id=f"a{number}", agent="wren"))
        await lives.store.journal.schedule(every_hour(lives, next_at=lives.clock() + 3601))
        lives.clock.advance(3601.0)
        running.host.agenda.wake()
        await lives.client.replies(1)
    assert len(await lives.store.journal.schedules(agent="wren")) == 150


async def test_a_slot_that_was_set_by_a_clock_that_was_ahead_is_set_right():
    lives = Lives()
    await lives.store.journal.schedule(every_hour(lives, made=START, next_at=START + 400 * 24 * 3600.0))
    async with lives.host() as running:
        while (await lives.store.journal.schedules())[0].next_at > START + 3600:
            await anyio.lowlevel.checkpoint()
        lives.clock.advance(3600.0)
        running.host.agenda.wake()
        await lives.client.replies(1)
