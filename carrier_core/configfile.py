"""Finding and reading a configuration file: TOML, YAML or JSON, with the line of every key.

Character files are read by the same functions.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn, cast

import msgspec

from carrier_core.errors import ConfigError
from carrier_core.keylines import KeyLines, KeyPath, json_lines, toml_lines, yaml_lines

SUFFIXES = (".toml", ".yaml", ".yml", ".json")
"""The formats, by the end of the file's name; in a folder with several, the first of these is taken."""

SYSTEM_FOLDER = Path("/etc/carrier")

_TOML_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class Document(msgspec.Struct, frozen=True):
    """What a file says, as plain dicts, lists and values, and where.

    ``faults`` are those that leave the rest readable, such as a key that is written twice.
    """

    path: Path
    data: dict[str, object]
    lines: Mapping[KeyPath, int]
    faults: tuple[ConfigError, ...] = ()

    def line(self, path: KeyPath) -> int:
        """The line of the key at ``path``; where there is none, of the closest table around it."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def find_config(explicit: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The configuration file: ``--config``, ``$CARRIER_CONFIG``, ``config/carrier.*`` below ``cwd``, the user's
    configuration folder, ``/etc/carrier``, in this order; within a folder in the order of SUFFIXES.

    Raises ConfigError when a named file is not there, and when there is none at all (it says where it looked).
    """
    for name, source in ((explicit, "--config"), (environ.get("CARRIER_CONFIG"), "$CARRIER_CONFIG")):
        if name:
            return _named(cwd / name, source)
    folders = [cwd / "config", *_user_folders(environ), SYSTEM_FOLDER]
    for folder in folders:
        found = find_in(folder, "carrier")
        if found is not None:
            return found
    looked = ", ".join(str(folder / "carrier.*") for folder in folders)
    raise ConfigError(
        f"There is no configuration: neither --config nor $CARRIER_CONFIG names one, and none is at {looked}.",
        remedy=f"Name a file with --config, or write {folders[0] / 'carrier.toml'}.",
    )


def find_in(folder: Path, stem: str) -> Path | None:
    """The file ``stem.toml``, ``.yaml``, ``.yml`` or ``.json`` in ``folder``; None where there is none."""
    for suffix in SUFFIXES:
        path = folder / f"{stem}{suffix}"
        if path.exists():
            return path
    return None


def _named(path: Path, source: str) -> Path:
    if path.is_dir():
        inside = find_in(path, "carrier") or path / "carrier.toml"
        raise ConfigError(f"{path}, given by {source}, is a folder.", remedy=f"Name the file: {inside}.")
    if not path.exists() and not path.is_symlink():
        raise ConfigError(
            f"The configuration file {path}, given by {source}, does not exist.",
            remedy="Correct the path, or write the file.",
        )
    return path


def _user_folders(environ: Mapping[str, str]) -> list[Path]:
    named = environ.get("XDG_CONFIG_HOME", "")
    # The XDG base directory specification has relative paths ignored.
    if named and Path(named).is_absolute():
        return [Path(named) / "carrier"]
    home = environ.get("HOME")
    return [Path(home) / ".config" / "carrier"] if home else []


def read_document(path: Path) -> Document:
    """Read and parse ``path`` by its suffix. Raises ConfigError, with the line where there is one."""
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        raise ConfigError(
            f"The format of {path.name} is not known.",
            remedy="Let its name end in .toml, .yaml, .yml or .json.",
            file=str(path),
        )
    text = read_text(path)
    if not text.strip():
        raise ConfigError("The file is empty.", remedy="Write the settings into it.", file=str(path), line=1)
    try:
        data, found = parse(path, text)
    except RecursionError:
        raise ConfigError(
            "The file is nested too deeply to be read.", remedy="Flatten it.", file=str(path), line=1
        ) from None
    if data is None:  # only comments
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(
            "The file holds no table of keys and values.",
            remedy="Put sections with keys at its top.",
            file=str(path),
            line=1,
        )
    faults = [ConfigError(text, remedy=remedy, file=str(path), line=line) for line, text, remedy in found.faults]
    document = Document(path, _with_text_keys(data), found.lines)
    faults += _unusable(document, document.data, ())
    return msgspec.structs.replace(document, faults=tuple(faults))


