"""What people say of themselves, and what they do not."""

from __future__ import annotations

import pytest

from carrier_evaluator_standard.claims import Claim, claims


def told(text: str) -> list[tuple[str, str]]:
    """Attribute and value of what is claimed; "-" before the attribute of what is no more, without what follows from a taste."""
    found = claims(text)
    return [
        (f"{'-' * claim.ended}{claim.attribute}", claim.value)
        for claim in found
        if not (claim.ended and claim.attribute in ("likes", "dislikes") and _opposite(claim, found))
    ]


def _opposite(claim: Claim, found: tuple[Claim, ...]) -> bool:
    other = "dislikes" if claim.attribute == "likes" else "likes"
    return any(each.attribute == other and each.value == claim.value and not each.ended for each in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Ana.", [("name", "Ana")]),
        ("my name's Ana Maria Santos", [("name", "Ana Maria Santos")]),
        ("Hi Robin, I'm called Ana", [("name", "Ana")]),
        ("You can call me Al, please.", [("nickname", "Al")]),
        ("My friends call me Bea", [("nickname", "Bea")]),
        ("I live in Porto.", [("home", "Porto")]),
        ("Robin, I live in Porto with my wife.", [("home", "Porto")]),
        ("I live in Porto, Portugal.", [("home", "Porto, Portugal")]),
        ("I’m based in Faro these days", [("home", "Faro")]),
        ("We just moved to Lisbon because of work!", [("home", "Lisbon")]),
        ("I've recently moved back to Braga.", [("home", "Braga")]),
        ("I am from Brazil", [("origin", "Brazil")]),
        ("I come from a small town in the north.", [("origin", "a small town in the north")]),
        ("I work as a nurse at Santa Maria.", [("job", "a nurse")]),
        ("I'm a carpenter by trade", [("job", "a carpenter")]),
        ("I work at Initech and I live in Paris", [("employer", "Initech"), ("home", "Paris")]),
        ("I'm studying biology", [("studies", "biology")]),
        ("My birthday is on 3 May.", [("birthday", "3 May")]),
        ("I was born in 1990", [("birth year", "1990")]),
        ("I was born in Braga", [("birthplace", "Braga")]),
        ("I'm 34 years old", [("age", "34")]),
        ("I'm vegetarian.", [("diet", "vegetarian")]),
        (
            "Please remember that I'm allergic to peanuts and shellfish.",
            [("allergies", "peanuts"), ("allergies", "shellfish")],
        ),
        ("I speak Portuguese and English", [("languages", "Portuguese"), ("languages", "English")]),
        ("My favourite colour is blue, by the way.", [("favourite colour", "blue")]),
        ("my favorite movies are Alien and Aliens", [("favourite movie", "Alien and Aliens")]),
        ("I have a cat called Tom.", [("cat", "Tom")]),
        ("My dog's name is Rex", [("dog", "Rex")]),
        ("my email is ana@example.org", [("email", "ana@example.org")]),
        ("I prefer tea to coffee", [("prefers", "tea to coffee")]),
        ("I like tea, coffee and cake.", [("likes", "tea"), ("likes", "coffee"), ("likes", "cake")]),
        ("I really love walking home along the river", [("likes", "walking home along the river")]),
        ("I hate Mondays!", [("dislikes", "Mondays")]),
        ("I don't like coffee", [("dislikes", "coffee")]),
        ("I don't like coffee any more", [("-likes", "coffee")]),
        ("I no longer live in Faro.", [("-home", "Faro")]),
        ("I don't live in Faro anymore.", [("-home", "Faro")]),
        ("I stopped working at Initech", [("-employer", "Initech")]),
        ("I'm no longer vegan", [("-diet", "vegan")]),
        ("I am not from Spain", [("-origin", "Spain")]),
        ("I quit my job", [("-job", ""), ("-employer", "")]),
    ],
)
def test_what_people_say_of_themselves(text: str, expected: list[tuple[str, str]]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Do I live in Porto?",
        "Where do I live",
        "If I were rich, I live in Monaco.",
        "When I'm 64 years old, I live in Porto.",
        "Imagine I live in Porto.",
        'She said "I live in Porto."',
        "She said “I live in Porto.”",
        "> I live in Porto.",
        "Translate: I live in Porto.",
        "Translate this to French. I live in Porto.",
        "Please proofread my text:\nI live in Porto.",
        "```\nI live in Porto.\n```",
        "I like how you did that.",
        "I like it",
        "I love you",
        "I'd like a coffee",
        "I would love to live in Porto",
        "call me later",
        "Call me when you are back",
        "Call me a taxi, please",
        "My name is not important",
        "My problem is that it does not work",
        "I live in fear of Mondays",
        "Maybe I live in a simulation",
        "I am tired",
        "I'm a bit late",
        "Ben lives in Faro",
        "My brother says I live in the past",
        "I like https://example.org",
        "I used to live in Porto",
        "I will move to Porto",
        "They live in Porto",
    ],
)
def test_what_is_nothing_of_the_kind(text: str) -> None:
    assert told(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Actually, I moved to Lisbon",
        "No, I live in Lisbon",
        "Sorry, I live in Lisbon",
        "Robin, actually I live in Lisbon",
    ],
)
def test_a_correction_is_known_as_one(text: str) -> None:
    assert [(claim.value, claim.corrects) for claim in claims(text)] == [("Lisbon", True)]


def test_a_taste_ends_its_opposite() -> None:
    assert Claim("dislikes", "tea", many=True, ended=True) in claims("I like tea")
    assert Claim("likes", "tea", many=True, ended=True) in claims("I hate tea")


def test_a_long_message_costs_no_more_than_its_beginning() -> None:
    assert told("I live in Porto. " + "a " * 100_000) == [("home", "Porto")]


@pytest.mark.parametrize(
    "lead",
    ["Hi there, ", "Sorry, ", "By the way, ", "So ", "Well, actually ", "Just so you know, ", "Oh no, ", "@robin: "],
)
def test_what_leads_to_it_does_not_matter(lead: str) -> None:
    assert told(f"{lead}I live in Porto.") == [("home", "Porto")]
