"""Who knows whom in a room."""

from __future__ import annotations

from carrier_core import Entity, person
from carrier_evaluator_standard.relationships import Heard, updated
from carrier_evaluator_standard.ties import ties

ANA = Entity.of("test", "ana", name="Ana")
BEN = Entity.of("test", "ben", name="Ben")

CLEO = Entity.of("test", "cleo", name="Cleo Dias", username="cd")
PEOPLE = (ANA, BEN, CLEO)


def hear(notebook, text: str, who: Entity = ANA, met: tuple[Entity, ...] = (), room: str = "harbour"):
    teller = notebook.teller(who, room)
    heard = [Heard(tie, teller.spoken) for tie in ties(text)]
    return notebook.put(updated(teller, heard, met, PEOPLE, notebook.pages.values()))


def test_a_tie_is_of_those_whom_it_names(notebook) -> None:
    (known,) = hear(notebook, "Ben is my brother.")

    assert known.text == "Ben is Ana's brother."
    assert known.data["people"] == sorted((ANA.id, BEN.id))
    assert known.data["tags"] == [{"tag": "brother", "who": BEN.id, "of": ANA.id}]
    assert known.kind == "relationship"


def test_somebody_is_known_by_a_first_name_and_a_stranger_by_name_alone(notebook) -> None:
    (cleo,) = hear(notebook, "Cleo is my friend")
    (stranger,) = hear(notebook, "Zoe is my boss")

    assert CLEO.id in cleo.data["people"]
    assert "name:zoe" in stranger.data["people"]
    assert stranger.text == "Zoe is Ana's boss."


def test_a_word_that_is_no_name_makes_no_tie(notebook) -> None:
    assert hear(notebook, "My sister is Portuguese") == ()
    assert [known.text for known in hear(notebook, "My boss is Ben")] == ["Ben is Ana's boss."]


def test_interactions_are_counted_for_the_pair(notebook) -> None:
    hear(notebook, "", ANA, (BEN,))
    (known,) = hear(notebook, "", BEN, (ANA, ANA))

    assert known.text == "Ben and Ana talk with each other."
    assert (known.data["count"], known.data["last"]) == (2, known.at)
    assert len(notebook.pages) == 1
    assert {person(ANA.id), person(BEN.id)} <= set(known.provenance.origins)


def test_a_tie_that_changes_keeps_what_it_was(notebook) -> None:
    hear(notebook, "Ben is my brother.", met=(BEN,))
    assert hear(notebook, "Ben is my brother.") == ()
    (known,) = hear(notebook, "Sorry, Ben is my cousin.")

    assert known.text == "Ben is Ana's cousin."
    assert [was["tag"] for was in known.data["was"]] == ["brother"]
    assert known.data["count"] == 1

    (ended,) = hear(notebook, "Ben is no longer my cousin.")
    assert ended.text == "Ana and Ben talk with each other."
    assert [was["tag"] for was in ended.data["was"]] == ["brother", "cousin"]


def test_both_sides_may_say_theirs(notebook) -> None:
    hear(notebook, "Ben is my boss.")
    (known,) = hear(notebook, "Ana is my assistant.", BEN)

    assert known.text == "Ben is Ana's boss. Ana is Ben's assistant."


def test_each_room_has_its_own(notebook) -> None:
    (one,) = hear(notebook, "Ben is my brother.", room="harbour")
    (other,) = hear(notebook, "", met=(BEN,), room="market")

    assert one.id != other.id
    assert "brother" not in other.text