def read_text(path: Path) -> str:
    """The text of a UTF-8 file. Raises ConfigError for whatever is not one."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder.", remedy="Name a file in it.", file=str(path))
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The file cannot be read: {error.strerror or error}.",
            remedy="Check that it is there and that the user Carrier runs as may read it.",
            file=str(path),
        ) from error
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(
            "The file begins with a byte-order mark.",
            remedy="Save it as UTF-8 without a byte-order mark (BOM).",
            file=str(path),
            line=1,
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            "The file is not UTF-8 text.",
            remedy="Save it as UTF-8.",
            file=str(path),
            line=raw.count(b"\n", 0, error.start) + 1,
        ) from None


def _toml(path: Path, text: str) -> tuple[object, KeyLines]:
    try:
        return tomllib.loads(text), toml_lines(text)
    except tomllib.TOMLDecodeError as error:
        at = _TOML_LINE.search(str(error))
        line = int(at[1]) if at and at[1] else text.rstrip().count("\n") + 1
        _syntax("TOML", path, line, _TOML_LINE.sub("", str(error)))
    except ValueError:
        _syntax("TOML", path, 1, _UNCONVERTED)


def _json(path: Path, text: str) -> tuple[object, KeyLines]:
    try:
        return json.loads(text), json_lines(text)
    except json.JSONDecodeError as error:
        _syntax("JSON", path, error.lineno, error.msg)
    except ValueError:
        _syntax("JSON", path, 1, _UNCONVERTED)


def _yaml(path: Path, text: str) -> tuple[object, KeyLines]:
    import yaml  # 28 ms of CPU that only a YAML file is worth

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        found = yaml_lines(node)  # before construction, which dissolves the merge keys
        if found.endless:
            _syntax("YAML", path, found.endless, "its aliases grow without end")
        return (None if node is None else loader.construct_document(node)), found
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _syntax("YAML", path, mark.line + 1 if mark else 1, error.problem or "it is not understood")
    except yaml.reader.ReaderError as error:
        _syntax("YAML", path, text.count("\n", 0, error.position) + 1, "a control character")
    except ValueError:
        _syntax("YAML", path, 1, _UNCONVERTED)


# What a date that is none or an endless number comes to. The parser's own words may repeat a secret.
_UNCONVERTED = "a date or number in it cannot be converted"

_PARSERS: dict[str, Callable[[Path, str], tuple[object, KeyLines]]] = {
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".json": _json,
}


def _syntax(language: str, path: Path, line: int, problem: str) -> NoReturn:
    problem = problem[:1].lower() + problem[1:]
    raise ConfigError(
        f"This is not {language}: {problem}.",
        remedy="Correct this line, or the one before it.",
        file=str(path),
        line=line,
    ) from None


def _with_text_keys(data: dict[object, object]) -> dict[str, object]:
    """The data without what YAML keeps under keys that are no text; each has its fault already."""

    def clean(value: object) -> object:
        if isinstance(value, dict):
            return {key: clean(part) for key, part in value.items() if isinstance(key, str)}
        return [clean(part) for part in value] if isinstance(value, list) else value

    return cast("dict[str, object]", clean(data))


def _unusable(document: Document, value: object, path: KeyPath) -> list[ConfigError]:
    """Faults of values that a format can express and a configuration cannot hold."""
    if isinstance(value, str) and not is_text(value):
        return [_fault(document, path, "Half of a surrogate pair is no character.", "Write the character itself.")]
    if isinstance(value, float) and not math.isfinite(value):
        return [_fault(document, path, f"{value} is no number to work with.", "Write a finite number.")]
    if isinstance(value, str) and "\0" in value:
        return [_fault(document, path, "A text holds the character NUL.", "Take it out.")]
    parts: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    faults = [fault for key, part in parts for fault in _unusable(document, part, (*path, key))]
    keys = [(*path, key) for key, _ in parts if isinstance(key, str) and not is_text(key)]
    return faults + [_fault(document, key, "A key holds half of a surrogate pair.", "Correct it.") for key in keys]


def _fault(document: Document, path: KeyPath, message: str, remedy: str) -> ConfigError:
    return ConfigError(message, remedy=remedy, file=str(document.path), line=document.line(path))


def path_below(folder: Path, name: str | Path) -> Path:
    """A path that a file names: absolute, in somebody's home (``~``), or seen from ``folder``."""
    try:
        return folder / Path(name).expanduser()
    except RuntimeError:  # nobody is called so: then it is the name of a file
        return folder / name


def is_file(path: Path) -> bool:
    """Whether there is a file, which of a name that no file can have is a no."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder, as ``is_file`` has it."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_text(text: str) -> bool:
    """Whether a text can be written as UTF-8, which half of a surrogate pair cannot."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
