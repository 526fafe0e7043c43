"""The desk answers an operator: what waits for a person, what is done about it, schedules and people."""

from pathlib import Path
from typing import Any

import pytest

from carrier_core import (
    CarrierError,
    Entity,
    Inbound,
    InDoubt,
    Missed,
    Outgoing,
    Rejected,
    Room,
    RoomKind,
    Sending,
    Unavailable,
    encode,
)
from carrier_core.desk import Desk
from carrier_core.testing import Clock, HostUnderTest, InMemoryStore, running_host
from carrier_core.testing.suites.inventory import fill
from carrier_core.testing.suites.scene import AGENT_NAME, ANA, BEA, GROUP, LEASE, ROOM, Scene, exported

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> InMemoryStore:
    """A store with rows of every kind, that no host has."""
    store = InMemoryStore()
    await store.open(tmp_path)
    await fill(store)
    store._journal.release()  # whoever wrote it is gone
    return store


@pytest.fixture
def desk(store: InMemoryStore) -> Desk:
    return Desk(store, ("robin", "wren"), clock=Clock(1_790_000_000.0))


async def refusal(asked: Any) -> CarrierError:
    """The error that something is refused with."""
    with pytest.raises(CarrierError) as raised:
        await asked
    assert raised.value.remedy
    return raised.value


# --- turns ---------------------------------------------------------------------------------------------------------------


async def test_turns_are_listed_newest_first_with_their_deliveries(desk: Desk) -> None:
    listed = await desk.turns()
    assert [(turn["agent"], turn["room"], turn["status"], turn["sending"]) for turn in listed] == [
        ("robin", "g1", "running", {}),
        ("robin", "g1", "replied", {"sent": 1}),
        ("robin", "r1", "replied", {"dead": 1, "waiting": 1}),
        ("wren", "r1", "replied", {"sent": 1}),
        ("robin", "r1", "parked", {"sending": 1}),
        ("robin", "r2", "running", {}),
        ("robin", "r1", "replied", {"sent": 1}),
    ]


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ({"agent": "wren"}, 1),
        ({"room": "r1"}, 4),
        ({"room": ROOM.id}, 4),
        ({"room": "g1", "status": "running"}, 1),
        ({"status": "parked"}, 1),
        ({"status": "failed"}, 0),
        ({"limit": 2}, 2),
    ],
)
async def test_turns_are_listed_by_agent_room_and_status(desk: Desk, asked: dict[str, Any], number: int) -> None:
    assert len(await desk.turns(**asked)) == number


async def test_what_is_misspelt_is_told_with_what_there_is(desk: Desk) -> None:
    status = await refusal(desk.turns(status="repled"))
    assert (status.message, status.exit_code) == ("There is no status repled.", 64)
    assert "replied" in status.remedy
    assert "unknown" not in status.remedy
    assert (await refusal(desk.turns(room="nowhere"))).message == "There is no room nowhere."


async def test_a_room_name_that_several_have_is_not_guessed(store: InMemoryStore, desk: Desk) -> None:
    scene = Scene()
    await store.memory.connect("robin", scene.connection(BEA, Room.of("other", "x", name="r1")))
    error = await refusal(desk.turns(room="r1"))
    assert error.message.startswith("There is more than one room r1: r1 (fake, ")
    assert error.exit_code == 64


async def test_a_turn_is_shown_with_where_it_stands(desk: Desk) -> None:
    [parked] = await desk.turns(status="parked")
    shown = await desk.show(parked["turn"][:6])
    assert {key: shown[key] for key in parked} == parked
    assert shown["parked"] == {"step": "ask/1", "until": 900.0, "reason": "wants a yes"}
    [delivery] = shown["deliveries"]
    assert (delivery["state"], delivery["client"], delivery["attempts"], delivery["number"]) == (
        "sending",
        "fake",
        1,
        1,
    )
    assert (await desk.show("last"))["doubts"][0]["what"] == "Send a letter."
    [running] = await desk.turns(room="r2")
    assert [each["step"] for each in (await desk.show(running["turn"]))["begun"]] == ["act/1/0"]


