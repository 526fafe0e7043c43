"""Character files: what a file says becomes a character, or an error that names file and line."""

from pathlib import Path

import pytest

from carrier_core.character import Example, Note
from carrier_core.characterfile import find_character, load_character
from carrier_core.eliza import eliza_values
from carrier_core.errors import ConfigError
from carrier_core.templates import SYSTEM_TEMPLATE, render

CHARACTERS = Path(__file__).parents[1] / "config" / "characters"


def written(folder: Path, text: str, name: str = "nora.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str, name: str = "nora.toml") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_character(written(folder, text, name))
    return caught.value


# -- native files --------------------------------------------------------------------------------------------------

TOML = """
name = "Nora"
username = "nora"
system = "Be kind."
bio = "One sentence."
lore = ["Old.", "Older."]
topics = ["rain"]
adjectives = "dry"
post_examples = ["A post."]
plugins = ["weather"]
message_examples = [[{ name = "{{user1}}", text = "Hi" }, { name = "Nora", text = "Hello" }]]
knowledge = ["Rain is wet.", { path = "rain.md", shared = true }]

[style]
all = "Short."
chat = ["Kind."]

[templates]
messageHandlerTemplate = "Hello {{agentName}}"

[settings]
voice = "low"
"""

YAML = """
name: Nora
username: nora
system: Be kind.
bio: One sentence.
lore: [Old., Older.]
topics:
adjectives: [dry]
message_examples:
  - [{name: "{{user1}}", text: Hi}, {name: Nora, text: Hello}]
"""


def test_a_native_file_becomes_a_character(tmp_path: Path) -> None:
    loaded = load_character(written(tmp_path, TOML))
    character = loaded.character
    assert (character.name, character.username, character.system) == ("Nora", "nora", "Be kind.")
    assert character.bio == ("One sentence.",)
    assert character.lore == ("Old.", "Older.")
    assert character.adjectives == ("dry",)
    assert (character.style.all, character.style.chat, character.style.post) == (("Short.",), ("Kind.",), ())
    assert character.message_examples == ((Example("{{user1}}", "Hi"), Example("Nora", "Hello")),)
    assert [(each.text, each.path, each.shared) for each in character.knowledge] == [
        ("Rain is wet.", "", False),
        ("", "rain.md", True),
    ]
    assert character.templates == {"message_handler_template": "Hello {{agentName}}"}
    assert character.settings == {"voice": "low"}
    assert character.plugins == ("weather",)
    assert (loaded.notes, loaded.path) == ((), tmp_path / "nora.toml")


def test_yaml_and_json_say_the_same_and_an_empty_field_is_absent(tmp_path: Path) -> None:
    character = load_character(written(tmp_path, YAML, "nora.yaml")).character
    text = '{"name": "Nora", "bio": ["One sentence."], "message_examples": [{"name": "Nora", "text": "Hello"}]}'
    other = load_character(written(tmp_path, text, "nora.json")).character
    assert character.bio == other.bio == ("One sentence.",)
    assert character.topics == ()
    assert other.message_examples == ((Example("Nora", "Hello"),),)


UNKNOWN = [
    ('name = "N"\nboi = "x"\n', 2, "`boi`", "Did you mean `bio`?"),
    ('name = "N"\nmessageExamples = []\n', 2, "`messageExamples`", "Did you mean `message_examples`?"),
    ('name = "N"\n\n[style]\nchatt = "x"\n', 4, "`style.chatt`", "Did you mean `chat`?"),
    (
        'name = "N"\nmessage_examples = [[\n{ name = "a", txt = "b" }]]\n',
        3,
        "`message_examples[0][0].txt`",
        "`text`",
    ),
    ('name = "N"\n[[knowledge]]\npath = "x"\nshard = true\n', 4, "`knowledge[0].shard`", "`shared`"),
    ('name = "N"\nzzz = 1\n', 2, "`zzz`", "The known keys are name, username"),
    ('name = "N"\n[secrets]\nK = "hush"\n', 2, "`secrets`", "set them in the environment"),
    (
        'name = "N"\n[templates]\nmesage_handler_template = "x"\n',
        3,
        "`mesage_handler_template`",
        "message_handler",
    ),
]


@pytest.mark.parametrize(("text", "line", "names", "remedy"), UNKNOWN)
def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_known(
    tmp_path: Path, text: str, line: int, names: str, remedy: str
) -> None:
    error = refused(tmp_path, text)
    assert (error.file, error.line) == (str(tmp_path / "nora.toml"), line)
    assert names in error.message
    assert remedy in error.remedy
    assert "hush" not in str(error)


WRONG = [
    ("name = 5\n", 1, "`name` must be text, not a number."),
    ('bio = "x"\n', 1, "The character has no `name`."),
    ('name = "  "\n', 1, "`name` is empty."),
    ('name = "N"\nbio = 3\n', 2, "`bio` must be text or a list of texts, not a number."),
    ('name = "N"\nbio = ["a",\n  4]\n', 3, "`bio[1]` must be text, not a number."),
    ('name = "N"\nstyle = "short"\n', 2, "`style` must be a table, not text."),
    (
        'name = "N"\n[style]\nchat = { a = 1 }\n',
        3,
        "`style.chat` must be text or a list of texts, not a table.",
    ),
    ('name = "N"\nmessage_examples = "Hi"\n', 2, "`message_examples` must be a list, not text."),
    ('name = "N"\nmessage_examples = [["Hi"]]\n', 2, "`message_examples[0][0]` must be a table, not text."),
    ('name = "N"\nmessage_examples = [[{ name = "N" }]]\n', 2, "`message_examples[0][0]` has no `text`."),
    ('name = "N"\n[[knowledge]]\nshared = true\n', 2, "`knowledge[0]` must have either a text or a path."),
    ('name = "N"\nsettings = []\n', 2, "`settings` must be a table, not a list."),
    ('name = "N"\ntemplates = ["x"]\n', 2, "`templates` must be a table, not a list."),
    ('name = "N"\n[templates]\na_template = 1\n', 3, "`templates.a_template` must be text, not a number."),
    (
        'name = "N"\n[templates]\nsystemTemplate = "x"\nsystem_template = "y"\n',
        4,
        "another spelling of system_template",
    ),
    ('name = "N"\n[templates]\nsystem_template = "a{% if x %}"\n', 3, "Template system_template, line 1: "),
    ('name = "N"\nbio = [\n', 2, "This is not TOML"),
    ('name = "N"\nname = "M"\n', 2, "This is not TOML"),
]


@pytest.mark.parametrize(("text", "line", "message"), WRONG)
def test_a_wrong_value_is_refused_with_file_and_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    error = refused(tmp_path, text)
    assert (error.file, error.line) == (str(tmp_path / "nora.toml"), line)
    assert message in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("nora.yaml", "name: N\nbio:\n  - a\n  - 7\n", 4, "`bio[1]` must be text, not a number."),
        ("nora.yaml", "name: N\nbioo: a\n", 2, "The key `bioo` is unknown."),
        ("nora.yaml", "- name\n", 1, "no table"),
        ("nora.json", '{"name": "N",\n "topics": [1]}', 2, "`topics[0]` must be text, not a number."),
        ("nora.json", '{"name": "N",\n "bioo": ""}', 2, "The key `bioo` is unknown."),
        ("nora.json", '{"name": "N",', 1, "This is not JSON"),
        ("nora.json", '{"name": "N",\n "name": "M"}', 2, "written twice"),
    ],
)
def test_faults_of_yaml_and_json_have_their_line_too(
    tmp_path: Path, name: str, text: str, line: int, message: str
) -> None:
    error = refused(tmp_path, text, name)
    assert (error.file, error.line) == (str(tmp_path / name), line)
    assert message in error.message


