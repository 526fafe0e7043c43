"""Write the generated parts of the documentation again: hooks, settings and options, read from the code itself.

    python docs/generate.py            write them
    python docs/generate.py --check    only say which are out of date; exit 1 if any is

What is generated stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; all else is written by hand.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from carrier_core import PluginSettings, Turn, journal, memory, specs, things
from carrier_core.cli import COMMANDS
from carrier_core.contract import Contract, Verb
from carrier_core.plugins import SORTS
from carrier_core.settings import Settings, section_of
from carrier_core.shape import Place

HERE = Path(__file__).parent
ROOT = HERE.parent

HEADING = re.compile(r"^# --- (.+?) -+$")
ROLE = re.compile(r":(?:class|func|mod|meth|attr|data):`~?([^`]+)`")


# --- Python's own docs as Markdown -------------------------------------------------------------------------------------


def markdown(docstring: str | None) -> str:
    """A docstring as Markdown: literals and roles as code, code blocks fenced."""
    text = inspect.cleandoc(docstring or "")
    text = ROLE.sub(lambda found: f"`{found[1].removeprefix('carrier_core.').rpartition('.')[2]}`", text)
    text = text.replace("``", "`")
    return re.sub(
        r"::\n\n((?:    .*\n?|\n)+)", lambda found: ":\n\n```python\n" + inspect.cleandoc(found[1]) + "\n```\n", text
    )


def signature(function: Callable[..., object], *, method: bool = False) -> str:
    """How a function is written, without its body; one argument a line where it would be too long."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef))
    word = "async def" if isinstance(definition, ast.AsyncFunctionDef) else "def"
    given = ast.unparse(definition.args)
    if method:
        given = given.removeprefix("self, ").removeprefix("self")
    answer = f" -> {ast.unparse(definition.returns)}" if definition.returns else ""
    return f"{word} {definition.name}({given}){answer}"


def sections(module: types.ModuleType) -> Iterator[tuple[str, list[str]]]:
    """The names that are defined under each ``# --- heading ---`` of a module."""
    source = inspect.getsource(module)
    headings = [(0, "")] + [
        (number, found[1]) for number, line in enumerate(source.splitlines(), 1) if (found := HEADING.match(line))
    ]
    named: dict[str, list[str]] = {heading: [] for _, heading in headings}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            heading = [heading for line, heading in headings if line < node.lineno][-1]
            named[heading].append(node.name)
    yield from ((heading, names) for heading, names in named.items() if names)


def contract(function: object) -> Contract | None:
    """What a hook or method promises."""
    found = getattr(function, "carrier_contract", None)
    return found if isinstance(found, Contract) else None


# --- hooks.md -------------------------------------------------------------------------------------------------------------


def hooks() -> str:
    """Every hook, in the order of the loop."""
    shown = []
    for heading, names in sections(specs):
        shown.append(f"## {heading[0].upper()}{heading[1:]}\n")
        shown += [_hook(name, getattr(specs, name)) for name in names if contract(getattr(specs, name))]
    return "\n".join(shown)


def _hook(name: str, spec: Callable[..., object]) -> str:
    promise = contract(spec)
    assert promise is not None
    words = [f"**{promise.verb}**"]
    if promise.verb is Verb.GATHER:
        words.append(f"of: `{SORTS[name].__name__}`")
    elif promise.verb is not Verb.OBSERVE:
        words.append(f"budget {promise.budget:g} s")
    if promise.effects:
        words.append("effects")
    return f"### {name}\n\n```python\n{signature(spec)}\n```\n\n{', '.join(words)}\n\n{markdown(spec.__doc__)}\n"


def methods() -> str:
    """What can be registered: each class of thing, and its methods with their budgets."""
    shown = []
    for module, wanted in ((things, ""), (memory, ""), (journal, "Journal")):
        for _, names in sections(module):
            classes = [getattr(module, name) for name in names if not wanted or name == wanted]
            shown += [_thing(cls) for cls in classes]
    return "\n".join(shown)