async def test_a_turn_that_is_not_there_is_told(desk: Desk, tmp_path: Path) -> None:
    assert (await refusal(desk.show("zzz"))).message == "There is no turn zzz."
    assert "There has been no turn yet" in (await refusal(Desk(InMemoryStore()).show("last"))).message


async def test_a_beginning_that_several_turns_have_is_told_so(desk: Desk) -> None:
    error = await refusal(desk.show(""))
    assert (error.message.endswith(" turns begin with ."), error.exit_code) == (True, 64)


# --- what waits for a person --------------------------------------------------------------------------------------------------


async def test_what_waits_for_a_person_is_listed(desk: Desk) -> None:
    told = await desk.stuck()
    assert ([each["what"] for each in told["doubts"]], told["deliveries"]) == (["Send a letter."], [])
    told = await desk.stuck(in_doubt=False, dead=True)
    assert (told["doubts"], [each["state"] for each in told["deliveries"]]) == ([], ["dead"])
    assert await desk.stuck(agent="wren", dead=True) == {"v": 1, "doubts": [], "deliveries": []}


async def dead(store: InMemoryStore) -> Outgoing:
    [row] = await store.journal.outbox(states=(Sending.DEAD,))
    return row


@pytest.mark.parametrize("named", ["turn", "key"])
async def test_a_delivery_that_was_given_up_is_tried_again_at_once(
    store: InMemoryStore, desk: Desk, named: str
) -> None:
    row = await dead(store)
    told = await desk.retry((row.part.turn if named == "turn" else row.part.key)[:10])
    assert ([each["key"] for each in told["retried"]], told["running"]) == ([row.part.key], False)
    again = [each for each in await store.journal.outbox() if each.part.key == row.part.key]
    assert [(each.state, each.attempts, each.due) for each in again] == [(Sending.WAITING, 0, 1_790_000_000.0)]


async def test_a_discarded_delivery_waits_no_more(store: InMemoryStore, desk: Desk) -> None:
    row = await dead(store)
    told = await desk.discard(row.part.turn)
    assert ([each["state"] for each in told["discarded"]], told["settled"]) == (["discarded"], [])
    assert await store.journal.outbox(states=(Sending.DEAD,)) == ()
    assert row.part.key not in [each.part.key for each in (await store.journal.work("robin", ROOM.id)).outbox]


@pytest.mark.parametrize("named", ["turn", "key"])
async def test_an_action_in_doubt_is_settled_and_not_repeated(store: InMemoryStore, desk: Desk, named: str) -> None:
    [doubt] = await store.journal.doubts()
    key = doubt.turn if named == "turn" else doubt.key
    error = await refusal(desk.retry(key))
    assert "nobody knows whether it happened: it is not done again" in error.message
    assert len((await desk.discard(key))["settled"]) == 1
    assert await store.journal.doubts() == ()


@pytest.mark.parametrize("key", ["", "zzz", "g1"])
async def test_what_does_not_wait_for_a_person_is_left_alone(store: InMemoryStore, desk: Desk, key: str) -> None:
    before = await exported(store)
    for asked in (desk.retry(key), desk.discard(key)):
        assert "is in doubt or was given up" in (await refusal(asked)).message
    [sent] = await desk.turns(agent="wren")
    assert "Nothing of the turn" in (await refusal(desk.retry(sent["turn"]))).message
    assert await exported(store) == before


async def test_a_room_that_another_daemon_works_on_is_left_alone(store: InMemoryStore, desk: Desk) -> None:
    await store.journal.claim_room("robin", ROOM.id, "elsewhere", LEASE)
    row = await dead(store)
    with pytest.raises(Unavailable, match="elsewhere"):
        await desk.retry(row.part.key)
    assert await dead(store) == row


