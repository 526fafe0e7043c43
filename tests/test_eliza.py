"""ElizaOS: both generations of its character files load as they are, and its templates work."""

import json
from pathlib import Path

import pytest

from carrier_core.character import Character, Example, Knowledge, Loaded, Style
from carrier_core.characterfile import load_character
from carrier_core.eliza import STATE_KEYS, eliza_values, render_view
from carrier_core.errors import ConfigError
from carrier_core.templates import SYSTEM_TEMPLATE, render

FILES = Path(__file__).parent / "characters"


def loaded_from(folder: Path, data: object, name: str = "c.json") -> Loaded:
    path = folder / name
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return load_character(path)


def noted(loaded: Loaded) -> list[tuple[str, int | None]]:
    return [(note.field, note.line) for note in loaded.notes]


# -- character files -----------------------------------------------------------------------------------------------


def test_a_file_of_generation_0_loads_and_every_field_without_meaning_is_noted() -> None:
    loaded = load_character(FILES / "harbour_0x.character.json")
    assert loaded.character == Character(
        name="Marlow",
        username="marlow",
        system="Answer as {{agentName}}, keeper of the lighthouse.",
        bio=("Marlow keeps a lighthouse that no ship needs any more.",),
        lore=("Counts the waves when nobody visits.", "Has painted the door eleven times."),
        topics=("fog", "paint"),
        adjectives=("patient",),
        style=Style(("Unhurried.",), ("Answer the question, then look at the sea.",), ("One sentence.",)),
        message_examples=(
            (
                Example("{{user1}}", "Is anybody up there?"),
                Example("Marlow", "Only me and the lamp, {{user1}}."),
                Example("Marlow", "Mind the third step."),
            ),
        ),
        post_examples=("Fog again. I like the company.",),
        knowledge=(
            Knowledge(text="The lamp turns once in nine seconds."),
            Knowledge(path="logbook/1961.md", shared=True),
        ),
        templates={
            "message_handler_template": loaded.character.templates["message_handler_template"],
            "twitter_post_template": "Write a post about {{topic}}.",
        },
        settings={"model": "large", "voice": {"model": "en_GB-quiet", "elevenlabs": {"stability": "0.4"}}},
    )
    assert noted(loaded) == [
        ("id", 2),
        ("email", 5),
        ("modelProvider", 6),
        ("imageModelProvider", 7),
        ("imageVisionModelProvider", 8),
        ("modelEndpointOverride", 9),
        ("clients", 10),
        ("plugins", 11),
        ("clientConfig", 12),
        ("settings.secrets", 16),
        ("settings.DISCORD_API_TOKEN", 17),
        ("settings.model", 18),
        ("settings.voice", 19),
        ("settings.voice.elevenlabs.apiKey", 19),
        ("messageExamples.content.action", 31),
        ("messageExamples.content.text", 36),
        ("templates.twitterPostTemplate", 49),
        ("templates.goalsTemplate", 50),
        ("twitterProfile", 52),
        ("instagramProfile", 53),
        ("simsaiProfile", 54),
        ("nft", 55),
        ("twitterSpaces", 56),
        ("postProcessors", 57),
        ("extends", 58),
        ("people", 59),
    ]
    reasons = {note.field: note.reason for note in loaded.notes}
    assert "`models` in its section of the configuration" in reasons["modelProvider"]
    assert "line 1: `{{#list goals}}`" in reasons["templates.goalsTemplate"]
    assert reasons["settings.secrets"].endswith("(OPENAI_API_KEY)")


def test_a_file_of_generation_1_loads_and_every_field_without_meaning_is_noted() -> None:
    loaded = load_character(FILES / "harbour_1x.json")
    character = loaded.character
    assert character.bio == ("Knows every sandbank.", "Drinks coffee from a jar.")
    assert character.message_examples == (
        (Example("{{name1}}", "We draw four metres."), Example("Pilot", "Then follow me, {{name1}}.")),
    )
    assert character.knowledge == (
        Knowledge(text="High water is an hour later each day."),
        Knowledge(path="charts/north.md"),
        Knowledge(path="charts/south", shared=True),
    )
    assert set(character.templates) == {"message_handler_template", "should_respond_template"}
    assert character.settings == {"avatar": "https://example.org/pilot.png"}
    assert character.plugins == ()
    assert noted(loaded) == [
        ("id", 2),
        ("messageExamples.content.actions", 16),
        ("messageExamples.content.thought", 16),
        ("messageExamples.content.providers", 16),
        ("plugins", 28),
        ("settings.avatar", 29),
        ("settings.secrets", 29),
        ("secrets", 30),
    ]


@pytest.mark.parametrize("name", ["harbour_0x.character.json", "harbour_1x.json"])
def test_no_secret_of_a_file_is_kept_or_shown(name: str) -> None:
    assert "zq-" in (FILES / name).read_text(encoding="utf-8")  # what marks the secrets in both files
    loaded = load_character(FILES / name)
    assert "zq-" not in repr(loaded)


def test_a_file_in_yaml_loads_too(tmp_path: Path) -> None:
    text = "name: Ida\nbio: x\nmodelProvider: llama\nmessageExamples:\n- - user: '{{user1}}'\n    content: {text: Hi}\n"
    (tmp_path / "ida.yaml").write_text(text, encoding="utf-8")
    loaded = load_character(tmp_path / "ida.yaml")
    assert loaded.character.message_examples == ((Example("{{user1}}", "Hi"),),)
    assert noted(loaded) == [("modelProvider", 3)]


