"""Replies on their way out: in order, tried again, given up or in doubt, whatever happens to the process."""

from __future__ import annotations

import anyio
import pytest

from carrier_core import InDoubt, NotDone, NotSent, Rejected, ReplyPart, Sending, Sent, Unavailable, Unknown
from carrier_core.testing import HostUnderTest, Lives

pytestmark = pytest.mark.anyio


async def never(*args: object) -> None:
    """A store that went away with the process."""
    raise Unavailable("The store is away.")


async def unreachable(part: ReplyPart) -> Sent | NotSent | Unknown:
    """A platform that went away as well."""
    raise ConnectionError("The platform is away.")


async def later(lives: Lives, running: HostUnderTest, seconds: float) -> None:
    """Let that much time pass, for everything that waits for it."""
    lives.clock.advance(seconds)
    running.host.outbox.wake()


async def test_a_reply_that_could_not_be_sent_is_tried_again_and_those_behind_it_wait():
    lives = Lives()
    async with lives.host() as running:
        lives.client.fail(NotDone("Too many requests.", retry_after=30.0))
        assert await running.ask("one", room="r") == ""
        assert await running.ask("two", room="r") == ""
        assert await running.ask("three", room="other") == "You said: three"
        [delayed, behind] = await lives.outbox(Sending.WAITING)
        assert (delayed.attempts, delayed.error, behind.attempts) == (1, "Too many requests.", 0)
        await later(lives, running, 29.0)
        assert len(lives.client.attempts) == 2
        await later(lives, running, 2.0)
        await lives.client.replies(3)
    assert lives.client.texts == ("You said: three", "You said: one", "You said: two")
    assert await lives.outbox(Sending.WAITING, Sending.SENDING) == ()


async def test_the_wait_grows_with_every_attempt_until_the_reply_is_given_up_visibly():
    lives = Lives(config="[limits]\ndelivery_attempts = 3\n")
    async with lives.host() as running:
        lives.client.fail(*[NotDone("Not now.")] * 3)
        await running.ask("one", room="r")
        for attempt, wait in ((2, 1.0), (3, 2.0)):
            [row] = await lives.outbox(Sending.WAITING)
            assert row.due - lives.clock() == wait
            await later(lives, running, wait)
            await lives.client.attempted(attempt)
            while (await lives.outbox())[0].state is Sending.SENDING:
                await anyio.lowlevel.checkpoint()
        while not running.told("turn_failed"):
            await anyio.lowlevel.checkpoint()
        [dead] = await lives.outbox(Sending.DEAD)
        record = await running.last()
    assert dead.error == "Not now. (tried 3 times)"
    assert (record.outcome.status, "was not delivered" in record.outcome.reason) == ("failed", True)


async def test_a_reply_that_is_refused_is_given_up_at_once_and_the_room_goes_on():
    lives = Lives()
    async with lives.host() as running:
        lives.client.fail(Rejected("You were blocked."))
        assert await running.ask("one", room="r") == ""
        assert (await running.last()).outcome.reason == "the reply was not delivered: You were blocked."
        assert await running.ask("two", room="r") == "You said: two"
    assert [row.state for row in await lives.outbox()] == [Sending.DEAD, Sending.SENT]


async def test_the_parts_behind_one_that_is_given_up_are_not_sent():
    lives = Lives()
    lives.client.most = 5
    async with lives.host() as running:
        lives.client.fail(NotDone("Not now.", retry_after=1.0), Rejected("Never."))
        await running.ask("hello", room="r")
        await later(lives, running, 1.0)
        while await lives.outbox(Sending.WAITING, Sending.SENDING):
            await anyio.lowlevel.checkpoint()
    assert lives.client.texts == ()
    assert [row.state for row in await lives.outbox()] == [Sending.DEAD] * 3