async def test_the_desk_keeps_no_room_to_itself(store: InMemoryStore, desk: Desk) -> None:
    await desk.retry((await dead(store)).part.key)
    assert await store.journal.claim_room("robin", ROOM.id, "a daemon", LEASE)


# --- while a host runs ------------------------------------------------------------------------------------------------------


def at(running: HostUnderTest) -> Desk:
    return Desk(running.store, tuple(running.host.agents), host=running.host, clock=running.clock)


async def states(running: HostUnderTest) -> list[Sending]:
    return [row.state for row in await running.store.journal.outbox()]


@pytest.mark.parametrize(
    ("error", "state"), [(InDoubt("it hung up"), Sending.IN_DOUBT), (Rejected("too rude"), Sending.DEAD)]
)
async def test_a_running_host_delivers_what_is_retried(error: CarrierError, state: Sending) -> None:
    async with running_host() as running:
        running.client.forgetful = True
        running.client.fail(error)
        await running.ask("hello")
        assert await states(running) == [state]
        [waiting] = (await at(running).stuck(dead=True))["deliveries"]
        assert (waiting["state"], waiting["text"]) == (state, "You said: hello")
        assert (await at(running).retry(waiting["turn"]))["running"] is True
        assert [part.text for part in await running.client.replies()] == ["You said: hello"]
        assert await running.ask("and now?") == "You said: and now?"


async def test_a_running_host_goes_on_after_something_was_discarded() -> None:
    async with running_host() as running:
        running.client.fail(Rejected("too rude"))
        await running.ask("hello")
        [turn] = await at(running).turns()
        await at(running).discard(turn["turn"])
        assert await states(running) == [Sending.DISCARDED]
        assert await running.ask("and now?") == "You said: and now?"


async def test_a_running_host_hears_of_a_new_schedule() -> None:
    async with running_host() as running:
        await running.ask("hello", room="kitchen")
        made = await at(running).add("every 60", "drink water", room="kitchen")
        assert (made["agent"], made["person"], made["client"]) == ("robin", "Ana", "fake")
        running.clock.advance(61)
        running.host.agenda.wake()
        assert (await running.client.replies(2, room="kitchen"))[1].text == "You said: drink water"
        assert (await at(running).cancel(made["id"][:8]))["id"] == made["id"]
        assert await at(running).schedules() == []


# --- schedules ----------------------------------------------------------------------------------------------------------------


async def test_a_schedule_is_made_in_a_room_of_the_command_line(store: InMemoryStore, desk: Desk) -> None:
    made = await desk.add(
        "cron 0 9 * * mon-fri", "good\x00 morning", room="news", by="ana", zone="Europe/Lisbon", missed="skip"
    )
    [kept] = [each for each in await store.journal.schedules() if each.id == made["id"]]
    assert (kept.agent, kept.room, kept.client) == ("robin", Room.of("local", "news"), "local")
    assert (kept.person, kept.text) == (Entity.of("local", "ana"), "good morning")
    assert (kept.when, kept.zone, kept.missed) == ("cron 0 9 * * mon-fri", "Europe/Lisbon", Missed.SKIP)
    assert (kept.next_at, kept.made) == (1_790_064_000.0, 1_790_000_000.0)


async def test_a_schedule_in_a_known_room_is_said_by_the_one_who_is_there(store: InMemoryStore, desk: Desk) -> None:
    for given, person in (("", ANA), ("ana", ANA), (ANA.id, ANA), ("Cleo", Entity.of("fake", "Cleo"))):
        made = await desk.add("every 1h", "drink", agent="wren", room="r1", person=given)
        [kept] = [each for each in await store.journal.schedules() if each.id == made["id"]]
        assert (kept.room.id, kept.person, kept.client, kept.when) == (ROOM.id, person, "fake", "every 3600")


