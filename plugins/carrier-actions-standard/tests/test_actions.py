"""The standard actions: what each does, and what it tells a model that calls it wrongly."""

from __future__ import annotations

import msgspec
import pytest

from carrier_actions_standard import LONGEST_FACT, MOST_CONTINUED, Checked, register_actions
from carrier_core import AGENT, OPERATOR, Effect, Entity, Provenance, Then, person

ANA = person(Entity.of("test", "ana", name="Ana").id)
PAGE = "outside:https://example.org"

ACTIONS = {action.name: action for action in register_actions()}

pytestmark = pytest.mark.anyio


async def perform(turn, name: str, **arguments):
    return await ACTIONS[name].perform(turn, turn.call(name, **arguments))


# --- what the model is offered --------------------------------------------------------------------------------------------


def test_there_are_five() -> None:
    assert list(ACTIONS) == ["reply", "ignore", "none", "continue", "remember"]


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_model_can_tell_what_it_does(action: Checked) -> None:
    assert len(action.description) > 60
    assert action.name.upper() in action.similes  # ElizaOS's name
    assert action.effect in (Effect.READ, Effect.WRITE)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_the_schema_says_what_is_checked(action: Checked) -> None:
    schema = action.parameters

    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert tuple(schema["properties"]) == tuple(schema["required"]) == action.arguments.__struct_fields__
    assert msgspec.json.decode(msgspec.json.encode(schema)) == schema


def test_only_remembering_writes() -> None:
    assert [name for name, action in ACTIONS.items() if action.effect is Effect.WRITE] == ["remember"]


# --- what they do ---------------------------------------------------------------------------------------------------------


async def test_reply_says_the_text_and_ends_the_turn(turn) -> None:
    result = await perform(turn, "reply", text="Hello, Ana!")

    assert (result.ok, result.then, result.silent) == (True, Then.END, False)
    assert [part.text for part in result.say] == ["Hello, Ana!"]
    assert set(result.say[0].provenance.origins) == {AGENT, ANA, PAGE}  # a plugin does not speak for the operator


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_reply_is_refused(turn, text: str) -> None:
    result = await perform(turn, "reply", text=text)

    assert (result.ok, result.then, result.say) == (False, Then.MODEL, ())
    assert "call ignore" in result.text


async def test_ignore_ends_the_turn_without_a_word(turn) -> None:
    result = await perform(turn, "ignore")

    assert (result.ok, result.then, result.silent, result.say) == (True, Then.END, True, ())


async def test_none_ends_the_turn_with_what_was_said(turn) -> None:
    result = await perform(turn, "none")

    assert (result.ok, result.then, result.silent, result.say) == (True, Then.END, False, ())


async def test_continue_lets_the_model_go_on_three_times(turn) -> None:
    for _ in range(MOST_CONTINUED):
        result = await perform(turn, "continue")
        assert (result.ok, result.then) == (True, Then.MODEL)
        assert "do not repeat" in result.text
        turn.calls += (turn.call("continue"), turn.call("remember"))

    last = await perform(turn, "continue")

    assert (last.ok, last.then) == (False, Then.END)


async def test_remember_stores_a_fact_and_tells_what(turn) -> None:
    result = await perform(turn, "remember", text="  Ana lives in Porto. ")

    assert [text for text, _ in turn.remembered] == ["Ana lives in Porto."]
    assert (result.ok, result.then) == (True, Then.MODEL)
    assert result.text == "Remembered: Ana lives in Porto."
    assert result.data["memory"]


async def test_a_fact_that_a_plugin_dropped_is_not_said_to_be_remembered(turn) -> None:
    turn.drops = True

    result = await perform(turn, "remember", text="Ana lives in Porto.")

    assert not result.ok
    assert "was not stored" in result.text


async def test_the_longest_fact_is_stored(turn) -> None:
    assert (await perform(turn, "remember", text="x" * LONGEST_FACT)).ok


# --- wrong arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("reply", {}, "missing required field `text`"),
        ("reply", {"text": 3}, "Expected `str`, got `int` - at `$.text`"),
        ("reply", {"text": "x", "to": "all"}, "unknown field `to`"),
        ("ignore", {"reason": "rude"}, "unknown field `reason`"),
        ("none", {"text": "x"}, "unknown field `text`"),
        ("continue", {"text": "x"}, "unknown field `text`"),
        ("remember", {}, "missing required field `text`"),
        ("remember", {"text": None}, "Expected `str`, got `null`"),
        ("remember", {"text": ["a"]}, "Expected `str`, got `array`"),
        ("remember", {"text": ""}, "the text is empty"),
        ("remember", {"text": " \n"}, "the text is empty"),
        ("remember", {"text": "x" * (LONGEST_FACT + 1)}, "length <= 2000"),
    ],
)
async def test_wrong_arguments_are_told_so_that_the_model_can_correct_them(turn, name, arguments, problem) -> None:
    result = await perform(turn, name, **arguments)

    assert (result.ok, result.then, result.silent, result.say) == (False, Then.MODEL, False, ())
    assert problem in result.text
    assert turn.remembered == []


# --- whose words a fact is -----------------------------------------------------------------------------------------------


async def test_what_a_model_writes_is_of_everyone_whose_words_it_read(turn) -> None:
    await perform(turn, "remember", text="Ana lives in Porto.")

    ((_, provenance),) = turn.remembered
    assert set(provenance.origins) == {AGENT, ANA, PAGE}
    assert provenance.audience == turn.spoken.audience


async def test_what_the_person_just_said_is_theirs(turn) -> None:
    source = turn.found_in(turn.memory_id)

    await perform(turn, "remember", text="I live in Porto", source=source)

    assert turn.remembered == [("I live in Porto", Provenance((ANA,), turn.spoken.audience))]


async def test_what_a_page_says_too_is_of_both(turn) -> None:
    source = turn.found_in(turn.memory_id, "page", origins=(PAGE, ANA))

    await perform(turn, "remember", text="I live in Porto", source=source)

    ((_, provenance),) = turn.remembered
    assert set(provenance.origins) == {PAGE, ANA}


@pytest.mark.parametrize("text", ["Ana owes me money.", "Somebody else lives there."])
async def test_what_the_person_quoted_or_never_said_is_not_theirs(turn, text: str) -> None:
    await perform(turn, "remember", text=text, source=turn.found_in(turn.memory_id))

    ((_, provenance),) = turn.remembered
    assert PAGE in provenance.origins


async def test_what_stands_elsewhere_only_is_not_theirs(turn) -> None:
    await perform(turn, "remember", text="I live in Porto", source=turn.found_in("page"))

    ((_, provenance),) = turn.remembered
    assert PAGE in provenance.origins


async def test_a_call_of_unknown_origin_is_never_the_persons_word(turn) -> None:
    call = msgspec.structs.replace(turn.call("remember", text="Ana lives in Porto."), provenance=None)

    await ACTIONS["remember"].perform(turn, call)

    ((_, provenance),) = turn.remembered
    assert provenance.origins == ("outside:action/remember",)


async def test_no_result_speaks_for_the_operator(turn) -> None:
    for name, arguments in (
        ("reply", {"text": "x"}),
        ("ignore", {}),
        ("none", {}),
        ("continue", {}),
        ("remember", {"text": "x"}),
    ):
        result = await perform(turn, name, **arguments)
        assert OPERATOR not in result.provenance.origins
        assert set(result.provenance.origins) == {AGENT, ANA, PAGE}
