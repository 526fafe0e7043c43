"""Messages: ids are the same wherever they are made, and no two things share one."""

import os
import subprocess
import sys
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_core.messages import (
    Attachment,
    Entity,
    Inbound,
    InboundKind,
    MemoryKind,
    Part,
    PartKind,
    Room,
    RoomKind,
    World,
    make_id,
    text_of,
)

names = st.lists(st.text(st.characters(), max_size=6), max_size=5)


def test_an_id_is_the_same_in_every_process():
    """Fixed for good: ids of one release are looked up by the next."""
    assert make_id("discord", "", "entity", "42") == "e7d9af2828fceefbf66ae4209fee7057"
    assert make_id("discord", "", "entity", "42") == blake2b(b"7:discord0:6:entity2:42", digest_size=16).hexdigest()
    code = "from carrier_core.messages import make_id; print(make_id('discord', '', 'entity', '42'))"
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert told.stdout.strip() == make_id("discord", "", "entity", "42")


@given(names)
def test_an_id_is_32_hex_characters_whatever_the_names(parts):
    """Lone surrogates too: what a platform sends is hashed before it is repaired."""
    made = make_id(*parts)
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")
    assert make_id(*parts) == made


@given(names, names)
def test_no_other_names_make_the_same_id(one, other):
    assert (make_id(*one) == make_id(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a", ""), ("a",)),
        (("", "a"), ("a", "")),
        (("1:a",), ("a",)),
        (("a1:b",), ("a", "b")),
        (("é",), ("e\u0301",)),
    ],
)
def test_names_do_not_run_into_each_other(one, other):
    assert make_id(*one) != make_id(*other)


def test_a_person_a_room_and_a_world_of_one_native_id_are_three_things():
    made = {Entity.of("discord", "7").id, Room.of("discord", "7").id, World.of("discord", "7").id}
    assert len(made) == 3


def test_the_realm_and_the_platform_tell_native_ids_apart():
    made = {
        Entity.of(platform, "7", realm=realm).id for platform in ("discord", "instagram") for realm in ("", "a", "b")
    }
    assert len(made) == 6


def test_names_do_not_change_an_id():
    assert Entity.of("discord", "7", name="Ana").id == Entity.of("discord", "7", name="Ben", username="b", bot=True).id
    assert Room.of("discord", "7", name="one").id == Room.of("discord", "7", kind=RoomKind.GROUP, name="two").id


def said(event="e", client="terminal", **changes):
    room = Room.of("discord", "room")
    inbound = Inbound.say(room, Entity.of("discord", "ana"), "hello", event=event, at=1.0, client=client)
    return Inbound(**{field: getattr(inbound, field) for field in inbound.__struct_fields__} | changes)


def test_the_same_event_is_a_repetition_whichever_client_and_agent_it_comes_by():
    assert said().dedupe_key == said(client="other").dedupe_key == said(agent="tifa").dedupe_key


@given(
    st.lists(
        st.tuples(
            st.sampled_from([kind for kind in InboundKind if kind is not InboundKind.UNKNOWN]),
            st.text("/1em", max_size=4),
            st.integers(0, 11),
        ),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_kind_event_and_revision_tell_events_apart(pair):
    keys = {said(kind=kind, event=event, revision=revision).dedupe_key for kind, event, revision in pair}
    assert len(keys) == 2


def test_a_message_of_words_and_files_has_a_part_for_each():
    file = Attachment("image/png", "cat.png")
    inbound = Inbound.say(Room.of("x", "1"), Entity.of("x", "2"), "look", event="1", at=0.0, attachments=(file,))
    assert [part.kind for part in inbound.message.content] == [PartKind.TEXT, PartKind.ATTACHMENT]
    assert inbound.message.text == "look\n[cat.png: image/png]"
    assert text_of([Part(attachment=Attachment("image/png"))]) == "[attachment: image/png]"


def test_only_a_direct_message_lists_its_readers():
    assert [kind for kind in RoomKind if Room.of("x", "1", kind=kind).listed] == [RoomKind.DM]


def test_a_word_of_a_newer_release_is_unknown():
    assert MemoryKind("dream") is MemoryKind.UNKNOWN
    assert MemoryKind("fact") is MemoryKind.FACT
