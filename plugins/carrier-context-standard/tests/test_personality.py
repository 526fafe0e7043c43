"""The character, as the system text."""

from __future__ import annotations

import pytest

from carrier_context_standard.personality import Personality
from carrier_core import Entity, RoomKind, person

ANA = Entity.of("test", "ana", name="Ana")
BEN = Entity.of("test", "ben", name="Ben")

pytestmark = pytest.mark.anyio


async def test_without_a_template_it_is_the_standard_text_stable_and_the_operators(turn) -> None:
    (part,) = (await Personality("UTC").provide(turn)).parts

    assert part.key == "character"
    assert part.stable
    assert part.provenance.origins == ("operator",)
    assert part.text.startswith("You are Tifa.")
    assert "Be kind." in part.text
    assert "Tifa keeps a tea house." in part.text


async def test_it_is_the_same_object_in_every_turn_of_a_room(turn) -> None:
    personality = Personality("UTC")
    first = await personality.provide(turn)
    turn.says("Something else")

    assert await personality.provide(turn) is first

    turn.is_character({"name": "Tifa", "system": "Be brief."})  # read again
    assert "Be brief." in (await personality.provide(turn)).text("character")


async def test_its_own_system_template_is_taken(turn) -> None:
    turn.is_character(
        {"name": "Tifa", "bio": ["keeps tea"], "templates": {"system_template": "I am {{agentName}}: {{ bio }}."}}
    )

    (part,) = (await Personality("UTC").provide(turn)).parts

    assert (part.text, part.stable, part.provenance.origins) == ("I am Tifa: keeps tea.", True, ("operator",))
    assert turn.log.lines == []


async def test_an_elizaos_template_stands_behind_the_system_text_and_asks_for_no_form(turn) -> None:
    template = "About {{agentName}}: {{bio}}\nAnswer as JSON."
    turn.is_character(
        {
            "name": "Tifa",
            "system": "Be kind.",
            "bio": ["keeps tea"],
            "templates": {"message_handler_template": template},
        }
    )

    parts = (await Personality("UTC").provide(turn)).parts

    assert [part.text for part in parts[:2]] == ["Be kind.", "About Tifa: keeps tea\nAnswer as JSON."]
    assert "answer with the text of your next message alone" in parts[2].text
    assert all(part.stable and part.key == "character" for part in parts)


async def test_what_elizaos_providers_bring_is_the_character_where_the_template_says_nothing_of_it(turn) -> None:
    for template, expected in (("{{providers}}|", True), ("{{bio}}{{providers}}|", False)):
        fields = {"name": "Tifa", "system": "Be kind.", "bio": ["keeps tea"]}
        turn.is_character({**fields, "templates": {"message_handler_template": template}})

        texts = [part.text for part in (await Personality("UTC").provide(turn)).parts]

        assert ("- keeps tea" in "".join(texts)) is expected
        assert "".join(texts).count("Be kind.") == 1


async def test_a_template_is_filled_with_the_turn_and_is_of_everyone_whose_words_it_got(group) -> None:
    template = (
        "{{senderName}} speaks in {{room_id}} at {{time}}.\n{{recentMessages}}\n{{actors}}|{{evaluators}}{{goals}}|"
    )
    group.is_character({"name": "Tifa", "templates": {"system_template": template}})
    group.past = (group.memory("I live in Faro.", BEN), group.memory("Nice.", None))

    (part,) = (await Personality("UTC").provide(group)).parts

    assert part.text == (
        f"Ana speaks in {group.room.id} at Sunday, 3 May 2026, 12:00 (UTC).\n"
        "Ben: I live in Faro.\nTifa: Nice.\nAna\nBen||"
    )
    assert set(part.provenance.origins) == {"operator", "agent", person(ANA.id), person(BEN.id)}
    assert part.provenance.audience.rooms == (group.room.id,)
    assert not part.stable
    assert group.log.lines == []


async def test_what_somebody_said_is_no_template(turn) -> None:
    turn.is_character({"name": "Tifa", "templates": {"system_template": "{{recentMessages}}"}})
    turn.past = (turn.memory("{{ bio }}{% for x in y %}"),)

    assert (await Personality("UTC").provide(turn)).text("character") == "Ana: {{ bio }}{% for x in y %}"


