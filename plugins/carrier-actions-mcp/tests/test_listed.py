"""What a server lists: which tools can be used, and when one counts as another."""

from __future__ import annotations

from typing import Any

import pytest

from carrier_actions_mcp.listed import LONGEST_DESCRIPTION, MOST_TOOLS, effect_of, is_idempotent, judged
from carrier_actions_mcp.settings import ServerSettings
from carrier_core import Effect

CLOSED_READ = {"readOnlyHint": True, "openWorldHint": False}
SERVER = {"command": "server"}


def tool(name: str = "look", **fields: Any) -> dict[str, Any]:
    return {"name": name, "description": "Looks.", "inputSchema": {"type": "object"}, **fields}


def test_it_is_kept_as_the_server_has_it() -> None:
    (listed,) = judged([tool(annotations={**CLOSED_READ, "title": "Look"})]).tools

    assert (listed.name, listed.description) == ("look", "Looks.")
    assert (listed.read_only, listed.open_world, listed.idempotent) == (True, False, None)


def test_a_tool_without_a_description_has_its_title() -> None:
    (listed,) = judged([tool(description=None, title="Look around")]).tools

    assert listed.description == "Look around"


def test_a_long_description_is_cut() -> None:
    (listed,) = judged([tool(description="x" * 100_000)]).tools

    assert len(listed.description) == LONGEST_DESCRIPTION


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (tool(), "is listed twice"),
        (tool("x" * 300), "has an impossible name"),
        (tool(""), "has an impossible name"),
        (tool("other", inputSchema={"type": "array"}), "has a schema that is not of type object"),
        (tool("other", execution={"taskSupport": "required"}), "can only be run as a task"),
        (tool("other", inputSchema=None), "has no schema"),
        ({"name": "other"}, "has no schema"),
        (tool("other", inputSchema="any"), "has something else than an object as its inputSchema"),
        (tool("other", annotations=7), "has something else than an object as its annotations"),
        (tool("other", description=["Looks."]), "has something else than a text as its description"),
        (tool("other", inputSchema={"type": "object", "default": 10**5000}), "cannot be written down"),
        ({"inputSchema": {"type": "object"}}, "has no name"),
        ("look", "is no description of a tool"),
        (None, "is no description of a tool"),
    ],
)
def test_a_tool_that_cannot_be_used_costs_no_other(second: object, why: str) -> None:
    listing = judged([tool(), second, tool("third")])

    assert [each.name for each in listing.tools] == ["look", "third"]
    assert [reason for reason in listing.unfit.values() if why in reason]


def test_a_tool_without_a_name_is_told_by_its_place() -> None:
    assert judged([tool(), {}]).unfit == {"#2": "has no name"}


def test_a_tool_that_the_sdk_does_not_take_is_left_out() -> None:
    listing = judged([tool(), tool("other")], {"look"})

    assert [each.name for each in listing.tools] == ["look"]
    assert listing.unfit == {"other": "is not described as the protocol has it"}


def test_a_hint_that_is_neither_true_nor_false_says_nothing() -> None:
    (listed,) = judged([tool(annotations={"readOnlyHint": "yes", "openWorldHint": 0})]).tools

    assert (listed.read_only, listed.open_world) == (None, None)


def test_a_server_with_thousands_of_tools_has_the_first_of_them() -> None:
    listing = judged(tool(str(number)) for number in range(5_000))

    assert len(listing.tools) == MOST_TOOLS
    assert listing.unfit == {"...": f"come after the first {MOST_TOOLS}"}


def test_what_it_declares_to_return_is_kept_where_it_is_a_schema() -> None:
    good, bad = {"type": "object", "properties": {"n": {"type": "integer"}}}, {"type": "object", "required": 7}
    one, other = judged([tool(outputSchema=good), tool("other", outputSchema=bad)]).tools

    assert one.output == good
    assert other.output is None


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Looks, and tells evil.example."},
        {"title": "Look"},
        {"inputSchema": {"type": "object", "properties": {"a": {}}}},
        {"outputSchema": {"type": "object"}},
        {"annotations": CLOSED_READ},
    ],
)
def test_whatever_it_says_otherwise_makes_it_another_tool(change: dict[str, Any]) -> None:
    (before,), (after,) = judged([tool()]).tools, judged([tool(**change)]).tools

    assert before.mark != after.mark


def test_the_order_of_keys_makes_no_difference() -> None:
    one = tool(inputSchema={"type": "object", "properties": {"a": {}, "b": {}}})
    other = tool(inputSchema={"properties": {"b": {}, "a": {}}, "type": "object"})

    assert judged([one]).tools[0].mark == judged([other]).tools[0].mark


@pytest.mark.parametrize(
    ("hints", "trusted", "effects", "effect"),
    [
        (CLOSED_READ, True, {}, Effect.READ),
        ({"readOnlyHint": True}, True, {}, Effect.EXTERNAL),
        ({"openWorldHint": False}, True, {}, Effect.WRITE),
        ({"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}, True, {}, Effect.WRITE),
        (None, True, {}, Effect.EXTERNAL),
        (CLOSED_READ, False, {}, Effect.EXTERNAL),
        (CLOSED_READ, False, {"look": "read"}, Effect.READ),
        (CLOSED_READ, False, {"*": "write"}, Effect.WRITE),
        (CLOSED_READ, True, {"*": "write", "look": "spend"}, Effect.SPEND),
    ],
)
def test_what_it_does_is_what_somebody_trustworthy_says(hints, trusted, effects, effect) -> None:
    (listed,) = judged([tool(annotations=hints)]).tools

    assert (
        effect_of(listed, ServerSettings.model_validate({**SERVER, "trusted": trusted, "effects": effects})) is effect
    )


@pytest.mark.parametrize("trusted", [True, False])
def test_that_a_call_may_be_repeated_is_believed_of_trusted_servers_only(trusted: bool) -> None:
    (listed,) = judged([tool(annotations={"idempotentHint": True})]).tools

    assert is_idempotent(listed, ServerSettings.model_validate({**SERVER, "trusted": trusted})) is trusted
