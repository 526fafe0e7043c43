"""Actions made of functions: ``@action`` turns the signature of an async function into what a model is offered."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from carrier_core.messages import Role
from carrier_core.prompts import ActionCall, ActionResult, Effect
from carrier_core.things import Action
from carrier_core.turn import Turn

Function = Callable[..., Awaitable[object]]

_GIVEN = ("turn", "call")
"""The parameters that the host fills in; all others are the model's."""


def action(
    *,
    effect: Effect,
    name: str = "",
    description: str = "",
    similes: tuple[str, ...] = (),
    examples: tuple[str, ...] = (),
    destination: tuple[str, ...] | None = None,
    role: Role = Role.GUEST,
    seconds: float | None = None,
    idempotent: bool = False,
    clients: Iterable[str] | None = None,
    own: bool = False,
) -> Callable[[Function], Action]:
    """Make an action of an async function, for ``register_actions`` to return::

        @action(effect=Effect.READ)
        async def weather(turn: Turn, city: str, days: int = 1) -> str:
            \"\"\"The weather in a city, for the next days.\"\"\"

    The function's name and docstring are the action's, unless others are given. Its parameters are the arguments, with their types
    and defaults (``Annotated[str, msgspec.Meta(description="...")]`` describes one); ``turn`` and ``call`` are filled in by the host.
    It returns what the model is told: a text, an ActionResult, anything else that JSON can hold, or None for "done". That counts as
    from outside, unless it is the action's ``own``: made of the call, and of nothing that anybody else wrote. Everything else is as in :class:`~carrier_core.things.Action`. TypeError where a parameter has no type or cannot be one of JSON's.
    """

    def make(function: Function) -> Action:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__name__} is not async. Write `async def {function.__name__}`.")
        made = FunctionAction(function, name or function.__name__, description or inspect.getdoc(function) or "")
        made.effect, made.similes, made.examples, made.destination = effect, similes, examples, destination
        made.role, made.seconds, made.idempotent = role, seconds, idempotent
        made.clients = frozenset(clients) if clients is not None else None
        made.own = own
        return made

    return make


class FunctionAction(Action):
    """A function as an action."""

    own = False

    def __init__(self, function: Function, name: str, description: str) -> None:
        if not description:
            raise TypeError(f"The action {name} has no description. Give the function a docstring.")
        self.name = name
        self.description = description
        self._function = function
        self._given = tuple(key for key in inspect.signature(function).parameters if key in _GIVEN)
        self.arguments = _arguments(function, name)
        self.parameters = self.schema(self.arguments)

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        """Call the function with the arguments as it declares them."""
        assert self.arguments is not None
        given: dict[str, Any] = {"turn": turn, "call": call}
        arguments = {key: given[key] for key in self._given} | msgspec.structs.asdict(call.read(self.arguments))
        answer = await self._function(**arguments)
        if isinstance(answer, ActionResult):
            return answer
        led = call.own if self.own else None
        if answer is None or isinstance(answer, str):
            return ActionResult(answer or "done", provenance=led)
        data = msgspec.to_builtins(answer)
        return ActionResult(msgspec.json.encode(data).decode(), data=data, provenance=led)


def _arguments(function: Function, name: str) -> type[msgspec.Struct]:
    """The struct of a function's parameters."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in _GIVEN:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"The action {name} takes {parameter}, which no model can name. Give it plain parameters.")
        kind = _resolved(parameter.annotation, function, f"{parameter.name} of the action {name}")
        default = parameter.default
        fields.append((parameter.name, kind) if default is parameter.empty else (parameter.name, kind, default))
    return msgspec.defstruct(name, fields, frozen=True, forbid_unknown_fields=True, kw_only=True)


def _resolved(annotation: object, function: Function, what: str) -> object:
    if annotation is inspect.Parameter.empty:
        raise TypeError(f"The parameter {what} has no type. Annotate it: str, int, a struct...")
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, inspect.unwrap(function).__globals__)  # noqa: S307 - the plugin's own source, not input
    except Exception as error:
        raise TypeError(
            f"The type {annotation} of the parameter {what} cannot be resolved ({error}). "
            "Import it where the module runs, not for type checkers alone."
        ) from error
