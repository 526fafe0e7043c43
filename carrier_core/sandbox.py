"""The sandbox of templates: Jinja2's own, made smaller, with everything that takes time or space counted.

A character file may come from anywhere, so its templates can neither reach into the program nor keep it busy. Jinja2 is
imported with the first template.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, cast

import msgspec

if TYPE_CHECKING:
    from jinja2 import Environment, nodes

MAX_OUTPUT = 1_000_000  # characters that one rendering may give: no context window is larger
MAX_RANGE = 10_000  # items of one range()
MAX_WORK = 5_000_000  # characters and items that one rendering may make or read: well under a second of CPU
_TURN_OF_LOOP = 100  # what one turn of a loop costs of MAX_WORK


class Refused(Exception):
    """What a template wants is not to be had; the message says why."""


@contextmanager
def bounded_work() -> Iterator[None]:
    """What is rendered, or compiled, within makes and reads at most MAX_WORK; ``Refused`` is raised beyond."""
    token = _work.set([MAX_WORK])
    try:
        yield
    finally:
        _work.reset(token)


def bounded_tree(tree: nodes.Template, environment: Environment) -> nodes.Template:
    """The same tree, with every loop and everything that makes text or lists counted against the limits.

    Macros, blocks and includes are refused: prompts do not need them, and their recursion cannot be counted.
    """
    from jinja2 import nodes
    from jinja2.exceptions import TemplateSyntaxError
    from jinja2.visitor import NodeTransformer

    allowed = (
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.With),
        *(
            nodes.Name,
            nodes.Const,
            nodes.List,
            nodes.Tuple,
            nodes.Dict,
            nodes.Pair,
            nodes.Keyword,
            nodes.CondExpr,
        ),
        *(nodes.Filter, nodes.Test, nodes.Call, nodes.Getitem, nodes.Getattr, nodes.Slice, nodes.Concat),
        *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
        *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
    )

    makes = (nodes.Concat, nodes.List, nodes.Dict, nodes.Tuple)

    def wrapped(node: nodes.Node, filter_name: str) -> nodes.Filter:
        return nodes.Filter(cast("nodes.Expr", node), filter_name, [], [], None, None, lineno=node.lineno)

    class Bounds(NodeTransformer):
        def generic_visit(self, node: nodes.Node, *args: object, **kwargs: object) -> nodes.Node:
            if not isinstance(node, allowed) or getattr(node, "recursive", False):
                what = "recursive loops" if isinstance(node, nodes.For) else f"`{type(node).__name__.lower()}`"
                raise TemplateSyntaxError(f"{what} cannot be used in Carrier's templates", node.lineno)
            super().generic_visit(node, *args, **kwargs)
            if isinstance(node, nodes.For):
                node.iter = wrapped(node.iter, _COUNTED)
                return node
            if isinstance(node, nodes.Tuple) and node.ctx != "load":  # the `key, item` of a loop
                return node
            return wrapped(node, _BOUNDED) if isinstance(node, nodes.Expr) and isinstance(node, makes) else node

    Bounds().visit(tree)
    tree.set_environment(environment)
    return tree


# -- what may be called, and what it costs ---

_COUNTED = "counted loop"  # with a blank in their names, no template can call these two filters
_BOUNDED = "bounded value"
_FILTERS = frozenset(
    "abs capitalize count d default dictsort first float int items last length list lower map max min reject "
    "rejectattr reverse select selectattr sort string title trim truncate unique upper wordcount".split()
)  # none that is random, gives code or HTML, or makes more than it is given
_METHODS = frozenset(
    "capitalize count cycle endswith find get index isdigit items keys lower lstrip rstrip split splitlines "
    "startswith strip title upper values".split()
)

_SIZED = (str, list, tuple, dict)

_work: ContextVar[list[int]] = ContextVar("carrier_template_work")


def _spend(amount: int) -> None:
    left = _work.get()
    left[0] -= amount
    if left[0] < 0:
        raise Refused("it makes or reads too much text, or loops too often")


def _weight(value: object, limit: int = MAX_OUTPUT) -> int:
    """About how many characters and items a value holds, stopping past the limit: lists can share their items."""
    if isinstance(value, str):
        return 1 + len(value)
    if not isinstance(value, _SIZED):
        return 1
    weight = 1
    for item in (*value, *value.values()) if isinstance(value, dict) else value:
        weight += 10 + _weight(item, limit - weight)
        if weight > limit:
            break
    return weight


def _bounded(value: object) -> object:
    weight = _weight(value)
    if weight > MAX_OUTPUT:
        raise Refused(f"a value in it is longer than {MAX_OUTPUT:,} characters")
    _spend(weight)
    return value


def _counting(function: Callable[..., object]) -> Callable[..., object]:
    """A filter that pays for what it reads and for what it gives."""

    @functools.wraps(function)
    def counted(*args: object, **kwargs: object) -> object:
        _spend(sum(len(given) for given in args if isinstance(given, _SIZED)))
        return _bounded(function(*args, **kwargs))

    return counted


def _join(value: object, d: str = "", attribute: str | None = None) -> str:
    items = [_field(item, attribute) for item in _items(value)]
    _spend(len(items) * len(str(d)) + sum(map(_weight, items)))
    return str(d).join(str(_text(item)) for item in items)


def _field(item: object, attribute: str | None) -> object:
    return sandbox().getattr(item, attribute) if attribute else item


def _items(value: object) -> list[object]:
    if isinstance(value, Iterable):
        return list(value)
    if value is None:
        return []
    raise Refused(f"a {type(value).__name__} has no items to go through")


def _replace(value: object, old: str, new: str) -> str:
    text = str(value)
    _spend(text.count(old) * len(new))
    return text.replace(old, new)


def _indent(value: object, width: int = 4, first: bool = False) -> str:
    margin = " " * min(int(width), 40)
    text = str(value).replace("\n", f"\n{margin}")
    return margin + text if first else text


def _tojson(value: object) -> str:
    """As JSON for a model to read; Jinja's own filter writes it for HTML."""
    return msgspec.json.encode(value).decode()


