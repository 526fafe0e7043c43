"""What is sent to other rooms and people, and to nobody by mistake."""

from __future__ import annotations

import pytest

from carrier_core import Room, RoomKind, World, person

pytestmark = pytest.mark.anyio

WORLD = World.of("fake", "harbour", name="Harbour")


async def sent(talk, count: int):
    return (await talk.client.replies(count))[-1]


async def test_a_message_goes_to_a_persons_direct_room_word_for_word(talk) -> None:
    await talk.client.ask(talk.client.dm("Ben"), "Ben", "Hello.")

    told = await talk.call("Tell Ben: I am late.", "send_message", to="Ben", text="I am late.")

    assert (told.text, told.failed) == ("Sent to Ben.", False)
    (post,) = [part for part in talk.client.sends if part.text == "I am late."]
    assert post.room.id == talk.client.dm("Ben").id


@pytest.mark.parametrize("to", ["hall", "#Hall", "ID"])
async def test_a_room_is_known_by_its_name_or_id(talk, to: str) -> None:
    hall = talk.client.group("hall")
    await talk.client.ask(hall, "Ben", "Robin, hello.")
    to = hall.id if to == "ID" else to

    told = await talk.call(f"Send to {to}: I am late.", "send_message", to=to, text="I am late.")

    assert not told.failed
    (post,) = [part for part in talk.client.sends if part.text == "I am late."]
    assert post.room.id == hall.id


async def test_whom_nobody_knows_is_not_written_to(talk) -> None:
    told = await talk.call("Tell Cleo: hello.", "send_message", to="Cleo", text="hello")

    assert told.failed
    assert told.text == "Nothing was sent. You know no room and nobody called Cleo."


async def test_who_has_not_written_yet_cannot_be_written_to(talk) -> None:
    hall = talk.client.group("hall")
    await talk.client.ask(hall, "Ben", "Robin, hello.")

    told = await talk.call("Robin, tell Ben: hello.", "send_message", to="Ben", text="hello", room=hall)

    assert told.failed
    assert "they have to write to you first" in told.text


async def test_of_two_people_of_one_name_nobody_is_written_to(talk) -> None:
    hall = talk.client.group("hall")
    for native in ("ben", "ben2"):
        ben = talk.client.person("Ben") if native == "ben" else _person(talk, native, "Ben")
        await talk.client.ask(hall, ben, "Robin, hello.")
        await talk.client.ask(Room.of("fake", f"dm/{native}", kind=RoomKind.DM), ben, "Hello.")

    told = await talk.call("Robin, tell Ben: hi there.", "send_message", to="Ben", text="hi there", room=hall)
    assert told.failed
    assert "Several people are called Ben" in told.text
    assert talk.client.person("Ben").id in told.text

    key = talk.client.person("Ben").id
    told = await talk.call(f"Robin, tell {key}: hi there.", "send_message", to=key, text="hi there", room=hall)
    assert not told.failed


async def test_who_is_called_the_same_elsewhere_is_not_told_to_people_here(talk) -> None:
    for native in ("ben", "ben2"):
        await talk.client.ask(Room.of("fake", f"dm/{native}", kind=RoomKind.DM), _person(talk, native, "Ben"), "Hello.")

    told = await talk.call("Tell Ben: hello.", "send_message", to="Ben", text="hello")

    assert told.failed
    assert "id " not in told.text.partition("Name one by the id")[2]


async def test_somebody_here_who_calls_themselves_like_somebody_elsewhere_is_not_who_is_meant(talk) -> None:
    hall = talk.client.group("hall")
    here, elsewhere = talk.client.person("Ben"), _person(talk, "ben2", "Ben")
    await talk.client.ask(hall, here, "Robin, hello.")
    for ben in (here, elsewhere):
        await talk.client.ask(Room.of("fake", f"dm/{ben.native}", kind=RoomKind.DM), ben, "Hello.")

    told = await talk.call("Robin, tell Ben: hi there.", "send_message", to="Ben", text="hi there", room=hall)

    assert told.failed
    assert "Several people are called Ben" in told.text
    told = await talk.call(f"Robin, tell {here.id}: hi there.", "send_message", to=here.id, text="hi there", room=hall)
    assert not told.failed
    (post,) = [part for part in talk.client.sends if part.text == "hi there"]
    assert post.room.native == "dm/ben"


async def test_rooms_of_the_same_world_are_told_where_the_name_fits_none(talk) -> None:
    for name in ("hall", "kitchen"):
        room = talk.client.group(name, world=WORLD)
        accepted = await talk.client.hand_over(_in_world(talk.client.message(room, "Ben", "Robin, hello."), WORLD))
        await talk.running.host.wait(accepted[0].heard[0].turn)
    hall = talk.client.group("hall", world=WORLD)

    told = await talk.call("Robin, post in the garden: hello.", "send_message", to="garden", text="hello", room=hall)

    assert "hall; kitchen" in told.text
    (part,) = told.parts
    assert "outside:fake/rooms" in part.provenance.origins  # whoever runs the world has named its rooms
    assert person(talk.client.person("Ben").id) in part.provenance.origins


async def test_what_was_said_here_is_not_sent_where_others_read_it_unless_it_was_asked_for(talk) -> None:
    await talk.client.ask(talk.client.dm("Ben"), "Ben", "Hello.")
    talk.provider.then(talk.calls(("send_message", {"to": "Ben", "text": "Ana earns 100."})), "Well.")

    await talk.client.say(talk.client.dm("Ana"), "Ana", "I earn 100.")
    await talk.client.replies(2)  # the second one asks whether it may

    assert "Ana earns 100." not in talk.client.texts


async def test_what_cannot_be_delivered_is_told(talk) -> None:
    from carrier_core import Rejected

    await talk.client.ask(talk.client.dm("Ben"), "Ben", "Hello.")
    talk.client.fail(Rejected("Ben has blocked this bot."))

    told = await talk.call("Tell Ben: hello there.", "send_message", to="Ben", text="hello there")

    assert told.failed
    assert "Ben has blocked this bot." in told.text


def _person(talk, native: str, name: str):
    from carrier_core import Entity

    return Entity.of("fake", native, name=name)


def _in_world(inbound, world: World):
    import msgspec

    return msgspec.structs.replace(inbound, world=world)