async def test_a_part_in_doubt_that_the_platform_has_is_not_sent_again():
    lives = Lives()
    async with lives.host() as running:
        lives.client.fail(InDoubt("The connection broke."), delivered=True)
        assert await running.ask("hello", room="r") == "You said: hello"
    assert len(lives.client.attempts) == 1
    assert [row.state for row in await lives.outbox()] == [Sending.SENT]


async def test_a_part_of_which_nobody_can_tell_is_not_sent_again_and_says_so():
    lives = Lives()
    lives.client.forgetful = True
    async with lives.host() as running:
        lives.client.fail(InDoubt("The connection broke."), delivered=True)
        await running.ask("one", room="r")
        assert "not known whether the reply was delivered" in (await running.last()).outcome.reason
        assert await running.ask("two", room="r") == "You said: two"
    assert [row.state for row in await lives.outbox()] == [Sending.IN_DOUBT, Sending.SENT]
    assert len(lives.client.attempts) == 2


async def test_a_platform_that_takes_the_key_gets_the_part_again():
    lives = Lives()
    lives.client.forgetful = lives.client.idempotent = True
    async with lives.host() as running:
        lives.client.fail(InDoubt("The connection broke."), delivered=True)
        await running.ask("one", room="r")
        await later(lives, running, 1.0)
        await lives.client.attempted(2)
    assert lives.client.texts == ("You said: one",)
    assert len({part.key for part in lives.client.attempts}) == 1


@pytest.mark.parametrize(
    ("delivered", "forgetful", "idempotent", "attempts", "state"),
    [
        (True, False, False, 1, Sending.SENT),  # the platform has it
        (False, False, False, 2, Sending.SENT),  # it has not
        (True, True, False, 1, Sending.IN_DOUBT),  # it cannot tell
        (True, True, True, 2, Sending.SENT),  # it recognises the key
    ],
)
async def test_a_part_that_was_being_sent_when_the_process_ended(delivered, forgetful, idempotent, attempts, state):
    lives = Lives()
    lives.client.forgetful, lives.client.idempotent = forgetful, idempotent
    async with lives.host() as running:
        lives.client.hang(delivered=delivered)
        running.host.budgets["fake.send"] = 0.05  # the process ends while the part is on its way
        real, lives.store.journal.finish = lives.store.journal.finish, never  # type: ignore[method-assign]
        lives.client.find = unreachable  # type: ignore[method-assign]
        await lives.client.say("r", "Ana", "one")
        await lives.client.attempted(1)
    del lives.client.find
    lives.store.journal.finish = real  # type: ignore[method-assign]
    async with lives.host() as running:
        await later(lives, running, 60.0)
        while await lives.outbox(Sending.SENDING, Sending.WAITING):
            running.host.outbox.wake()
            await anyio.lowlevel.checkpoint()
    assert [row.state for row in await lives.outbox()] == [state]
    assert (len(lives.client.attempts), len(lives.client.texts)) == (attempts, 1)


async def test_what_waited_is_delivered_after_a_restart_before_anything_new():
    lives = Lives()
    async with lives.host() as running:
        lives.client.fail(NotDone("Too many requests.", retry_after=30.0))
        await running.ask("one", room="r")
    lives.clock.advance(31.0)
    async with lives.host() as running:
        await lives.client.replies(1)
        assert await running.ask("two", room="r") == "You said: two"
    assert lives.client.texts == ("You said: one", "You said: two")


async def test_a_quarantined_client_delays_what_is_to_be_sent():
    lives = Lives(config="[limits]\nbreaker_failures = 1\nbreaker_cooldown = 60\n")
    async with lives.host() as running:
        lives.client.fail(RuntimeError("a bug"))
        await running.ask("one", room="r")
        await running.ask("two", room="other")
        assert len(lives.client.attempts) == 1
        await later(lives, running, 61.0)
        await lives.client.replies(1)  # one room tries, and the breaker closes; the other had to wait for that
        await later(lives, running, 5.0)
        await lives.client.replies(2)
    assert set(lives.client.texts) == {"You said: one", "You said: two"}