def test_secrets_among_the_settings_are_dropped_with_a_note(tmp_path: Path) -> None:
    text = (
        'name = "N"\n[settings]\nmodel = "m"\nmonkey = "fine"\nmax_tokens = 5\nOPENAI_API_KEY = "hush-1"\n'
        '[settings.voice]\napiKey = "hush-2"\nspeed = 2\n'
    )
    loaded = load_character(written(tmp_path, text))
    assert loaded.character.settings == {
        "model": "m",
        "monkey": "fine",
        "max_tokens": 5,
        "voice": {"speed": 2},
    }
    assert [(note.field, note.line) for note in loaded.notes] == [
        ("settings.OPENAI_API_KEY", 6),
        ("settings.voice.apiKey", 8),
    ]
    assert "hush" not in repr(loaded)


def test_a_template_that_only_a_plugin_can_know_is_kept_with_a_note(tmp_path: Path) -> None:
    loaded = load_character(written(tmp_path, 'name = "N"\n[templates]\nhaiku_template = "x"\n'))
    assert loaded.character.templates == {"haiku_template": "x"}
    reason = "kept for plugins that ask for it; Carrier itself uses no template of this name"
    assert loaded.notes == (Note("templates.haiku_template", reason, 3),)


# -- finding a file ------------------------------------------------------------------------------------------------


