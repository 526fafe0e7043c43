"""On which line a configuration file says what.

tomllib and json tell values without positions, so the keys are found once more, by a scanner that only has to be right
about files which those two have already accepted. YAML's nodes carry their own marks.

A key path is a tuple of keys and, inside lists, indices: ``("agents", "tifa", "plugins", 0)``. Lines count from 1.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    import yaml

KeyPath = tuple[str | int, ...]

# A triple-quoted string may end in up to two more quotes, which belong to it (TOML 1.0, "String").
_TOKEN = re.compile(
    r"""
    (?P<string>\"\"\"(?:\\.|[^\\])*?\"\"\""{0,2} | \'\'\'.*?\'\'\'\'{0,2} | "(?:\\.|[^"\\])*" | '[^']*')
    | (?P<comment>\#[^\n]*)
    | (?P<newline>\n)
    | (?P<mark>[\[\]{}=:,.])
    | (?P<bare>[^\s\[\]{}=:,.\#"']+)
    """,
    re.VERBOSE | re.DOTALL,
)


class KeyLines:
    """Where each key path is written.

    ``faults`` are (line, message, remedy) of keys that leave the rest readable. ``endless`` is the line where YAML's
    aliases make more of the file than can be read, 0 where they do not.
    """

    def __init__(self) -> None:
        self.lines: dict[KeyPath, int] = {(): 1}
        self.faults: list[tuple[int, str, str]] = []
        self.endless = 0

    def add(self, path: KeyPath, line: int) -> None:
        """Note a key of a table, which has it once only."""
        if path in self.lines:
            name = ".".join(str(key) for key in path)
            self.faults.append((line, f"The key `{name}` is written twice.", "Keep one of the two."))
        else:
            self.lines[path] = line


def toml_lines(text: str) -> KeyLines:
    """The lines of every key and list entry of a TOML document that tomllib has accepted."""
    scanner = _Scanner(text, toml=True)
    scanner.document()
    return scanner.found


def json_lines(text: str) -> KeyLines:
    """The lines of every key and list entry of a JSON document that json has accepted."""
    scanner = _Scanner(text, toml=False)
    scanner.value(())
    return scanner.found


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


class _Scanner:
    """Reads keys, skips values. JSON is scanned as TOML's inline tables are: only quotes differ, and dots."""

    def __init__(self, text: str, *, toml: bool) -> None:
        self._toml = toml
        self._tokens: list[_Token] = []
        self._next = 0
        self._entries: dict[KeyPath, int] = {}  # how many tables an array of tables has so far
        self.found = KeyLines()
        skipped = {"comment"} if toml else {"newline"}
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup not in skipped:
                self._tokens.append(_Token(str(match.lastgroup), match.group(), line))
            line += match.group().count("\n")

    def document(self) -> None:
        """The statements of a TOML document: headers, and pairs that belong to the last header."""
        table: KeyPath = ()
        while self._skip_newlines():
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def value(self, path: KeyPath) -> None:
        """One value, whose own keys or entries are noted under ``path``."""
        if self._peek() == "[":
            self._list(path)
        elif self._peek() == "{":
            self._take()
            while self._skip_newlines() and self._peek() != "}":
                self._pair(path)
                self._separator()
            self._take()
        else:
            while self._next < len(self._tokens) and self._peek() not in {"\n", ",", "]", "}"}:
                self._take()

    def _list(self, path: KeyPath) -> None:
        self._take()
        index = 0
        while self._skip_newlines() and self._peek() != "]":
            self.found.lines[*path, index] = self._tokens[self._next].line
            self.value((*path, index))
            self._separator()
            index += 1
        self._take()

    def _header(self) -> KeyPath:
        self._take()
        is_entry = self._peek() == "["
        if is_entry:
            self._take()
        keys, line = self._keys()
        while self._skip_marks("]"):
            pass
        path: KeyPath = ()
        for depth, key in enumerate(keys):
            path = (*path, key)
            self.found.lines.setdefault(path, line)
            is_last = depth == len(keys) - 1
            if is_entry and is_last:
                self._entries[path] = self._entries.get(path, 0) + 1
            if path in self._entries:
                path = (*path, self._entries[path] - 1)
                self.found.lines.setdefault(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        keys, line = self._keys()
        self._take()  # the = or the :
        path = table
        for key in keys[:-1]:
            path = (*path, key)
            self.found.lines.setdefault(path, line)
        path = (*path, keys[-1])
        self.found.add(path, line)
        self.value(path)

    def _keys(self) -> tuple[list[str], int]:
        first = self._take()
        keys = [self._unquoted(first)]
        while self._toml and self._skip_marks("."):
            keys.append(self._unquoted(self._take()))
        return keys, first.line

    def _unquoted(self, token: _Token) -> str:
        if token.kind != "string":
            return token.text
        if self._toml:
            return str(tomllib.loads("key = " + token.text)["key"])
        return str(json.loads(token.text))

    def _peek(self) -> str:
        return self._tokens[self._next].text if self._next < len(self._tokens) else ""

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _skip_marks(self, mark: str) -> bool:
        found = self._peek() == mark
        self._next += found
        return found

    def _separator(self) -> None:
        self._skip_newlines()
        self._skip_marks(",")

    def _skip_newlines(self) -> bool:
        """Whether anything follows the empty lines."""
        while self._peek() == "\n":
            self._next += 1
        return self._next < len(self._tokens)


def yaml_lines(root: yaml.Node | None) -> KeyLines:
    """The lines of every key and list entry below the node that yaml composed.

    Anchors are entered once: what an alias repeats has the line of the alias's own key.
    """
    found = KeyLines()
    if root is not None:
        _Nodes(found).walk(root, ())
    return found


class _Nodes:
    """Walks YAML's nodes; ``walk`` tells how many values a node stands for once its aliases are written out."""

    _MOST = 100_000

    def __init__(self, found: KeyLines) -> None:
        self._found = found
        self._sizes: dict[int, int] = {}
        self._above: set[int] = set()

    def walk(self, node: yaml.Node, path: KeyPath) -> int:
        import yaml  # it has made the node, so this costs nothing

        if id(node) in self._sizes:
            return self._sizes[id(node)]
        size = 1
        if id(node) in self._above:
            size += self._MOST  # it contains itself
        elif not isinstance(node, yaml.ScalarNode):
            self._above.add(id(node))
            walk = self._mapping if isinstance(node, yaml.MappingNode) else self._sequence
            size += walk(node, path)
            self._above.discard(id(node))
            self._sizes[id(node)] = size
        if size > self._MOST and not self._found.endless:
            self._found.endless = node.start_mark.line + 1
        return size

    def _sequence(self, node: yaml.Node, path: KeyPath) -> int:
        size = 0
        for index, entry in enumerate(cast("list[yaml.Node]", node.value)):
            self._found.lines.setdefault((*path, index), entry.start_mark.line + 1)
            size += self.walk(entry, (*path, index))
        return size

    def _mapping(self, node: yaml.Node, path: KeyPath) -> int:
        size, merged = 0, []
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            if key.tag == "tag:yaml.org,2002:merge":
                merged.append(value)
                continue
            name = self._key(key)
            self._found.add((*path, name), key.start_mark.line + 1)
            size += self.walk(value, (*path, name))
        for value in merged:  # last, because a key of the table's own wins
            inner = _Nodes(KeyLines())
            size += inner.walk(value, path)
            self._found.endless = self._found.endless or inner._found.endless
            for inherited, line in inner._found.lines.items():
                self._found.lines.setdefault(inherited, line)
        return size

    def _key(self, key: yaml.Node) -> str:
        name = str(key.value)
        if key.tag != "tag:yaml.org,2002:str":
            kind = key.tag.rpartition(":")[2]
            message = f"The key {name} is not text: YAML reads it as {kind}."
            self._found.faults.append((key.start_mark.line + 1, message, f'Put it into quotes: "{name}".'))
        return name
