"""Whether what a plugin brings fits the contract: its hooks, its own specifications, and the things it registers.

What could only fail later, in the middle of a turn, is refused when the plugin is loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from carrier_core.contract import PROJECT, Verb, accepts_of, contract_of
from carrier_core.errors import PluginError
from carrier_core.messages import Role
from carrier_core.prompts import Effect
from carrier_core.things import Action, Client, Thing

_NEVER_PASSED = (
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.VAR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)
_HOST = "local"  # the host's own way out, see carrier_core.host

Function = Callable[..., object]


class Misfit(PluginError):
    """A plugin does not fit the contract. ``file`` and ``line`` are where in the plugin, as far as that is known."""

    def __init__(self, message: str, *, plugin: str, hook: str = "", remedy: str = "", at: object = None) -> None:
        super().__init__(message, plugin=plugin, hook=hook, remedy=remedy)
        self.file, self.line = place_of(at)


def place_of(thing: object) -> tuple[str, int]:
    """The file and line of a function's ``def`` or a class's ``class``; ("", 0) where they are not known."""
    found = thing if inspect.isclass(thing) or inspect.isroutine(thing) else type(thing)
    try:
        found = inspect.unwrap(found)
        lines, first = inspect.getsourcelines(found)
        file = inspect.getsourcefile(found)
    except (OSError, TypeError, ValueError):
        return "", 0
    words = ("def ", "async def ", "class ")
    return file or "", next((first + at for at, line in enumerate(lines) if line.lstrip().startswith(words)), first)


def check_hook(plugin: str, hook: str, function: Function, specs: Mapping[str, Function], owner: str = "") -> None:
    """Refuse an unknown hook, a wrapper, a generator, sync for async, and arguments that are never passed.

    ``owner`` is the plugin that would bring a hook of this name if it were enabled.
    """

    def refuse(problem: str, remedy: str) -> Misfit:
        return Misfit(f"{plugin}, hook {hook}: {problem}.", plugin=plugin, hook=hook, remedy=remedy, at=function)

    spec = specs.get(hook)
    if spec is None:
        near = get_close_matches(hook, specs, 1)
        hint = f"Did you mean {near[0]}?" if near else "See docs/hooks.md for the hooks there are."
        raise refuse("there is no such hook", f"Enable {owner}, whose hook it may be." if owner else hint)
    options = getattr(function, f"{PROJECT}_impl")
    if options["wrapper"] or options["hookwrapper"]:
        raise refuse("pluggy's wrappers cannot await", "Implement around_step or around_turn instead.")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise refuse("it is a generator", "Return the answer instead of yielding it.")
    wanted = inspect.iscoroutinefunction(spec)
    if inspect.iscoroutinefunction(function) != wanted:
        raise refuse(f"it is {'not ' if wanted else ''}async", f"Write `{_def(wanted)} {function.__name__}`.")
    _check_parameters(function, spec, refuse)


def _check_parameters(function: Function, spec: Function, refuse: Callable[[str, str], Misfit]) -> None:
    known = list(inspect.signature(spec).parameters)
    may = f"It may take: {', '.join(known)}."
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in _NEVER_PASSED:
            raise refuse(f"the parameter {parameter} is never passed", may)
        if parameter.default is not parameter.empty:
            raise refuse(f"{parameter.name} has a default, so it is never passed", "Take the default away.")
        if parameter.name not in known:
            near = get_close_matches(parameter.name, known, 1)
            raise refuse(f"there is no argument {parameter.name}", f"Did you mean {near[0]}? {may}" if near else may)


def check_spec(plugin: str, name: str, spec: Function) -> None:
    """Refuse a plugin's own specification that could not be dispatched: see ``carrier_core.step``."""

    def refuse(problem: str, remedy: str) -> Misfit:
        return Misfit(f"{plugin} specifies {name}: {problem}.", plugin=plugin, hook=name, remedy=remedy, at=spec)

    wanted = contract_of(spec).verb is not Verb.GATHER
    if inspect.iscoroutinefunction(spec) != wanted:
        raise refuse(f"a hook of this verb is {'' if wanted else 'not '}async", f"Write `{_def(wanted)} {name}`.")
    for parameter in inspect.signature(spec).parameters.values():
        if parameter.kind in _NEVER_PASSED or parameter.default is not parameter.empty:
            raise refuse(f"the parameter {parameter} cannot be passed", "Let it have plain parameters only.")
    try:
        accepts_of(spec)
    except Exception as error:
        problem = f"what it returns cannot be resolved ({type(error).__name__}: {error})"
        remedy = "Import the type where the module runs, not for type checkers alone."
        raise refuse(problem, remedy) from error