def _thing(cls: type) -> str:
    lines = [f"### {cls.__name__}\n", markdown(cls.__doc__) + "\n"]
    if cls.__annotations__ and not hasattr(cls, "__struct_fields__"):
        listed = [f"`{name}: {_annotation(cls, name)}`" for name in cls.__annotations__]
        lines.append(f"Attributes: {', '.join(listed)}.\n")
    for name, member in vars(cls).items():
        if not name.startswith("_") and not hasattr(cls, "__struct_fields__"):
            lines += _method(name, member)
    return "\n".join(lines)


def _method(name: str, member: object) -> list[str]:
    function = member.fget if isinstance(member, property) else member
    if not inspect.isfunction(function):
        return []
    promise = contract(function)
    words = [] if promise is None else [f"budget {promise.budget:g} s"] + (["effects"] if promise.effects else [])
    if getattr(function, "__isabstractmethod__", False):
        words.append("to be written")
    code = signature(function, method=True)
    if isinstance(member, property):
        code = f"{name}: {code.rpartition(' -> ')[2]}"
    told = f" ({', '.join(words)})" if words else ""
    return [f"- `{code}`{told}\n\n{textwrap.indent(markdown(function.__doc__), '  ')}\n"]


def _annotation(cls: type, name: str) -> str:
    found = cls.__annotations__[name]
    return found if isinstance(found, str) else getattr(found, "__name__", str(found))


def turn() -> str:
    """What hooks can ask of a turn: everything above the pipeline's own part of the class."""
    source = inspect.getsource(Turn)
    public = source.partition("# --- who and where ---")[2].partition("# --- what the pipeline uses ---")[0]
    names = re.findall(r"^    (?:async )?def (\w+)\(", public, flags=re.MULTILINE)
    return "\n".join(
        [markdown(Turn.__doc__) + "\n", *[line for name in names for line in _method(name, vars(Turn)[name])]]
    )


# --- configuration.md ---------------------------------------------------------------------------------------------------


class Owner(NamedTuple):
    """A plugin of this house and its settings class."""

    name: str
    settings: type[PluginSettings]


def plugins() -> list[Owner]:
    """The plugins in ``plugins/`` that have settings."""
    found = []
    for folder in sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml")):
        module = importlib.import_module(folder.name.replace("-", "_"))
        if hasattr(module, "Settings"):
            found.append(Owner(folder.name, module.Settings))
    return found


def core_settings() -> str:
    """The core's sections."""
    own = {"clients", "plugin"}  # they belong to plugins
    shown = []
    for name, field in Settings.model_fields.items():
        if name not in own:
            shown += _section(name, field.annotation)
    return "\n".join(shown)


def plugin_settings() -> str:
    """The sections of the plugins of this house."""
    shown = []
    for owner in plugins():
        heading = section_of(owner.name, owner.settings)
        shown += _tables(f"[{heading}]", owner.settings, f" ({owner.name})" if owner.name not in heading else "")
    return "\n".join(shown)


def _section(name: str, annotation: object) -> list[str]:
    """The tables of a section: of the class that it is, or of which its values or entries are; none of plain values."""
    arguments = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _tables(f"[{name}]", annotation)
    if get_origin(annotation) is Annotated:
        return _section(name, arguments[0])
    if get_origin(annotation) is tuple and (model := Place(arguments[0]).model):
        return _tables(f"[[{name}]]", model)
    if get_origin(annotation) is dict and (model := Place(arguments[1]).model):
        return _tables(f"[{name}.NAME]", model)
    return []


def _tables(name: str, model: type[BaseModel], beside: str = "") -> list[str]:
    told = _without_name(markdown(model.__doc__))
    lines = [f"### `{name}`{beside}\n", *([told + "\n"] if told else [])]
    lines += ["| Key | Value | Default | Meaning |", "|---|---|---|---|"]
    inner = []
    for key, field in model.model_fields.items():
        tables = _section(f"{name.strip('[]')}.{key}", field.annotation)
        inner += tables
        if tables and isinstance(field.annotation, type):
            continue
        cells = (f"`{key}`", _kind(field), _default(field), _meaning(field))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return [*lines, "", *inner]