def test_a_character_is_found_by_name_or_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "characters"
    (folder / "more").mkdir(parents=True)
    toml, eliza = written(folder, TOML), written(folder, "{}", "eddy.character.json")
    deeper = written(folder / "more", TOML, "else.yaml")
    here = written(tmp_path, TOML, "here.toml")
    monkeypatch.chdir(tmp_path)
    assert find_character("nora", folder) == toml
    assert find_character("eddy", folder) == eliza
    assert find_character("nora.toml", folder) == toml
    assert find_character("more/else.yaml", folder) == deeper
    assert find_character(str(here), folder) == here
    assert find_character("here.toml", folder).resolve() == here


def test_a_missing_character_names_those_that_are_there(tmp_path: Path) -> None:
    written(tmp_path, TOML)
    written(tmp_path, "{}", "eddy.character.json")
    written(tmp_path, "no character", "readme.txt")
    for missing in (
        lambda: find_character("noora", tmp_path),
        lambda: load_character(tmp_path / "noora.toml"),
    ):
        with pytest.raises(ConfigError) as caught:
            missing()
        assert str(tmp_path / "noora.toml") in caught.value.message
        assert caught.value.remedy == "Did you mean nora? The characters there: eddy, nora."
    with pytest.raises(ConfigError, match=r"The characters there: eddy, nora\."):
        find_character("xyz", tmp_path)
    with pytest.raises(ConfigError, match="no characters in that folder"):
        find_character("nora", tmp_path / "nowhere")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    written(tmp_path, TOML)
    written(tmp_path, YAML, "nora.yaml")
    with pytest.raises(ConfigError, match=r"more than once: nora\.toml, nora\.yaml"):
        find_character("nora", tmp_path)


@pytest.mark.parametrize("name", ["nora.txt", "nora.toml"])
def test_a_file_that_cannot_be_read_as_a_character_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"name = '\xff'\n")
    with pytest.raises(ConfigError) as caught:
        load_character(tmp_path / name)
    assert caught.value.file == str(tmp_path / name)


# -- the characters that come with Carrier -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tifa", "assistantbot"])
def test_the_characters_that_come_with_carrier_make_a_whole_system_text(name: str) -> None:
    loaded = load_character(find_character(name, CHARACTERS))
    assert loaded.notes == ()
    character = loaded.character
    assert character.bio
    assert len(character.message_examples) >= 6
    for exchange in character.message_examples:
        assert exchange[-1].name == character.name  # an example ends with how the agent answers
    rendered = render(SYSTEM_TEMPLATE, eliza_values(character.view("room")), "system_template")
    assert rendered.missing == ()
    assert rendered.text.startswith(f"You are {character.name}: ")
    assert "{{" not in rendered.text
