"""Characters: each room sees one choice of what a character has to say."""

import os
import subprocess
import sys
from pathlib import Path

from carrier_core.character import Character, Example

CHARACTERS = Path(__file__).parents[1] / "config" / "characters"

MANY = Character(
    name="Nora",
    bio=tuple(f"Bio {nr}." for nr in range(40)),
    lore=tuple(f"Lore {nr}." for nr in range(40)),
    topics=tuple(f"topic {nr}" for nr in range(40)),
    adjectives=tuple(f"trait{nr}" for nr in range(40)),
    message_examples=tuple(
        (Example("{{user1}}", f"Question {nr}"), Example("Nora", f"Answer {nr}, {{{{user1}}}}")) for nr in range(40)
    ),
    post_examples=tuple(f"Post {nr}" for nr in range(40)),
)


# -- the choice for a room -----------------------------------------------------------------------------------------

PROGRAM = """
import sys
from pathlib import Path
from carrier_core.characterfile import load_character
print(load_character(Path(sys.argv[1])).character.view("room one", bio=3, lore=3, topics=3, examples=2, posts=2))
"""


def test_a_room_sees_the_same_character_in_every_process() -> None:
    seen = set()
    for seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(CHARACTERS / "tifa.toml")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1
    assert "CharacterView(name='Tifa'" in seen.pop()


def test_rooms_differ_in_what_they_see_and_one_room_never_does() -> None:
    views = [MANY.view(f"room {nr}") for nr in range(5)]
    for field in ("bio", "lore", "topics", "adjectives", "message_examples", "post_examples", "people"):
        assert len({getattr(view, field) for view in views}) == 5, field
    again = Character(**{name: getattr(MANY, name) for name in MANY.__struct_fields__})
    assert again.view("room 0") == views[0]
    assert MANY.view("room 0") is views[0]  # kept, not drawn again


def test_two_characters_of_one_text_are_drawn_differently() -> None:
    fields = {name: getattr(MANY, name) for name in MANY.__struct_fields__}
    assert Character(**{**fields, "name": "Otto"}).view("room").bio != MANY.view("room").bio


def test_the_choice_has_the_size_asked_for_and_the_order_of_the_file() -> None:
    view = MANY.view("room", bio=3, lore=0, topics=2, adjectives=1, examples=2, posts=100)
    assert [len(part) for part in (view.bio, view.lore, view.topics, view.adjectives)] == [3, 0, 2, 1]
    assert [len(view.message_examples), len(view.post_examples)] == [2, 40]
    assert list(view.bio) == [text for text in MANY.bio if text in view.bio]
    assert view.post_examples == MANY.post_examples
    assert view.topic in view.topics
    assert view.adjective in view.adjectives


def test_a_new_sentence_in_the_file_changes_one_sentence_of_a_room_at_most() -> None:
    fields = {name: getattr(MANY, name) for name in MANY.__struct_fields__}
    grown = Character(**{**fields, "bio": ("A new one.", *MANY.bio)})
    for nr in range(20):
        before, after = MANY.view(str(nr)).bio, grown.view(str(nr)).bio
        assert len(set(before) - set(after)) <= 1


def test_placeholders_of_people_and_agent_are_filled_with_the_rooms_names() -> None:
    character = Character(
        name="Rosa",
        system="You are {{agentName}}.",
        bio=("{{name}} knows {{{user2}}}.",),
        message_examples=((Example("{{user1}}", "Hi"), Example("{{ agentName }}", "Hi {{name1}} and {{user11}}")),),
    )
    view = character.view("room")
    assert view.system == "You are Rosa."
    assert view.bio == (f"Rosa knows {view.people[1]}.",)
    assert view.message_examples == (
        (Example(view.people[0], "Hi"), Example("Rosa", f"Hi {view.people[0]} and {view.people[0]}")),
    )
    assert len(set(view.people)) == 10
    for nr in range(50):
        assert "Rosa" not in character.view(str(nr)).people


def test_a_character_of_nothing_but_a_name_has_a_view() -> None:
    view = Character(name="Bare").view("room")
    assert (view.username, view.bio, view.topic, view.adjective, view.message_examples) == (
        "Bare",
        (),
        "",
        "",
        (),
    )