@pytest.mark.parametrize(
    "field",
    [
        {"id": "x"},
        {"plugins": ["@elizaos/plugin-sql"]},
        {"settings": {"secrets": {}}},
        {"messageExamples": []},
        {"someNewField": 1},
    ],
)
def test_any_sign_of_elizaos_lets_unknown_fields_be_noted_instead_of_refused(
    tmp_path: Path, field: dict[str, object]
) -> None:
    loaded = loaded_from(tmp_path, {"name": "Ida", "mood": "x", **field})
    assert "mood" in [note.field for note in loaded.notes]


def test_without_such_a_sign_a_file_is_carriers_own(tmp_path: Path) -> None:
    for extra in ({}, {"message_examples": [], "id": "x"}):
        with pytest.raises(ConfigError, match="is unknown"):
            loaded_from(tmp_path, {"name": "Ida", "mood": "x", **extra})


def test_nulls_are_absent_and_odd_shapes_of_examples_are_understood(tmp_path: Path) -> None:
    loaded = loaded_from(
        tmp_path,
        {
            "name": "Ida",
            "id": None,
            "lore": None,
            "style": {"all": None, "dm": ["x"]},
            "knowledge": [{"id": "k", "path": "a.md", "content": None}],
            "messageExamples": [
                {"examples": [{"name": "Ida", "content": {"text": "two"}}]},
                [{"user": "Ida", "content": "plain"}],
            ],
        },
    )
    assert loaded.character.message_examples == ((Example("Ida", "two"),), (Example("Ida", "plain"),))
    assert loaded.character.knowledge == (Knowledge(path="a.md"),)
    assert sorted(note.field for note in loaded.notes) == ["id", "knowledge[0].id", "style.dm"]


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        ({"id": "x"}, 1, "The character has no `name`."),
        ({"name": "I", "id": "x", "bio": 3}, 4, "`bio` must be text or a list of texts, not a number."),
        ({"name": "I", "messageExamples": "Hi"}, 3, "`messageExamples` must be a list, not text."),
        (
            {"name": "I", "messageExamples": [[{"user": 5, "content": {"text": "x"}}]]},
            5,
            "`messageExamples[0][0].name` must be text, not a number.",
        ),
        ({"name": "I", "id": "x", "knowledge": [{}]}, 5, "`knowledge[0]` must have either a text or a path."),
        ({"name": "I", "id": "x", "templates": {"aTemplate": 1}}, 5, "`templates.aTemplate` must be text"),
    ],
)
def test_a_wrong_type_is_refused_in_the_files_own_words(
    tmp_path: Path, data: dict[str, object], line: int, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded_from(tmp_path, data)
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "c.json"), line)


# -- templates -----------------------------------------------------------------------------------------------------


def test_templates_of_a_file_render_with_the_state_they_know() -> None:
    marlow = load_character(FILES / "harbour_0x.character.json").character
    values = eliza_values(marlow.view("room"), recent_messages="Ana: hello {{bio}}")
    rendered = render(marlow.templates["message_handler_template"], values)
    assert rendered.text == (
        "Marlow keeps a lighthouse that no ship needs any more.\n"
        "Ana: hello {{bio}}\n"  # what somebody said is no template
        "Reply as Marlow in a {#quiet} voice."
    )
    assert rendered.missing == ()

    pilot = load_character(FILES / "harbour_1x.json").character
    values = eliza_values(pilot.view("room"), recentMessages="Ana: hello", crew=["Bo", "Cy"])
    rendered = render(pilot.templates["message_handler_template"], values)
    assert rendered.text == "Guide ships in.\nSo far:\nAna: hello\n- Bo\n- Cy\n"
    quiet = render(pilot.templates["message_handler_template"], eliza_values(pilot.view("room")))
    assert quiet.text == "Guide ships in.\n"
    assert quiet.missing == ("crew",)


def test_every_state_key_has_a_value_in_both_spellings() -> None:
    values = eliza_values(load_character(FILES / "harbour_0x.character.json").character.view("room"), room_id="r1")
    for key in STATE_KEYS:
        assert render(f"{{{{{key}}}}}", values).missing == ()
    assert values["agentName"] == values["agent_name"] == "Marlow"
    assert values["roomId"] == values["room_id"] == "r1"
    assert values["lore"] == "Counts the waves when nobody visits.\nHas painted the door eleven times."
    assert values["topics"] == "Marlow likes to talk about fog and paint."
    assert str(values["messageDirections"]).endswith("Unhurried.\nAnswer the question, then look at the sea.")
    assert str(values["post_directions"]).endswith("Unhurried.\nOne sentence.")
    assert str(values["characterMessageExamples"]).endswith(f"lamp, {values['user1']}.\nMarlow: Mind the third step.")
    assert values["user1"] == values["name1"]
    assert eliza_values(Character(name="Bare").view("r"))["character_post_examples"] == ""


def test_values_of_one_turn_do_not_stay_for_the_next() -> None:
    view = Character(name="Bare").view("r")
    eliza_values(view, recent_messages="private", own_name="x")
    assert eliza_values(view)["recentMessages"] == ""
    assert "ownName" not in eliza_values(view)


def test_the_standard_system_text_of_a_view_is_rendered_once() -> None:
    view = Character(name="Bare").view("r")
    once = render_view(SYSTEM_TEMPLATE, view, "system_template")
    assert once is render_view(SYSTEM_TEMPLATE, view, "system_template")
    assert (
        once.text
        == "You are Bare.\nSpeak as Bare, in the first person. Never claim to be human to somebody who sincerely asks.\n"
    )
