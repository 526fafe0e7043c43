"""Text as the index sees it: what a message is, what a query asks for."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_core import Readers
from carrier_memory_sqlite.shelves import AGENT, QUESTION, SELF
from carrier_memory_sqlite.words import WORDS_VERSION, asks_only, plain, prepare, read, term, words_in


@pytest.mark.parametrize(
    "text",
    [
        "Where do I live?",
        "where do i live",
        "Hi Tifa! Where do I live?",
        "hey tifa where do i live",
        "What's my name? And how old am I?",
        "Do you remember my dog's name?",
        "Tell me where I live.",
        "remind me of my sister's name",
        "Is my birthday in March?",
        "Have I told you that I live in Porto?",
        "Que horas são？",
    ],
)
def test_messages_that_only_ask(text):
    assert asks_only(text.lower())


@pytest.mark.parametrize(
    "text",
    [
        "I live in Porto.",
        "My name is Ana and I live in Porto.",
        "Do you like fish? My dog is called Rex.",
        "When I was young I lived in Faro.",
        "Remember that I live in Porto.",
        "I live in Porto, you know?",
        "Porto",
        "",
        "???",
    ],
)
def test_messages_that_say_something(text):
    assert not asks_only(text.lower())


def test_traits():
    assert prepare("Where do I live?", by_agent=False)[1] & (QUESTION | SELF | AGENT) == QUESTION | SELF
    assert prepare("You live in Porto.", by_agent=True)[1] & (QUESTION | SELF | AGENT) == AGENT


def test_stop_words_and_speakers_names_are_left_out():
    asked = read("What is the colour of Ana's house?", {"ana", "tifa"})
    assert len(asked.concepts) == 2
    assert asked.names == {"ana"}
    assert not asked.of_self


def test_where_nothing_else_is_left_the_words_are_taken_as_they_are():
    assert [concept.word for concept in read("Who is it?", ()).concepts] == ['"who"', '"is"', '"it"']
    assert [concept.word for concept in read("Ana", {"ana"}).concepts] == ['"ana"']
    assert read("?! ...", ()).concepts == ()


def test_forms_of_a_word_and_its_spellings_are_one_word():
    for one, other in (("colour", "color"), ("mum", "mother"), ("grew", "grow"), ("flight", "fly")):
        assert read(f"{one}?", ()).concepts[0].word == read(f"{other}?", ()).concepts[0].word


def test_accents_and_case_do_not_matter():
    assert plain("São João, ÉLÉONORE straße") == "sao joao, eleonore strasse"
    assert words_in(plain("Ünïcode_word")) == ["unicode", "word"]


def test_scripts_without_spaces_are_taken_in_pairs():
    assert words_in(plain("私は東京に住む")) == ["私は", "は東", "東京", "京に", "に住", "住む", "む"]
    assert term("京") == '"京"*'
    assert term("a") == '"a"'


def test_a_text_cannot_contain_the_signs_of_groups():
    groups = set(prepare("mother", by_agent=False)[0]) - set("mother ")
    assert len(groups) >= 1
    assert not groups & set(plain("".join(groups)))


@given(st.text())
def test_terms_hold_letters_and_digits_alone(text):
    for concept in read(text, ()).concepts:
        for quoted in [concept.word, *concept.kin.split(" OR ")] if concept.kin else [concept.word]:
            inside = quoted.removesuffix("*")
            assert inside[0] == inside[-1] == '"'
            assert '"' not in inside[1:-1]
            assert " " not in inside
            assert "\0" not in inside


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text",
    [
        'he said "lighthouse" AND (OR NOT NEAR/2) -x *y ^z {a b}: c',
        "lighthouse\0NUL",
        "lighthouse 🏠🔥👨‍👩‍👧",
        "text:lighthouse scope:1",
        "lighthouse'; DROP TABLE memories; --",
        "lighthouse " * 50_000,
        "light_house lighthouse e-mail",
        "\u202elighthouse\u200f \ud800 ½ ² ⅷ ๏ ﷺ ㍿",
    ],
)
async def test_whatever_a_person_writes_can_be_asked_for_and_stored(store, scene, text):
    said = scene.memory("The lighthouse is white.")
    await store.memory.put((said,))
    found = [result.memory for result in await store.memory.recall(scene.query(text))]
    assert said in found
    text = text.replace("\ud800", "").replace("\0", " ")  # as the host repairs it
    await store.memory.put((scene.memory(text),))
    assert len(await store.memory.recall(scene.query("lighthouse", readers=Readers(scene.room.id)))) == 2


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("私は東京に住んでいます。", "東京"),
        ("私は東京に住んでいます。", "京"),
        ("我妹妹叫小梅。", "妹妹叫什么？"),
        ("저는 서울에 살아요.", "서울"),
        ("ฉันอยู่ที่กรุงเทพ", "กรุงเทพ"),
        ("Я живу в Москве.", "москве"),
        ("मैं दिल्ली में रहता हूँ", "दिल्ली"),
        ("أنا أسكن في القاهرة", "القاهرة"),
        ("Moro em São João.", "sao joao"),
    ],
)
async def test_other_scripts_are_found(store, scene, said, asked):
    await store.memory.put((scene.memory("An English sentence."), scene.memory(said)))
    assert [found.memory.text for found in await store.memory.recall(scene.query(asked))] == [said]


def test_a_change_of_the_groups_needs_another_version():
    """Where this fails: raise WORDS_VERSION, so that existing indexes are made anew, and note the new hash here."""
    kin = (files("carrier_memory_sqlite") / "words" / "kin.txt").read_bytes()
    assert (WORDS_VERSION, hashlib.blake2b(kin, digest_size=8).hexdigest()) == (1, "8cbe6ec5bde0d003")


@pytest.mark.anyio
async def test_an_index_of_another_version_is_made_anew(store, scene, tmp_path, monkeypatch):
    said = scene.memory("My mum has a lighthouse.")
    await store.memory.put((said,))
    await store.close()
    monkeypatch.setattr("carrier_memory_sqlite.transaction.WORDS_VERSION", 99)
    monkeypatch.setattr("carrier_memory_sqlite.prepared.prepare", lambda text, *, by_agent: ("entirely different", 0))
    await store.open(tmp_path / "state")
    assert [found.memory for found in await store.memory.recall(scene.query("different?"))] == [said]
    assert await store.memory.recall(scene.query("lighthouse?")) == ()