def _entries(value: object) -> list[tuple[object, object]]:
    """Key and item of whatever Handlebars' ``#each`` may get: a list, a mapping or nothing."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    return []


def _range(*bounds: int) -> range:
    if len(asked := range(*bounds)) > MAX_RANGE:
        raise Refused(f"range() gives at most {MAX_RANGE:,} items")
    return asked


def _text(value: object) -> object:
    """How a value stands in a prompt: None and functions as nothing, lists as people write them."""
    if value is None or callable(value):
        return ""
    if isinstance(value, (list, tuple)):
        return ", ".join(str(_text(item)) for item in value)
    return value


@functools.cache
def sandbox() -> Environment:
    """The one environment in which all templates are compiled and rendered, always within ``bounded_work``."""
    from jinja2 import ChainableUndefined, Undefined, pass_context
    from jinja2.exceptions import SecurityError
    from jinja2.runtime import Context, LoopContext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%"])

        def getattr(self, obj: object, attribute: str) -> object:
            if isinstance(obj, Mapping) and attribute in obj:  # Jinja would take the method `items` first
                return obj[attribute]
            return super().getattr(obj, attribute)

        def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
            if isinstance(value, Undefined):
                return True
            return super().is_safe_attribute(obj, attr, value) and (not callable(value) or attr in _METHODS)

        def unsafe_undefined(self, obj: object, attribute: str) -> Undefined:
            raise SecurityError(attribute)

        def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
            if not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
                if operator != "+":
                    raise Refused(f"`{operator}` is for numbers")
            elif max(abs(left), abs(right)) > 1e15:
                raise Refused("a number in it is too large")
            return _bounded(super().call_binop(context, operator, left, right))

        def call(self, context: Context, called: Callable[..., object], /, *args: object, **kwargs: object) -> object:
            owner = getattr(called, "__self__", None)
            plain = isinstance(owner, (*_SIZED, Mapping, LoopContext))
            safe = called is _range or (plain and getattr(called, "__name__", "") in _METHODS)
            if not safe and not isinstance(called, Undefined):
                raise SecurityError(str(type(called)))
            _spend(len(owner) if isinstance(owner, _SIZED) else 1)
            return _bounded(super().call(context, called, *args, **kwargs))

    @pass_context
    def counted(_context: Context, items: object) -> Iterator[object]:
        for item in _items(items):
            _spend(_TURN_OF_LOOP)
            yield item

    environment = Sandbox(
        undefined=ChainableUndefined, finalize=_text, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters = {**_filters(environment), _COUNTED: counted, _BOUNDED: _bounded}
    environment.globals = {"range": _range}
    return environment


def _filters(environment: Environment) -> dict[str, Callable[..., object]]:
    """What a template may filter with: some of Jinja's, and our own, which count what they do."""
    own: dict[str, Callable[..., object]] = {
        "join": _join,
        "replace": _replace,
        "indent": _indent,
        "tojson": _tojson,
        "entries": _entries,
    }
    kept = {name: _counting(environment.filters[name]) for name in _FILTERS}
    return {**kept, **{name: _counting(made) for name, made in own.items()}}