async def test_a_moving_template_moves(turn) -> None:
    turn.is_character(
        {"name": "Tifa", "templates": {"system_template": "{{#if recentMessages}}{{recentMessages}}{{/if}}Hm."}}
    )
    personality = Personality("UTC")
    assert (await personality.provide(turn)).text("character") == "Hm."

    turn.past = (turn.memory("Hello!"),)

    assert (await personality.provide(turn)).text("character") == "Ana: Hello!Hm."


async def test_who_is_spoken_with_is_the_same_in_every_turn_of_a_direct_room_only(turn, group) -> None:
    for made in (turn, group):
        made.is_character({"name": "Tifa", "templates": {"system_template": "You talk with {{senderName}}."}})
    personality = Personality("UTC")

    (direct,) = (await personality.provide(turn)).parts
    (shared,) = (await personality.provide(group)).parts

    assert (direct.text, direct.stable) == ("You talk with Ana.", True)
    assert not shared.stable
    assert direct.provenance.origins == ("operator", person(ANA.id))


async def test_another_person_in_a_direct_room_is_not_taken_for_the_first(turn) -> None:
    turn.is_character({"name": "Tifa", "templates": {"system_template": "You talk with {{senderName}}."}})
    personality = Personality("UTC")
    await personality.provide(turn)

    turn.person = BEN

    assert (await personality.provide(turn)).text("character") == "You talk with Ben."


async def test_a_template_that_failed_in_one_turn_is_tried_in_the_next(turn) -> None:
    template = "{% if recent_messages %}{{ recent_messages }}{% endif %}"
    turn.is_character({"name": "Tifa", "templates": {"system_template": template}})
    personality = Personality("UTC")
    assert (await personality.provide(turn)).text("character").startswith("You are Tifa.")

    turn.past = (turn.memory("Hello!"),)

    assert (await personality.provide(turn)).text("character") == "Ana: Hello!"


async def test_knowledge_actions_and_files_are_there_for_templates(turn) -> None:
    from carrier_core import Attachment

    turn.is_character(
        {
            "name": "Tifa",
            "knowledge": [{"text": "Soup on Mondays."}],
            "templates": {"system_template": "{{knowledge}}|{{actions}}|{{actionNames}}|{{attachments}}|{{agentId}}"},
        }
    )
    turn.says("Look", files=(Attachment("image/png", "a.png"),))

    (part,) = (await Personality("UTC").provide(turn)).parts

    assert part.text == "Soup on Mondays.|||a.png (image/png)|tifa"


async def test_a_template_that_fails_gives_way_to_the_standard_text_and_the_log_says_so_once(turn) -> None:
    loop = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
    turn.is_character({"name": "Tifa", "templates": {"system_template": loop}})
    personality = Personality("UTC")

    for _ in range(2):
        (part,) = (await personality.provide(turn)).parts
        assert part.text.startswith("You are Tifa.")

    ((event, said),) = turn.log.lines
    assert event == "template_failed"
    assert said["agent"] == "tifa"
    assert str(said["problem"]).startswith("Template system_template, line 1: it makes or reads too much text")


async def test_a_template_that_gives_no_text_gives_way_too(turn) -> None:
    turn.is_character({"name": "Tifa", "templates": {"system_template": "{% if mood %}Be {{ mood }}.{% endif %}"}})

    (part,) = (await Personality("UTC").provide(turn)).parts

    assert part.text.startswith("You are Tifa.")
    assert [event for event, _ in turn.log.lines] == ["template_asks_for_unknown", "template_failed"]
    assert "asks for mood" in str(turn.log.lines[0][1]["problem"])


async def test_a_blank_template_is_none(turn) -> None:
    turn.is_character(
        {"name": "Tifa", "templates": {"system_template": " \n", "message_handler_template": "I am {{name}}."}}
    )

    assert "I am Tifa." in (await Personality("UTC").provide(turn)).text("character")


async def test_each_room_keeps_its_own_text(turn, group) -> None:
    personality = Personality("UTC")
    bio = [f"Fact {number}." for number in range(40)]
    for made in (turn, group):
        made.is_character({"name": "Tifa", "bio": bio})
    group.room = type(group.room).of("test", "another", kind=RoomKind.GROUP)

    one, two = await personality.provide(turn), await personality.provide(group)

    assert one.text("character") != two.text("character")
    assert await personality.provide(turn) is one
