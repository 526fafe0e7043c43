"""To say something, something more, or nothing."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.anyio


async def test_reply_is_what_the_person_reads(talk) -> None:
    talk.provider.then(talk.calls(("reply", {"text": "Hello, Ana!"})))

    assert await talk.running.ask("Hello") == "Hello, Ana!"
    assert len(talk.provider.prompts) == 1


async def test_an_empty_reply_is_refused(talk) -> None:
    told = await talk.call("Hello", "reply", text=" \n")

    assert told.failed
    assert "call ignore" in told.text


async def test_ignore_sends_nothing_whatever_was_written(talk) -> None:
    talk.provider.then(talk.calls(("ignore", {}), text="Go away."))

    assert await talk.running.ask("Hey you") == ""
    assert (await talk.running.last()).outcome.status == "silent"


async def test_none_sends_what_was_written(talk) -> None:
    talk.provider.then(talk.calls(("none", {}), text="Well."))

    assert await talk.running.ask("Hm") == "Well."
    assert len(talk.provider.prompts) == 1


async def test_continue_asks_the_model_again_and_ends(talk) -> None:
    talk.provider.then(*(talk.calls(("continue", {}), text=f"Part {number}.") for number in range(9)))

    assert await talk.running.ask("Tell me a story") == "Part 0.\nPart 1.\nPart 2."


async def test_what_is_said_is_of_everyone_whose_words_were_in_the_prompt_but_not_of_the_operator(talk) -> None:
    talk.provider.then(talk.calls(("reply", {"text": "Hello, Ana!"})))
    await talk.running.ask("Hello")

    reply = (await talk.running.last()).outcome.reply
    (origins,) = [set(part.provenance.origins) for part in reply.parts]
    assert origins >= {"agent", f"person:{talk.client.person('Ana').id}"}
    assert "operator" not in origins


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("reply", {}, "missing required field `text`"),
        ("reply", {"text": 3}, "Expected `str`, got `int`"),
        ("reply", {"text": "x", "to": "all"}, "unknown field `to`"),
        ("ignore", {"reason": "rude"}, "unknown field `reason`"),
        ("none", {"text": "x"}, "unknown field `text`"),
        ("remember", {"text": ""}, "length >= 1"),
        ("remember", {"text": "x" * 2_001}, "length <= 2000"),
        ("remind_me", {"text": "x"}, "missing required field `when`"),
        ("update_role", {"person": "Ben", "role": "king"}, "Invalid enum value 'king'"),
    ],
)
async def test_wrong_arguments_are_told_so_that_the_model_can_correct_them(talk, name, arguments, problem) -> None:
    talk.provider.then(talk.calls((name, arguments)), "Well.")

    assert await talk.running.ask("Do it") == "Well."
    assert problem in talk.told().text
