"""Forms of one word have one stem, as Porter's algorithm has them."""

from __future__ import annotations

import pytest

from carrier_memory_postgres.stems import stem

PUBLISHED = """
caresses caress, ponies poni, ties ti, caress caress, cats cat, feed feed, agreed agre, plastered plaster, bled bled,
motoring motor, sing sing, conflated conflat, troubled troubl, sized size, hopping hop, tanned tan, falling fall, hissing hiss,
fizzed fizz, failing fail, filing file, happy happi, sky sky, relational relat, conditional condit, rational ration,
valenci valenc, hesitanci hesit, digitizer digit, conformabli conform, radicalli radic, differentli differ, vileli vile,
analogousli analog, vietnamization vietnam, predication predic, operator oper, feudalism feudal, decisiveness decis,
hopefulness hope, callousness callous, formaliti formal, sensitiviti sensit, sensibiliti sensibl, triplicate triplic,
formative form, formalize formal, electriciti electr, electrical electr, hopeful hope, goodness good, revival reviv,
allowance allow, inference infer, airliner airlin, gyroscopic gyroscop, adjustable adjust, defensible defens, irritant irrit,
replacement replac, adjustment adjust, dependent depend, adoption adopt, homologou homolog, communism commun, activate activ,
angulariti angular, homologous homolog, effective effect, bowdlerize bowdler, probate probat, rate rate, cease ceas,
controll control, roll roll
"""
"""The examples of the paper, each after all steps."""


@pytest.mark.parametrize("pair", [pair.split() for pair in PUBLISHED.split(",")], ids=lambda pair: pair[0])
def test_the_examples_of_the_paper(pair):
    word, expected = pair
    assert stem(word) == expected


@pytest.mark.parametrize("forms", ["live lives lived living", "allergy allergies", "study studies studied studying"])
def test_forms_of_a_word_have_one_stem(forms):
    assert len({stem(word) for word in forms.split()}) == 1


@pytest.mark.parametrize("word", ["", "a", "is", "olá", "你好", "r2d2", "\ue003", "x" * 200])
def test_what_is_no_english_word_is_its_own_stem(word):
    assert stem(word) == word
