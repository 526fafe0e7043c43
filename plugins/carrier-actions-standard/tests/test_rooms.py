"""How the agent takes part in a room."""

from __future__ import annotations

import pytest

from carrier_actions_standard import stance
from carrier_core import MemoryKind

pytestmark = pytest.mark.anyio

ROOMS = ("a room of many", "a direct room")


async def answered(talk, room, text: str, **more) -> bool:
    """Whether the agent answers what is said."""
    accepted = await talk.client.say(room, "Ben", text, **more)
    return (await talk.running.host.wait(accepted.heard[0].turn))["status"] == "replied"


async def test_where_it_follows_it_answers_whatever_is_said(talk) -> None:
    hall = talk.client.group("hall")
    assert not await answered(talk, hall, "What a day!")

    told = await talk.call("Robin, follow this room.", "follow_room", room=hall)

    assert told.text == "From now on you take part in this room."
    assert await answered(talk, hall, "What a day!")
    assert not await answered(talk, talk.client.group("another"), "What a day!")


async def test_a_bot_is_not_answered_because_the_room_is_followed(talk) -> None:
    hall = talk.client.group("hall")
    await talk.call("Robin, follow this room.", "follow_room", room=hall)
    accepted = await talk.client.say(hall, talk.client.person("Botty", bot=True), "What a day!")

    assert (await talk.running.host.wait(accepted.heard[0].turn))["status"] == "silent"


async def test_when_it_stops_following_it_answers_who_speaks_to_it(talk) -> None:
    hall = talk.client.group("hall")
    await talk.call("Robin, follow this room.", "follow_room", room=hall)

    told = await talk.call("Unfollow this room.", "unfollow_room", room=hall)

    assert "only who speaks to you" in told.text
    assert not await answered(talk, hall, "What a day!")
    assert await answered(talk, hall, "What a day, Robin!")


@pytest.mark.parametrize("kind", ROOMS)
async def test_a_muted_agent_answers_who_calls_it_and_nobody_else(talk, kind: str) -> None:
    room = talk.client.group("hall") if kind == ROOMS[0] else talk.client.dm("Ben")

    told = await talk.call("Robin, mute this room.", "mute_room", room=room, person="Ben")

    assert "silent in this room" in told.text
    for said in ("What a day!", "I like Robin.", "Robinson is here."):
        assert not await answered(talk, room, said), said
    for said in ("Robin, speak!", "hey @robin, are you there?", "ROBIN"):
        assert await answered(talk, room, said), said
    assert await answered(talk, room, "Are you there?", mentions=("robin",))


async def test_a_muted_agent_can_be_called_back(talk) -> None:
    hall = talk.client.group("hall")
    await talk.call("Robin, follow this room.", "follow_room", room=hall)
    await talk.call("Robin, mute this room.", "mute_room", room=hall)

    told = await talk.call("Robin, unmute this room.", "unmute_room", room=hall)

    assert "no longer muted" in told.text
    assert await answered(talk, hall, "I like Robin.")
    assert not await answered(talk, hall, "What a day!")  # it does not follow, as before it was muted it did


async def test_what_is_so_already_is_said_and_not_written_again(talk) -> None:
    hall = talk.client.group("hall")
    for name, answer in (("unmute_room", "not muted"), ("unfollow_room", "did not follow")):
        assert answer in (await talk.call(f"Robin, {name}", name, room=hall)).text
    assert await talk.memory.list(kind=MemoryKind.STANCE) == ()

    await talk.call("Robin, follow this room.", "follow_room", room=hall)
    assert "already" in (await talk.call("Robin, follow this room.", "follow_room", room=hall)).text


async def test_there_is_one_stance_for_a_room_whatever_it_was_before(talk) -> None:
    hall = talk.client.group("hall")
    for name in ("follow_room", "mute_room", "unmute_room", "mute_room"):
        await talk.call(f"Robin, {name}", name, room=hall)

    (memory,) = await talk.memory.list(kind=MemoryKind.STANCE)
    assert (memory.text, memory.data, memory.room) == ("muted", {"stance": "muted"}, hall.id)
    assert (memory.provenance.audience.rooms, memory.provenance.plugin) == ((hall.id,), "carrier-actions-standard")


async def test_what_was_scheduled_is_told_in_a_muted_room(talk) -> None:
    dm = talk.client.dm("Ana")
    await talk.call(
        "Remind me to call the bank in 10 minutes.", "remind_me", room=dm, text="call the bank", when="in 10 minutes"
    )
    await talk.call("Robin, mute this room.", "mute_room", room=dm)
    sent = len(talk.client.sends)

    talk.running.clock.advance(700.0)
    talk.running.host.agenda.wake()

    assert "call the bank" in (await talk.client.replies(sent + 1))[-1].text


async def test_a_stance_that_somebody_else_has_changed_is_noticed_after_a_minute(talk) -> None:
    hall = talk.client.group("hall")
    await talk.call("Robin, follow this room.", "follow_room", room=hall)
    assert await answered(talk, hall, "What a day!")
    (memory,) = await talk.memory.list(kind=MemoryKind.STANCE)

    await talk.memory.forget((memory.id,))

    talk.running.clock.advance(stance.FRESH)
    assert not await answered(talk, hall, "What a day!")
