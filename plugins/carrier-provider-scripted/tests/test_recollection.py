"""Answers from what was told before, said back to whoever told it."""

from __future__ import annotations

import pytest

from carrier_core import Part, PromptMessage
from carrier_provider_scripted.noted import first_person
from carrier_provider_scripted.pronouns import second_person
from carrier_provider_scripted.recollection import stated


@pytest.mark.parametrize(
    ("told", "back"),
    [
        ("My name is Ana and I live in Porto", "Your name is Ana and you live in Porto"),
        ("I am a baker and I was born in Faro", "You are a baker and you were born in Faro"),
        ("I'm Ana, I've two cats and I'll get more", "You're Ana, you've two cats and you'll get more"),
        ("i live in porto", "you live in porto"),
        ("Call me Ana, that is a name of mine", "Call you Ana, that is a name of yours"),
        ("I really am tired and so is my dog", "You really are tired and so is your dog"),
        ("Am I late?", "Are you late?"),
        ("The train leaves at 10 am", "The train leaves at 10 am"),
        ("We moved, and our cat came with us", "You moved, and your cat came with you"),
        ("I like you and you are my friend", "You like me and I am your friend"),
        ("Miami, mist and Myra stay", "Miami, mist and Myra stay"),
        ("I did it myself", "You did it yourself"),
    ],
)
def test_pronouns_turn(told, back):
    assert second_person(told) == back


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("Hi! My name is Ana. How are you?", "My name is Ana."),
        ("Please remember that I like tea.", "I like tea."),
        ("Where do I live?", ""),
        ("where do I live", ""),
        ("Hello!", ""),
    ],
)
def test_only_statements_answer(text, statement):
    assert stated(text) == statement


FACTS = [
    ("My name is Ana and I live in Porto.", "Where do I live?", "Porto"),
    ("My name is Ana and I live in Porto.", "what's my name", "Ana"),
    ("My name is Ana and I live in Porto.", "Do you remember which city I live in?", "Porto"),
    ("My name is Ana and I live in Porto.", "Tell me where my home is", "Porto"),
    ("I work as a baker in Lyon", "What do I do for work?", "baker"),
    ("My dog's called Rex", "What is my dog's name?", "Rex"),
    ("I'm allergic to nuts.", "What must I not eat, what am I allergic to?", "nuts"),
    ("My favourite colour is teal", "What's my favorite color?", "teal"),
    ("I was born on 3 May 1990", "When is my birthday?", "3 May"),
    ("The password of the shed is 4711", "What is the password of the shed?", "4711"),
    ("My sister Clara studies law in Madrid", "Where does my sister study?", "Madrid"),
    ("I parked on level 3", "Where did I park?", "level 3"),
    ("We are expecting a baby in July", "When is our baby due?", "July"),
    ("My flat number is 12b", "Which number has my flat?", "12b"),
    ("You should know that I hate coriander!", "What food do I hate?", "coriander"),
    ("Eu moro no Porto", "Where do I live?", "Porto"),
]
NOISE = [
    "I had lunch at noon.",
    "My friend Bob lives in Oslo.",
    "This is message 17.",
    "Where do I live?",
    "I like jazz.",
]


@pytest.mark.anyio
@pytest.mark.parametrize(("fact", "question", "answer"), FACTS)
async def test_a_fact_is_given_back_when_it_is_asked_for(talk, fact, question, answer):
    ana = talk()
    ana.recalls(fact, *NOISE)
    reply = (await ana.say(question)).text
    assert answer in reply
    assert "You told me" in reply or "you told me" in reply


@pytest.mark.anyio
@pytest.mark.parametrize(("fact", "question", "answer"), FACTS[:-1])
async def test_the_best_memory_need_not_be_the_first(talk, fact, question, answer):
    ana = talk()
    ana.recalls(*NOISE, fact)
    assert answer in (await ana.say(question)).text


@pytest.mark.anyio
async def test_it_is_said_in_the_second_person(talk):
    ana = talk()
    await ana.say("hello")
    ana.recalls("My name is Ana and I live in Porto.")
    assert (await ana.say("Where do I live?")).text == "You told me that your name is Ana and you live in Porto."


@pytest.mark.anyio
async def test_the_conversation_counts_as_well(talk):
    ana = talk()
    await ana.say("My name is Ana and I live in Porto.")
    await ana.say("I like tea")
    assert "Porto" in (await ana.say("Where do I live?")).text


@pytest.mark.anyio
async def test_the_latest_word_comes_first(talk):
    ana = talk()
    for at, city in ((1.0, "Porto"), (2.0, "Lisbon")):
        ana.memories.append(Part(f"I live in {city}.", key="memories", name="Ana", at=at))
    reply = (await ana.say("Where do I live?")).text
    assert reply.index("Lisbon") < reply.index("Porto")


