"""Nothing that an agent repeats may steer the terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_client_terminal.visible import spoken, visible, visible_log, visible_name
from carrier_core import Attachment, Part, PartKind


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ñ, 日本, 👩‍👩‍👧", "plain, ñ, 日本, 👩‍👩‍👧"),
        ("one\ntwo\tthree\r\nfour", "one\ntwo\tthree\nfour"),
        ("over\rwritten", "over␍written"),
        ("\x1b[2J\x07\x00\x7f", "␛[2J␇␀␡"),
        ("\x9b2J", "<U+009B>2J"),
        ("\u202etxet\u2066", "<U+202E>txet<U+2066>"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_what_is_shown(text, shown):
    assert visible(text) == shown


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_can_be_written_and_steers_nothing(one, two):
    shown = visible(one + two)
    shown.encode()
    assert all(character in "\n\t" or unicodedata.category(character) != "Cc" for character in shown)
    if not one.endswith("\r"):
        assert shown == visible(one) + visible(two)


def test_a_name_is_one_short_line():
    assert visible_name("Ana\n\x1b[31m  Maria") == "Ana ␛[31m Maria"
    assert len(visible_name("x" * 100)) == 40


def test_a_log_keeps_its_colours():
    assert visible_log("\x1b[31mred\x1b[0m \x1b[2J") == "\x1b[31mred\x1b[0m ␛[2J"


def test_a_file_is_shown_with_its_address():
    file = Attachment("image/png", "cat.png", "https://example.org/cat.png")
    parts = (Part("Look:"), Part(kind=PartKind.ATTACHMENT, attachment=file))
    assert spoken(parts) == "Look:\n[cat.png: image/png] https://example.org/cat.png"
