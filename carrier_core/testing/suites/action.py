"""What every action keeps."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import msgspec
import pytest

from carrier_core import (
    OPERATOR,
    Action,
    ActionCall,
    ActionResult,
    Effect,
    Json,
    Provenance,
    Then,
    Turn,
    encode,
)
from carrier_core.testing.hosts import Objects
from carrier_core.testing.suites.cancellation import swallowed
from carrier_core.testing.turns import running_turn

_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPES = frozenset("object array string number integer boolean null".split())

_WRONG: Mapping[str, tuple[Json, ...]] = {
    "string": (7, None, ["a"], {"a": 1}),
    "number": ("seven", None, [7]),
    "integer": ("seven", 1.5, None, [7]),
    "boolean": ("maybe", None, [True]),
    "array": ("a", 7, None, {"a": 1}),
    "object": ("a", 7, None, ["a"]),
}
"""Values that a type of JSON schema rules out."""


class ActionConformance:
    """Subclass it and override ``action`` and, where it takes any, ``arguments``: a dict with which it can be performed.

    ``plugins``, ``config`` and ``character`` make the host in whose turn it is performed (see ``running_host``). ``trusted``
    says that the operator is to list its plugin in ``[policy] trusted``.
    """

    trusted = False
    plugins: Objects = ()
    config: str | Mapping[str, object] = ""
    character: Mapping[str, object] | None = None
    message = "Please do it."

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The backend that the host runs on."""
        return "asyncio"

    @pytest.fixture
    def action(self) -> Action:
        """The action."""
        raise NotImplementedError("Override the fixture `action`.")

    @pytest.fixture
    def arguments(self) -> dict[str, Json]:
        """Arguments with which it can be performed."""
        return {}

    # --- what it says of itself ---

    def test_its_name_can_be_a_tools_name(self, action: Action) -> None:
        """The name is one that every model's tools may have: letters, digits, _ and -, at most 64."""
        assert _TOOL_NAME.fullmatch(action.name)

    def test_it_says_what_it_does(self, action: Action) -> None:
        """The description tells a model, in words, what the action is for."""
        assert len(action.description.split()) > 2
        assert all(action.similes)

    def test_its_parameters_are_a_schema_of_an_object(self, action: Action) -> None:
        """The parameters are a JSON schema of type object, without references, whose required keys are there."""
        parameters = dict(action.parameters)
        assert msgspec.json.decode(msgspec.json.encode(parameters)) == parameters, "it is not JSON"
        assert parameters.get("type") == "object"
        for where, schema in _schemas("parameters", parameters):
            assert "$ref" not in schema, f"{where} refers elsewhere: write it out"
            kinds = schema.get("type", [])
            named = kinds if isinstance(kinds, list) else [kinds]
            assert {*named} <= _TYPES, f"{where} has the type {kinds}"
            required = schema.get("required", [])
            assert isinstance(required, list), where
            properties = schema.get("properties", {})
            assert isinstance(properties, dict), where
            assert {*required} <= {*properties}, f"{where} requires what it does not have"

    def test_its_effect_is_declared(self, action: Action) -> None:
        """The effect says what the action does to the world: policy judges by it."""
        assert isinstance(action.effect, Effect)
        assert action.effect is not Effect.UNKNOWN

    # --- in a turn ---

    @pytest.mark.anyio
    async def test_validate_says_yes_or_no(self, action: Action) -> None:
        """``validate`` returns whether it can be used, and the same when it is asked again."""
        async with self._turn() as turn:
            said = [await action.validate(turn) for _ in range(2)]
        assert all(answer is None or isinstance(answer, bool) for answer in said), said
        assert said[0] == said[1]

    @pytest.mark.anyio
    async def test_performing_gives_a_result(self, action: Action, arguments: dict[str, Json]) -> None:
        """With good arguments it returns an ActionResult that succeeded, that can be recorded, and that says who goes on."""
        async with self._turn() as turn:
            result = await action.perform(turn, self._call(action, arguments))
        assert isinstance(result, ActionResult)
        assert result.ok, result.text
        assert result.then in (Then.MODEL, Then.END)
        assert encode(result)
        assert result.text or result.say or result.silent or result.data is not None or result.then is Then.END

    @pytest.mark.anyio
    async def test_wrong_arguments_are_told(self, action: Action, arguments: dict[str, Json]) -> None:
        """``check``, which the host asks first, says of what the schema rules out what is wrong with it, and nothing of what
        it can be performed with. Nor does it change anything."""
        assert action.check(copy.deepcopy(arguments)) == ""
        for what, wrong in _wrong(action, arguments):
            given = copy.deepcopy(wrong)
            told = action.check(given)
            assert isinstance(told, str), what
            assert told, f"{what} was taken for good: {wrong}"
            assert given == wrong, f"{what} was changed"

    def test_where_it_goes_is_among_its_arguments(self, action: Action) -> None:
        """The arguments that are said to tell where it goes are there: policy looks at them."""
        properties = action.parameters.get("properties", {})
        assert isinstance(properties, dict)
        assert {*(action.destination or ())} <= {*properties}

    @pytest.mark.anyio
    async def test_arguments_stay_as_they_were(self, action: Action, arguments: dict[str, Json]) -> None:
        """The call is recorded, so its arguments are not changed."""
        given = copy.deepcopy(arguments)
        async with self._turn() as turn:
            await action.perform(turn, self._call(action, given))
        assert given == arguments

    @pytest.mark.anyio
    async def test_it_does_not_speak_for_the_operator(self, action: Action, arguments: dict[str, Json]) -> None:
        """Neither the result nor what is said carries the operator's label, unless the plugin is to be trusted."""
        async with self._turn() as turn:
            result = await action.perform(turn, self._call(action, arguments, origins=(OPERATOR, "agent")))
        given = [result.provenance, *(part.provenance for part in result.say)]
        origins = {origin for each in given if each is not None for origin in each.origins}
        assert self.trusted or OPERATOR not in origins

    @pytest.mark.anyio
    async def test_a_cancellation_passes_through(self, action: Action, arguments: dict[str, Json]) -> None:
        """A call that is cancelled ends at once, with the cancellation and nothing else."""
        async with self._turn() as turn:
            assert await swallowed(action.perform(turn, self._call(action, arguments))) == ""

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[Turn]:
        held = running_turn(self.message, plugins=self.plugins, config=self.config, character=self.character)
        async with held as turn:
            yield turn

    def _call(self, action: Action, arguments: dict[str, Json], *, origins: tuple[str, ...] = ("agent",)) -> ActionCall:
        return ActionCall("call-1", action.name, arguments, Provenance(origins))


def _schemas(where: str, schema: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """A schema and all within it."""
    yield where, schema
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for key, inner in properties.items():
            assert isinstance(inner, dict), f"{where}.{key} is no schema"
            yield from _schemas(f"{where}.{key}", inner)
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _schemas(f"{where}[]", items)


def _wrong(action: Action, arguments: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    """Arguments that the action's own schema rules out, and what is wrong with them."""
    schema = action.parameters
    required = schema.get("required", [])
    for key in required if isinstance(required, list) else ():
        yield f"a missing {key}", {name: value for name, value in arguments.items() if name != key}
    properties = schema.get("properties", {})
    for key, inner in properties.items() if isinstance(properties, dict) else ():
        kind = inner.get("type") if isinstance(inner, dict) else None
        for value in _WRONG.get(kind, ()) if isinstance(kind, str) else ():
            yield f"{key} as {type(value).__name__}", {**arguments, key: value}
    if schema.get("additionalProperties") is False:
        yield "an unknown argument", {**arguments, "no_such_argument": "x"}