def _without_name(text: str) -> str:
    """The description of a section without the name of the section in front, which is its heading."""
    shown = re.sub(r"^`\[{1,2}[^`]+\]{1,2}`[:.] ?", "", text)
    return shown[:1].upper() + shown[1:]


def _kind(field: FieldInfo) -> str:
    bounds = "".join(
        f" {sign} {limit:g}"
        for metadata in field.metadata
        for sign, attribute in ((">", "gt"), ("≥", "ge"), ("<", "lt"), ("≤", "le"))
        if (limit := getattr(metadata, attribute, None)) is not None
    )
    return _type(field.annotation) + bounds


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(each) for each in arguments if each is not types.NoneType)
    if origin is Literal:
        return ", ".join(f'"{each}"' for each in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return "table of tables" if Place(arguments[1]).model else f"table of {_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    words = {str: "text", int: "integer", float: "number", bool: "true, false", Path: "path", SecretStr: "secret"}
    return words.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = str(field.default) if isinstance(field.default, (StrEnum, Path)) else field.default
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False, default=str)}`"


def _meaning(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    names = extra.get("environment") if isinstance(extra, dict) else None
    told = " ".join((field.description or "").split())
    if not told:
        raise SystemExit("A setting has no description: give its Field one.")
    return told + (f" Environment: {', '.join(f'`{name}`' for name in names)}." if isinstance(names, list) else "")


# --- cli.md ------------------------------------------------------------------------------------------------------------------


def commands() -> str:
    """Each command with its arguments, from its own parser."""
    shown = []
    for name, what in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"carrierd {name}")
        importlib.import_module(f"carrier_core.cli.{name}").configure(parser)
        shown += [f"### carrierd {name}\n", f"{what[0].upper()}{what[1:]}.\n", *_arguments(parser)]
    return "\n".join(shown)


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    lines, below = ["| | |", "|---|---|"], list[str]()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            for name, inner in action.choices.items():
                below += [f"`{inner.prog.removeprefix('carrierd ')}`: {helps[name]}.\n", *_arguments(inner)]
        elif not isinstance(action, argparse._HelpAction):
            lines.append(f"| {_argument(action)} | {_help(parser, action)} |")
    return [*([*lines, ""] if len(lines) > 2 else []), *below]


def _argument(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else action.metavar or action.dest.upper()
    if action.option_strings:
        return ", ".join(f"`{option} {value}`".replace(" `", "`") for option in action.option_strings)
    return f"`{value}`"


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if action.dest == "person":
        return "who you are (default: your user name)"
    return parser._get_formatter()._expand_help(action).replace("|", "\\|")


# --- the files ------------------------------------------------------------------------------------------------------------------

BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "hooks.md": {"hooks": hooks, "turn": turn, "things": methods},
    "configuration.md": {"core": core_settings, "plugins": plugin_settings},
    "cli.md": {"commands": commands},
}


def filled(file: str) -> str:
    """A file as it should be."""
    text = (HERE / file).read_text(encoding="utf-8")
    for name, make in BLOCKS[file].items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"docs/{file} lacks the marks <!-- begin {name} --> and <!-- end {name} -->.")
        text = f"{before}{begin}\n{make().strip()}\n\n{end}{after}"
    return text


def main() -> int:
    """Write, or check."""
    late = [file for file in BLOCKS if (HERE / file).read_text(encoding="utf-8") != filled(file)]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"docs/{file} is out of date: run `make docs`." for file in late))
        return 1 if late else 0
    for file in late:
        (HERE / file).write_text(filled(file), encoding="utf-8")
        print(f"docs/{file} written.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