async def test_where_several_are_somebody_has_to_be_named(store: InMemoryStore, desk: Desk) -> None:
    await store.memory.connect("robin", Scene().connection(ANA, GROUP))
    error = await refusal(desk.add("every 1h", "drink", room="g1"))
    assert error.message.startswith("There is more than one person in g1: ")
    assert (await desk.add("every 1h", "drink", room="g1", person="Bea"))["person"] == "Bea"


@pytest.mark.parametrize(
    ("asked", "said", "code"),
    [
        ({"when": "sometimes"}, "`sometimes` is no time of a schedule", 64),
        ({"zone": "Mars"}, "There is no time zone Mars", 64),
        ({"missed": "maybe"}, "There is no policy for missed slots maybe", 64),
        ({"missed": "unknown"}, "There is no policy for missed slots unknown", 64),
        ({"text": " \x00"}, "There is nothing to be told", 64),
        ({"agent": "bob"}, "There is no agent bob", 70),
        ({"room": "new", "by": " "}, "A person needs a name", 64),
        ({"room": "", "by": "ana"}, "There is no room ", 70),
    ],
)
async def test_a_schedule_that_cannot_be_is_refused(
    store: InMemoryStore, desk: Desk, asked: dict[str, str], said: str, code: int
) -> None:
    before = await store.journal.schedules()
    error = await refusal(desk.add(**{"when": "every 60", "text": "hello", **asked}))
    assert error.message.startswith(said)
    assert error.exit_code == code
    assert await store.journal.schedules() == before


async def test_schedules_are_listed_and_cancelled_by_the_beginning_of_their_ids(desk: Desk) -> None:
    listed = await desk.schedules()
    assert [(each["agent"], each["next_at"]) for each in listed] == [("robin", 500.0), ("wren", 700.0)]
    assert await desk.cancel(listed[0]["id"][:5]) == listed[0]
    assert await desk.schedules() == listed[1:]
    assert await desk.schedules(agent="robin") == []
    assert (await refusal(desk.cancel(listed[0]["id"]))).message.startswith("There is no schedule")
    assert (await refusal(desk.cancel(""))).message.startswith("There is no schedule")


# --- people ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Ana", "ana", ANA.id, ANA.id[:6], f"person:{ANA.id}"])
async def test_a_person_is_found_by_name_and_id(desk: Desk, name: str) -> None:
    assert await desk.person(name) == ANA


async def test_a_person_who_is_not_there_or_not_the_only_one_is_told(store: InMemoryStore, desk: Desk) -> None:
    for name in ("nobody", "", "person:"):
        assert (await refusal(desk.person(name))).message.startswith("There is no person")
    twin = Entity.of("other", "7", name="Ana")
    await store.memory.connect("robin", Scene().connection(twin, Room.of("other", "x", kind=RoomKind.GROUP)))
    error = await refusal(desk.person("Ana"))
    assert f"Ana (other, {twin.id})" in error.message
    assert f"Ana (fake, {ANA.id})" in error.message
    assert await desk.person(twin.id) == twin


async def test_a_person_who_is_forgotten_is_in_nothing_that_is_kept(store: InMemoryStore, desk: Desk) -> None:
    counts = await desk.forget_person(ANA.id)
    assert counts["memories"] > 0
    assert not any(ANA.id.encode() in encode(entry) for entry in await exported(store))


# --- an archive -----------------------------------------------------------------------------------------------------------------


async def test_a_host_goes_on_with_what_was_taken_in() -> None:
    other = InMemoryStore()
    inbound = Inbound.say(ROOM, ANA, "are you there?", event="1", at=1.0, client="fake")
    await other.journal.append_inbound(AGENT_NAME, ROOM.id, inbound.dedupe_key, encode(inbound))
    async with running_host() as running:
        desk = at(running)
        assert await desk.restore(tuple(await exported(other))) > 0
        await desk.resume()
        assert [part.text for part in await running.client.replies()] == ["You said: are you there?"]