@pytest.mark.anyio
async def test_without_memories_it_does_not_know(talk):
    ana = talk()
    for question in ("Where do I live?", "What is my sister's name?", "What do you know about me?"):
        assert "I do not know yet" in (await ana.say(question)).text


@pytest.mark.anyio
async def test_what_others_said_is_theirs(talk):
    ana = talk()
    ana.recalls("I live in Oslo.", name="Bob")
    assert "Oslo" not in (await ana.say("Where do I live?")).text
    assert "Bob said" in (await ana.say("Where does Bob live?")).text


@pytest.mark.anyio
async def test_what_the_agent_said_is_no_fact(talk):
    ana = talk()
    ana.recalls("You live in Atlantis.", name="Tifa")
    assert "Atlantis" not in (await ana.say("Where do I live?")).text


@pytest.mark.anyio
async def test_a_noted_fact_is_told(talk):
    ana = talk()
    ana.recalls("Ana lives in Porto.", name="")
    assert "Porto" in (await ana.say("Where do I live?")).text


@pytest.mark.anyio
async def test_it_tells_all_it_knows(talk):
    ana = talk()
    ana.recalls("My name is Ana.", "I like jazz.", "What is jazz?")
    reply = (await ana.say("What do you know about me?")).text
    assert "Ana" in reply
    assert "jazz" in reply


@pytest.mark.anyio
async def test_a_memory_that_names_its_speaker_is_read_without_the_name(talk):
    ana = talk()
    await ana.say("hello")
    ana.recalls("Ana: I live in Porto.")
    assert (await ana.say("Where do I live?")).text == "You told me that you live in Porto."


@pytest.mark.anyio
async def test_nothing_is_answered_by_chance(talk):
    ana = talk()
    ana.messages.append(PromptMessage("assistant", (Part("Hello."),)))
    ana.recalls("I moved to Portugal last year.")
    assert "Portugal last year" not in (await ana.say("What is the capital city of Portugal called?")).text


def known(talk_, *facts: str) -> None:
    """What the host knows of the person, newest first."""
    talk_.state += [Part(fact, key="facts", memory=f"f{number}") for number, fact in enumerate(facts)]


@pytest.mark.anyio
async def test_a_corrected_fact_answers_and_the_old_one_is_not_said(talk):
    ana = talk()
    await ana.say("My name is Ana and I live in Porto.")
    await ana.say("Actually, I moved to Lisbon.")
    known(ana, "Ana lives in Lisbon.")

    home = (await ana.say("Where do I live?")).text
    assert home == "You told me that you moved to Lisbon."
    assert "Porto" not in (await ana.say("What's my name?")).text
    everything = (await ana.say("What do you know about me?")).text
    assert "Lisbon" in everything
    assert "Porto" not in everything


@pytest.mark.anyio
async def test_a_fact_from_another_room_is_said_in_the_second_person(talk):
    ana = talk()
    await ana.say("hello")
    known(ana, "Ana lives in Lisbon.", "I like tea")

    assert (await ana.say("Where do I live?")).text == "You told me that you live in Lisbon."
    assert (await ana.say("What do I like?")).text == "You told me that you like tea."


@pytest.mark.anyio
async def test_what_was_said_and_still_holds_is_said_as_it_was_told(talk):
    ana = talk()
    await ana.say("My name is Ana and I live in Porto.")
    known(ana, "Ana lives in Porto.")

    assert (await ana.say("Where do I live?")).text == "You told me that your name is Ana and you live in Porto."


@pytest.mark.anyio
async def test_of_two_homes_the_newer_is_said_and_of_two_tastes_both(talk):
    ana = talk()
    await ana.say("hello")
    known(ana, "Ana lives in Lisbon.", "Ana lives in Porto.", "Ana likes tea.", "Ana likes coffee.")

    home, tastes = (await ana.say("Where do I live?")).text, (await ana.say("What do I like?")).text
    assert "Lisbon" in home
    assert "Porto" not in home
    assert "tea" in tastes
    assert "coffee" in tastes


@pytest.mark.anyio
async def test_what_answers_more_of_the_question_goes_before_a_fact(talk):
    ana = talk()
    await ana.say("My sister's name is Clara")
    known(ana, "Ana's name is Ana.")

    assert "Clara" in (await ana.say("What is my sister's name?")).text


@pytest.mark.parametrize(
    ("noted", "said"),
    [
        ("Ana lives in Porto.", "I live in Porto."),
        ("Ana's cat is Tom.", "My cat is Tom."),
        ("ana no longer works at Initech.", "I no longer work at Initech."),
        ("Ana does not like tea.", "I do not like tea."),
        ("Ana studies law.", "I study law."),
        ("Ana has a dog called Rex.", "I have a dog called Rex."),
        ("Anabel lives in Porto.", "Anabel lives in Porto."),
    ],
)
def test_a_note_of_a_person_is_turned_into_their_words(noted, said):
    assert first_person(noted, "Ana") == said
