"""What a tool returned, as the model reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mcp_types import CallToolResult

from carrier_actions_mcp.listed import Listed
from carrier_actions_mcp.mask import Mask
from carrier_actions_mcp.results import MOST_DATA, MOST_TEXT, result_of
from carrier_core import EVERYONE, OPERATOR, ActionCall, ActionResult, Audience, Provenance

HERE = Audience(("room",))
LED = Provenance(("agent", OPERATOR, "person:ana"), Audience((), ("ana",)))
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def result(
    *content: dict[str, Any],
    output: dict[str, Any] | None = None,
    led: Provenance | None = LED,
    mask: Callable[[str], str] = str,
    **more: Any,
) -> ActionResult:
    answer = CallToolResult.model_validate({"content": content, **more})
    turn = SimpleNamespace(audience=HERE)
    call = ActionCall("1", "raw_look", {}, led)
    tool = Listed("look", "It looks.", {"type": "object"}, "m", output)
    return result_of("raw", tool, answer, turn, call, mask=mask)


def text(what: str) -> dict[str, str]:
    return {"type": "text", "text": what}


def test_texts_are_read_one_after_the_other() -> None:
    said = result(text("One."), text("Two."))

    assert (said.text, said.ok, said.data) == ("One.\nTwo.", True, None)


def test_what_is_binary_is_named() -> None:
    said = result(
        {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"},
        {"type": "audio", "data": "no base64!", "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "file:///b.bin", "blob": "aGVsbG8=", "mimeType": "x/y"}},
    )

    assert said.text.splitlines() == [
        "[image, image/png, 5 bytes]",
        "[audio, audio/wav, 10 bytes]",
        "[resource file:///b.bin, x/y, 5 bytes]",
    ]


def test_resources_are_named_and_read() -> None:
    said = result(
        {"type": "resource", "resource": {"uri": "file:///a.txt", "text": "What it says.", "mimeType": "text/plain"}},
        {"type": "resource_link", "uri": "https://example.org/c", "name": "c"},
    )

    assert said.text.splitlines() == [
        "[resource file:///a.txt, text/plain]",
        "What it says.",
        "[resource c: https://example.org/c]",
    ]


def test_structured_content_is_data_and_read_where_there_is_no_text() -> None:
    assert result(structuredContent={"n": 7}, output=NUMBER).data == {"n": 7}
    assert result(structuredContent={"n": 7}).text == '{"n":7}'
    assert result(text("Seven."), structuredContent={"n": 7}).text == "Seven."


def test_structured_content_that_is_not_as_declared_is_left_out() -> None:
    said = result(text("Seven."), structuredContent={"n": "seven"}, output=NUMBER)

    assert said.data is None
    assert said.text.startswith("Seven.\n[Its structured content is not what the tool declares")
    assert said.ok


def test_too_much_structured_content_is_left_out() -> None:
    said = result(structuredContent={"n": "x" * MOST_DATA})

    assert said.data is None
    assert "is too long" in said.text


def test_an_error_is_one() -> None:
    said = result(text("There is no such file."), isError=True)

    assert (said.ok, said.text) == (False, "There is no such file.")


def test_a_flood_is_cut() -> None:
    said = result(*[text("x" * 1_000_000)] * 5)

    assert len(said.text) < MOST_TEXT + 200
    assert "left out" in said.text


def test_many_pieces_are_cut() -> None:
    said = result(*[text("x")] * 5_000)

    assert "[4800 more pieces are left out]" in said.text


def test_nothing_at_all_is_said_to_be_nothing() -> None:
    assert result().text == "It returned nothing."


def test_what_cannot_be_stored_is_replaced() -> None:
    said = result(text("a\0b"), structuredContent={"k\0": ["\0"]})

    assert said.text == "a�b"
    assert said.data == {"k�": ["�"]}


def test_keys_are_masked_wherever_they_stand() -> None:
    key = 's"cr/et'
    said = result(
        text(f"It is {key}, or s%22cr%2Fet."),
        {"type": "resource_link", "uri": "https://example.org/s%22cr%2Fet", "name": key},
        {"type": "resource", "resource": {"uri": "file:///a.txt", "text": json.dumps(key), "mimeType": "text/plain"}},
        structuredContent={key: [key, 7]},
        mask=Mask([key]),
    )

    assert said.text.splitlines() == [
        "It is ********, or ********.",
        "[resource ********: https://example.org/********]",
        "[resource file:///a.txt, text/plain]",
        '"********"',
    ]
    assert said.data == {"********": ["********", 7]}


def test_what_is_wrong_with_structured_content_is_told_without_keys() -> None:
    said = result(text("Seven."), structuredContent={"n": "sk-secret"}, output=NUMBER, mask=Mask(["sk-secret"]))

    assert said.data is None
    assert "'********' is not of type 'integer'" in said.text


def test_half_a_key_is_not_shown_either() -> None:
    said = result(text("x" * (MOST_TEXT - 5) + "sk-secret"), mask=Mask(["sk-secret"]))

    assert "sk-" not in said.text


def test_it_is_from_outside_and_from_whoever_led_to_it_and_for_those_who_may_know_both() -> None:
    said = result(text("x")).provenance

    assert said.origins == ("agent", "person:ana", "outside:mcp/raw")
    assert said.audience == HERE & LED.audience


@pytest.mark.parametrize("led", [None, Provenance((OPERATOR,), EVERYONE)])
def test_it_is_never_the_operators(led: Provenance | None) -> None:
    said = result(text("x"), led=led).provenance

    assert (said.origins, said.audience) == (("outside:mcp/raw",), HERE)
