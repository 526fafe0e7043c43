"""The contract of a hook: its verb, its budget, what it may answer; and the marks that specifications and implementations bear.

pluggy keeps the implementations and their order. What they are turned into here, a :class:`Caller`, is what
:mod:`carrier_core.dispatch` calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, Union, cast, get_args, get_origin, overload

import pluggy

from carrier_core.breaker import Breaker

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

PROJECT = "carrier"
CORE = "carrier"
"""The name under which the host's own implementations, the default of every step, run."""
_spec = pluggy.HookspecMarker(PROJECT)
_impl = pluggy.HookimplMarker(PROJECT)


class Verb(StrEnum):
    """How the implementations of a hook are called."""

    GATHER = "gather"
    COLLECT = "collect"
    FIRST = "first"
    TRANSFORM = "transform"
    STRICTEST = "strictest"
    OBSERVE = "observe"
    ORDERED = "ordered"
    AROUND = "around"
    CALL = "call"


class Contract(NamedTuple):
    """What a hook promises: its verb, the seconds that one dispatch may take, and whether it acts on the world."""

    verb: Verb
    budget: float
    effects: bool


def step(verb: Verb, *, budget: float = 2.0, effects: bool = False) -> Callable[[F], F]:
    """Mark a function as the specification of a hook. ``budget`` is in seconds, one deadline for the whole dispatch."""

    def mark(function: F) -> F:
        function.carrier_contract = Contract(verb, budget, effects)  # type: ignore[attr-defined]
        return _spec(function)

    return mark


def method(*, budget: float = 2.0, effects: bool = False) -> Callable[[F], F]:
    """Mark a method of a registered thing: it runs through dispatch under the name of the plugin that registered it."""

    def mark(function: F) -> F:
        function.carrier_contract = Contract(Verb.CALL, budget, effects)  # type: ignore[attr-defined]
        return function

    return mark


@overload
def impl(function: F) -> F: ...
@overload
def impl(*, guard: bool = False, tryfirst: bool = False, trylast: bool = False, hook: str = "") -> Callable[[F], F]: ...
def impl(
    function: F | None = None, *, guard: bool = False, tryfirst: bool = False, trylast: bool = False, hook: str = ""
) -> F | Callable[[F], F]:
    """Mark a function as the implementation of the hook that bears its name, or of ``hook``.

    ``guard=True`` makes its failure, time-out, wrong type or quarantine stop the step, instead of costing only its answer.
    ``tryfirst`` and ``trylast`` put it before or after all others; between equals the config's order counts.
    """

    def mark(marked: F) -> F:
        marked.carrier_guard = guard  # type: ignore[attr-defined]
        return _impl(marked, tryfirst=tryfirst, trylast=trylast, specname=hook or None)

    return mark if function is None else mark(function)


class Accepts:
    """What a hook may answer, compiled from the return annotation of its specification."""

    __slots__ = ("anything", "elements", "types")

    def __init__(self, annotation: object) -> None:
        self.types: tuple[type, ...] = ()
        self.elements: tuple[type, ...] = ()
        options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
        self.anything = annotation is None or options == (NoneType,) or Any in options or object in options
        for option in options:
            if get_origin(option) is tuple:
                self.types += (tuple,)
                self.elements += tuple(_plain(entry) for entry in get_args(option) if entry is not Ellipsis)
            elif option is not NoneType and not self.anything:
                self.types += (get_origin(option) or option,)

    def __call__(self, value: object) -> bool:
        if value is None or self.anything:
            return True
        if not isinstance(value, self.types):
            return False
        if self.elements and isinstance(value, tuple):
            return all(isinstance(entry, self.elements) for entry in value)
        return True

    def __str__(self) -> str:
        names = [
            f"tuple[{' | '.join(entry.__name__ for entry in self.elements)}, ...]" if kind is tuple else kind.__name__
            for kind in self.types
        ]
        return " or ".join([*names, "None"])


def _plain(annotation: Any) -> type:
    """What isinstance understands: ``tuple`` for ``tuple[float, ...]``; classes and unions as they are."""
    origin = get_origin(annotation)
    return cast("type", annotation if origin in (None, Union, UnionType) else origin)


class Impl:
    """One implementation, ready to be called: ``picks`` are the positions of the arguments that it takes."""

    __slots__ = ("breaker", "function", "guard", "hook", "picks", "plugin")

    def __init__(
        self,
        plugin: str,
        hook: str,
        function: Callable[..., Any],
        breaker: Breaker,
        *,
        picks: tuple[int, ...] | None = None,
        guard: bool = False,
    ) -> None:
        self.plugin = plugin
        self.hook = hook
        self.function = function
        self.breaker = breaker
        self.picks = picks
        self.guard = guard

    def call(self, args: Sequence[object]) -> Any:
        """Call it with those of the hook's arguments that it declares."""
        if self.picks is None:
            return self.function(*args)
        return self.function(*[args[position] for position in self.picks])


class Caller(Generic[P, R]):
    """A hook with the implementations that one agent uses, first to last.

    Where only the host's own default is left there is no deadline to keep: what it calls of plugins has one.
    """

    __slots__ = ("accepts", "bounded", "budget", "effects", "hook", "impls", "verb")

    def __init__(self, hook: str, contract: Contract, accepts: Accepts, impls: Iterable[Impl]) -> None:
        self.hook = hook
        self.verb, self.budget, self.effects = contract
        self.accepts = accepts
        self.impls = tuple(impls)
        self.bounded = any(impl.plugin != CORE for impl in self.impls)

    def only(self, impl: Impl) -> Caller[P, R]:
        """The same hook with one of its implementations."""
        return Caller(self.hook, Contract(self.verb, self.budget, self.effects), self.accepts, (impl,))


def contract_of(spec: Callable[..., object]) -> Contract:
    """The contract of a function marked with :func:`step` or :func:`method`."""
    return cast("Contract", spec.carrier_contract)  # type: ignore[attr-defined]


@cache
def accepts_of(spec: Callable[..., object]) -> Accepts:
    """What the hook may answer. Only the return annotation is resolved: the others may be there for type checkers alone."""
    annotation: object = inspect.get_annotations(spec).get("return")
    if isinstance(annotation, str):
        annotation = eval(annotation, spec.__globals__)  # noqa: S307 - the spec's own source, not input
    return Accepts(annotation)
