"""``carrierd new``: the skeleton of a plugin, which passes its own conformance test as it is written."""

from __future__ import annotations

import argparse
import keyword
import os
import re
import shutil
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import NamedTuple

from carrier_core.cli import place
from carrier_core.errors import CarrierError, ConfigError

SKELETONS = Path(__file__).parent / "skeletons"

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST = 48  # characters of a name, so that lines with it stay within the length of a line


class Skeleton(NamedTuple):
    """A kind of plugin: what it is called in a sentence, the word for its class, what may precede its own name, and what
    it and its tests need besides the core and pytest."""

    what: str
    noun: str
    prefixes: tuple[str, ...]
    needs: str = ""
    tests: str = ""


KINDS = {
    "action": Skeleton("An action", "Action", ("action-", "actions-")),
    "client": Skeleton("A client", "Client", ("client-",), needs="anyio>=4.10,<5"),
    "context": Skeleton("Context", "Context", ("context-",)),
    "hook": Skeleton("Hooks", "Hook", ("hook-", "hooks-")),
    "memory": Skeleton("A store for journal and memory", "Store", ("memory-",), tests="hypothesis>=6"),
    "provider": Skeleton("A model provider", "Provider", ("provider-",)),
    "file": Skeleton("A plugin in one file", "File", ()),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", help="its name, such as carrier-weather")
    parser.add_argument(
        "--kind",
        default="action",
        metavar="KIND",
        choices=tuple(KINDS),
        type=lambda word: "action" if word == "actions" else word,
        help="what it brings: %(choices)s (default: %(default)s); file is one in the plugin folder",
    )
    parser.add_argument(
        "--into", metavar="DIR", help="where its folder is made (default: here; a file: in the plugin folder)"
    )
    place.add_config(parser)
    parser.set_defaults(act=act)


def act(args: argparse.Namespace) -> int:
    """Write it, and say what comes next."""
    name = _checked(args.name)
    if args.kind == "file":
        path = _plugin_folder(args) / f"{name}.py"
        _write(path, {path: _filled("file.py", _words(name, args.kind))})
        print(_after_file(path, name))
        return 0
    folder = Path(args.into or ".") / name
    _write(folder, _files(folder, _words(name, args.kind), args.kind))
    print(_after(folder, name, args.kind))
    return 0


# --- the name ----------------------------------------------------------------------------------------------------------


def _checked(name: str) -> str:
    """The name, if a distribution, a folder and a module can bear it. CarrierError (64) otherwise."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        better = re.sub(r"[\s_.-]+", "-", name.lower()).strip("-")[:_LONGEST].strip("-")
        raise _usage(
            f"{name!r} cannot be a plugin's name: it consists of lower-case letters, digits and single dashes, begins "
            f"with a letter, and has at most {_LONGEST} characters.",
            f"Write {better}." if _NAME.fullmatch(better) else "Write one such as carrier-weather.",
        )
    module = name.replace("-", "_")
    ours = module == "carrier" or module.startswith("carrier_core")
    if ours or keyword.iskeyword(module) or module in sys.stdlib_module_names or _is_taken(module, name):
        other = "carrier-weather" if name.startswith("carrier") else f"carrier-{name}"
        raise _usage(f"The name {module} is taken in Python.", f"Choose another one, such as {other}.")
    return name


def _is_taken(module: str, name: str) -> bool:
    """Whether the module belongs to somebody else; a plugin of this very name may be written again elsewhere."""
    if metadata.entry_points(group="carrier", name=name):
        return False
    found = find_spec(module)
    return found is not None and found.origin is not None


def _words(name: str, kind: str) -> dict[str, str]:
    """What is filled into the skeletons."""
    own = name.removeprefix("carrier-")
    for prefix in KINDS[kind].prefixes:
        own = own.removeprefix(prefix)
    own = own if own[0].isalpha() else name
    return {
        "name": name,
        "module": name.replace("-", "_"),
        "thing": own.replace("-", "_") + ("_" if keyword.iskeyword(own) else ""),
        "Class": "".join(word.capitalize() for word in own.split("-")) + KINDS[kind].noun,
        "summary": KINDS[kind].what,
        "dependencies": f', "{KINDS[kind].needs}"' if KINDS[kind].needs else "",
        "tests": f', "{KINDS[kind].tests}"' if KINDS[kind].tests else "",
    }


# --- the files ------------------------------------------------------------------------------------------------------------


def _files(folder: Path, words: dict[str, str], kind: str) -> dict[Path, str]:
    return {
        folder / "pyproject.toml": _filled("pyproject.toml", words),
        folder / "README.md": _filled("README.md", words),
        folder / f"{words['module']}.py": _filled(f"{kind}.py", words),
        folder / "tests" / "test_conformance.py": _filled(f"{kind}_test.py", words),
    }


def _filled(skeleton: str, words: dict[str, str]) -> str:
    return Template((SKELETONS / f"{skeleton}.txt").read_text(encoding="utf-8")).substitute(words)


def _write(whole: Path, files: dict[Path, str]) -> None:
    """Write the files; ``whole``, their folder or the only one, must not be there. Nothing is left of a failure."""
    if os.path.lexists(whole):
        raise _refusal(f"{whole} exists already.", "Choose another name, or another place: --into DIR.")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        if whole.is_dir():
            shutil.rmtree(whole, ignore_errors=True)
        elif whole.is_file():
            whole.unlink()
        raise _refusal(
            f"{whole} cannot be written: {error.strerror or error}.",
            "Choose a place that you can write to: --into DIR.",
        ) from error


def _plugin_folder(args: argparse.Namespace) -> Path:
    if args.into:
        return Path(args.into)
    try:
        return place.read_config(args).plugin_folder
    except ConfigError as error:
        raise _refusal(f"There is no plugin folder: {error}", "Or name a folder: --into DIR.") from error


# --- what is said -----------------------------------------------------------------------------------------------------------


def _after(folder: Path, name: str, kind: str) -> str:
    what = KINDS[kind].what
    return f"""{folder} is written: {what[0].lower()}{what[1:]} that works as it is.

Next, in the environment that carrierd runs in:
  pip install -e {folder}
  python -m pytest {folder}
Then add "{name}" to `enabled` of [plugins] in the configuration, and look:
  carrierd check
  carrierd plugins
The choice of a license is yours."""


def _after_file(path: Path, name: str) -> str:
    return f"""{path} is written. It is a plugin by being there, if that is the plugin folder of the configuration; look:
  carrierd plugins
To switch it off, add "{name}" to `disabled` of [plugins], or remove the file."""


def _usage(message: str, remedy: str) -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 64  # EX_USAGE
    return error


def _refusal(message: str, remedy: str) -> CarrierError:
    error = CarrierError(message, remedy=remedy)
    error.exit_code = 73  # EX_CANTCREAT
    return error
