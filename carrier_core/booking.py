"""Booking: schedules that an operator makes, in a room that is known or in one of the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from carrier_core.clients import LOCAL
from carrier_core.messages import Entity, Room
from carrier_core.naming import called, is_named, member, only, room_named, several, wrong
from carrier_core.prompts import Json
from carrier_core.reception import clean_name, clean_text
from carrier_core.schedules import Missed, Schedule, first, normal

if TYPE_CHECKING:
    from carrier_core.memory import Store


async def book(
    store: Store,
    when: str,
    text: str,
    *,
    agent: str,
    room: str,
    person: str,
    by: str,
    zone: str,
    missed: str,
    now: float,
) -> Schedule:
    """Keep a new schedule. ``room`` is a name or an id.

    Without a ``person`` it is the only one in the room, or, in a room where nobody was yet, ``by``. A CarrierError says what cannot
    be understood.
    """
    policy = Missed(member(Missed, missed, "policy for missed slots"))
    text = clean_text(text)
    if not text.strip():
        raise wrong("There is nothing to be told.", "Write a text.")
    slot = first(when, zone, now)
    place = await room_named(store, room, or_new=True)
    schedule = Schedule(
        os.urandom(16).hex(),
        agent,
        place,
        await _teller(store, place, person, by),
        text,
        normal(when, zone),
        slot,
        client=await _client(store, agent, place),
        zone=zone,
        missed=policy,
        made=now,
    )
    await store.journal.schedule(schedule)
    return schedule


async def unbook(store: Store, key: str) -> Schedule:
    """Remove the schedule with this id, or a beginning of it; returns it."""
    fits = [each for each in await store.journal.schedules() if key and each.id.startswith(key)]
    schedule = only(fits, f"schedule {key}", "`carrierd schedule list` shows them.", lambda each: each.id)
    await store.journal.cancel(schedule.id)
    return schedule


async def _teller(store: Store, room: Room, person: str, by: str) -> Entity:
    people = await store.memory.participants(room.id)
    if person:
        fits = [each for each in people if person == each.id or is_named(each, person)]
        if fits:
            return only(fits, f"person {person} in {room.name}", "", called)
    elif len(people) == 1:
        return people[0]
    elif people:
        raise several(f"person in {room.name}", [called(each) for each in people])
    name = clean_name(person or by)
    if not name.strip():
        raise wrong("A person needs a name.", "Write one after --person.")
    return Entity.of(room.platform, name, realm=room.realm)


async def _client(store: Store, agent: str, room: Room) -> str:
    """Who delivers what is said in a room: the client that the agent was last spoken with there."""
    if room.platform == LOCAL:
        return LOCAL
    latest = await store.journal.turns(agent=agent, room=room.id, limit=1)
    return latest[0].client if latest else ""


def shown(schedule: Schedule) -> dict[str, Json]:
    """A schedule as JSON."""
    return {
        "id": schedule.id,
        "agent": schedule.agent,
        "room": schedule.room.name,
        "platform": schedule.room.platform,
        "person": schedule.person.name,
        "text": schedule.text,
        "when": schedule.when,
        "zone": schedule.zone,
        "missed": str(schedule.missed),
        "next_at": schedule.next_at,
        "made": schedule.made,
        "client": schedule.client,
    }
