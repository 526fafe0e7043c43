"""Templates: the texts of a character that say how a prompt is written.

They are Jinja2 in a sandbox that has been made smaller than Jinja's own: a character file may come from anywhere,
so its templates can neither reach into the program nor keep it busy. ElizaOS's templates work too: ``{{name}}``,
``{{{name}}}`` and its Handlebars blocks. Jinja2 is imported with the first template.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

import msgspec

from carrier_core.errors import CarrierError, ConfigError
from carrier_core.handlebars import from_handlebars, is_handlebars
from carrier_core.sandbox import MAX_OUTPUT, Refused, bounded_tree, bounded_work, sandbox

if TYPE_CHECKING:
    from jinja2 import Template, nodes

MAX_SOURCE = 100_000  # characters of a template: compiling takes about a second for so many
_UNREADABLE = "Correct that line under `templates` in the character's file."
_FAILED = f"{_UNREADABLE} Until then the standard text stands in."

WELL_KNOWN = ("system_template", "message_handler_template", "should_respond_template")
"""The templates that Carrier itself looks for; others are kept for the plugins that know them."""

SYSTEM_TEMPLATE = """\
You are {{ character.name }}{% if character.adjectives %}: {{ character.adjectives|join(", ") }}{% endif %}.
{% if character.system %}
{{ character.system }}
{% endif %}
Speak as {{ character.name }}, in the first person. Never claim to be human to somebody who sincerely asks.
{% if character.bio %}

# Who you are
{% for sentence in character.bio %}
- {{ sentence }}
{% endfor %}
{% endif %}
{% if character.lore %}

# What lies behind you
Let it colour what you say; bring it up only where it fits.
{% for sentence in character.lore %}
- {{ sentence }}
{% endfor %}
{% endif %}
{% if character.topics %}

# What you like to talk about
{{ character.topics|join(", ") }}
{% endif %}
{% if character.style.all or character.style.chat %}

# How you speak
{% for direction in character.style.all %}
- {{ direction }}
{% endfor %}
{% for direction in character.style.chat %}
- {{ direction }}
{% endfor %}
{% endif %}
{% if character.message_examples %}

# How you sound
These exchanges are invented, and so are the people in them. Take the tone from them, never the facts.
{% for exchange in character.message_examples %}

{% for line in exchange %}
{{ line.name }}: {{ line.text }}
{% endfor %}
{% endfor %}
{% endif %}
"""
"""The standard ``system_template``: the personality alone, so that it stays the same from message to message."""


class Rendered(msgspec.Struct, frozen=True):
    """The text of a template, and the names it asked for that nobody gave (they stand as nothing in the text).

    ``missing`` is sorted and goes one attribute deep: ``mood`` or ``character.mood``.
    """

    text: str
    missing: tuple[str, ...] = ()


class _Compiled(msgspec.Struct, frozen=True):
    template: Template
    names: tuple[str, ...]


def template_key(name: str) -> str:
    """The one spelling of a template's name: ``messageHandlerTemplate`` is ``message_handler_template``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def check_template(template: str, name: str) -> None:
    """Compile a template without rendering it; raises ``ConfigError`` as ``render`` does."""
    _compiled(template, name)


def render(template: str, values: Mapping[str, object], name: str = "template") -> Rendered:
    """Fill a template in; an unknown name becomes nothing, as in ElizaOS, and is listed in ``missing``.

    ``values`` should hold plain data: text, numbers, structs, lists, mappings. They are never taken for templates.
    Raises ``ConfigError`` when the template cannot be read and ``CarrierError`` when it cannot be rendered or wants
    more than the limits above; both name the template, its line and the remedy.
    """
    compiled = _compiled(template, name)
    chunks: list[str] = []
    size = 0
    try:
        with bounded_work():
            for chunk in compiled.template.root_render_func(compiled.template.new_context(dict(values))):
                size += len(chunk)
                if size > MAX_OUTPUT:
                    raise Refused(f"its text is longer than {MAX_OUTPUT:,} characters")
                chunks.append(chunk)
    except Exception as error:  # a template is somebody else's program: whatever it does wrong is said of it
        line = _line(compiled.template, error.__traceback__)
        raise CarrierError(
            f"Template {name}, line {line}: {_reason(error)}." if line else f"Template {name}: {_reason(error)}.",
            remedy=_FAILED,
        ) from error
    return Rendered("".join(chunks), _missing(compiled.names, values))


def _missing(names: tuple[str, ...], values: Mapping[str, object]) -> tuple[str, ...]:
    missing = []
    for name in names:
        root, _, attribute = name.partition(".")
        if root not in values:
            missing.append(root)
        elif attribute and not _has(values[root], attribute):
            missing.append(name)
    return tuple(dict.fromkeys(missing))


def _has(value: object, attribute: str) -> bool:
    return hasattr(value, attribute) or (isinstance(value, Mapping) and attribute in value)


def _line(template: Template, trace: TracebackType | None) -> int | None:
    """The line of the template that was being rendered when the error came up."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == template.filename:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line


def _reason(error: Exception) -> str:
    from jinja2.exceptions import SecurityError, UndefinedError

    if isinstance(error, SecurityError):
        return "it reaches for something that templates may not touch"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, (Refused, UndefinedError)):
        return str(error).rstrip(".")
    return f"{type(error).__name__}: {str(error)[:200].rstrip('.')}"


# -- compiling ---------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def _compiled(source: str, name: str) -> _Compiled:
    from jinja2 import Template, meta
    from jinja2.exceptions import TemplateSyntaxError

    if len(source) > MAX_SOURCE:
        _fail(name, None, f"it is longer than {MAX_SOURCE:,} characters")
    environment = sandbox()
    filename = f"<template {name}>"
    try:
        with bounded_work():  # Jinja works constants out while it compiles
            text = from_handlebars(source, name) if is_handlebars(source) else source
            tree = environment.parse(text, name, filename)
            unknown = meta.find_undeclared_variables(tree) - environment.globals.keys()
            names = {*unknown, *_attributes(tree, unknown)}
            code = environment.compile(bounded_tree(tree, environment), name, filename)
            template = Template.from_code(environment, code, environment.globals)
    except TemplateSyntaxError as error:
        _fail(name, error.lineno, str(error.message))
    except RecursionError:
        _fail(name, None, "it is nested too deeply")
    except (SyntaxError, MemoryError) as error:  # Python's own limits on nesting
        _fail(name, None, getattr(error, "msg", "it is nested too deeply"))
    return _Compiled(template, tuple(sorted(names)))


def _fail(name: str, line: int | None, reason: str) -> NoReturn:
    where = f"Template {name}, line {line}" if line else f"Template {name}"
    raise ConfigError(f"{where}: {reason.rstrip('.')}.", remedy=_UNREADABLE)


def _attributes(tree: nodes.Template, unknown: set[str]) -> Iterator[str]:
    from jinja2 import nodes

    for node in tree.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name in unknown:
            yield f"{node.node.name}.{node.attr}"