def check_thing(plugin: str, hook: str, sort: type, thing: object, registrar: Function) -> str:
    """Refuse a thing of another sort, without a name or another attribute it needs, or with methods of another kind.

    Returns its name.
    """
    what = sort.__name__.lower()

    def refuse(problem: str, remedy: str, at: object = registrar) -> Misfit:
        return Misfit(f"{plugin}, {hook}: {problem}.", plugin=plugin, hook=hook, remedy=remedy, at=at)

    if isinstance(thing, type) and issubclass(thing, sort):
        raise refuse(f"it returned the class {thing.__name__} itself", f"Return an instance: {thing.__name__}().")
    if not isinstance(thing, sort):
        raise refuse(
            f"it returned {type(thing).__name__}, expected {sort.__name__}", f"Subclass carrier_core.{sort.__name__}."
        )
    name = getattr(thing, "name", "")
    if not isinstance(name, str) or not name:
        raise refuse(f"the {what} has no name", "Set the class attribute `name`.", type(thing))
    for attribute in _attributes(sort):
        if not hasattr(thing, attribute):
            raise refuse(f"the {what} {name} has no {attribute}", f"Set the attribute `{attribute}`.", type(thing))
    _check_values(thing, name, lambda problem, remedy: refuse(problem, remedy, type(thing)))
    _check_methods(thing, sort, refuse)
    return name


def _attributes(sort: type) -> list[str]:
    """What the contract declares without giving it a value."""
    declared = (key for cls in sort.__mro__ for key in inspect.get_annotations(cls))
    return [key for key in dict.fromkeys(declared) if not key.startswith("_") and not hasattr(sort, key)]


def _check_values(thing: object, name: str, refuse: Callable[[str, str], Misfit]) -> None:
    """The few attributes of a wrong type that would not fail, but mean something else."""
    for key in ("clients", "kinds"):
        names = getattr(thing, key) if isinstance(thing, Thing) else None
        if names is not None and not isinstance(names, (frozenset, set, tuple, list)):
            raise refuse(f"`{key}` of {name} is {type(names).__name__}", f'Write {key} = frozenset({{"NAME"}}).')
    if isinstance(thing, Client) and name == _HOST:
        raise refuse(f"the name {name} is the host's own", "Give the client another name.")
    if isinstance(thing, Action):
        _check_action(thing, name, refuse)


def _check_action(action: Action, name: str, refuse: Callable[[str, str], Misfit]) -> None:
    """What policy judges by has to be what it looks like."""
    for key, kind in (("effect", Effect), ("role", Role)):
        value: object = getattr(action, key)
        if not isinstance(value, kind):
            values = ", ".join(f"{kind.__name__}.{each.name}" for each in kind if each is not kind("unknown"))
            raise refuse(f"`{key}` of {name} is {type(value).__name__}", f"Write one of {values}.")
    parameters: object = action.parameters
    if not (isinstance(parameters, Mapping) and parameters.get("type") == "object"):
        raise refuse(f"`parameters` of {name} is no JSON schema of type object", 'Write at least {"type": "object"}.')
    for key in ("similes", "examples", "origins", "destination"):
        words: object = getattr(action, key)
        is_words = isinstance(words, (tuple, list)) and all(isinstance(word, str) for word in words)
        if not is_words and not (words is None and key == "destination"):
            raise refuse(f"`{key}` of {name} is {type(words).__name__}", f'Write {key} = ("...",).')
    seconds: object = action.seconds
    if seconds is not None and not (isinstance(seconds, (int, float)) and seconds > 0):
        raise refuse(f"`seconds` of {name} is {seconds!r}", "Write a number above 0, or None for 60.")


def _check_methods(thing: object, sort: type, refuse: Callable[[str, str, object], Misfit]) -> None:
    """Each method that the contract has as ``async`` must be so in the thing, and take as many arguments."""
    for name, declared in inspect.getmembers(sort, inspect.isfunction):
        own = getattr(type(thing), name, None)
        if name.startswith("_") or own is None or own is declared:
            continue
        called = f"{type(thing).__name__}.{name}"
        if not callable(own):
            raise refuse(
                f"{called} is no method", f"Write `{_def(inspect.iscoroutinefunction(declared))} {name}`.", type(thing)
            )
        wanted = inspect.iscoroutinefunction(declared)
        if inspect.iscoroutinefunction(inspect.unwrap(own)) != wanted:
            raise refuse(f"{called} is {'not ' if wanted else ''}async", f"Write `{_def(wanted)} {name}`.", own)
        expected = list(inspect.signature(declared).parameters.values())[1:]
        if not _takes(getattr(thing, name), expected):
            arguments = ", ".join(parameter.name for parameter in expected) or "nothing"
            raise refuse(f"{called} does not take the arguments of the contract", f"Let it take: {arguments}.", own)


def _takes(bound: Function, expected: Iterable[inspect.Parameter]) -> bool:
    """Whether a method can be called as the contract's is: by position, and by name what is by name there."""
    by_position = [None for parameter in expected if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    by_name = {parameter.name: None for parameter in expected if parameter.kind is parameter.KEYWORD_ONLY}
    try:
        inspect.signature(bound).bind(*by_position, **by_name)
    except TypeError:
        return False
    except ValueError:  # no signature to look at
        return True
    return True


def _def(is_async: bool) -> str:
    return "async def" if is_async else "def"
