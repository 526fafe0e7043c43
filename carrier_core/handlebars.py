"""Handlebars, as ElizaOS's templates are written in it, turned into Jinja2.

What is known of ElizaOS here was read from its source, 1.7.
"""

from __future__ import annotations

import re
from typing import NoReturn

from carrier_core.errors import ConfigError

_TAG = re.compile(  # no part runs past the next opening, so the search stays linear
    r"\{\{\{(?P<raw>[^{}]*)\}\}\}"
    r"|\{\{!--(?P<long>(?:(?!\{\{!--).)*?)--\}\}"
    r"|\{\{(?P<left>~?)(?P<body>[^{}]*?)(?P<right>~?)\}\}",
    re.DOTALL,
)
_MARK = re.compile(r"\{\{\{\s*[\w@.]|\{\{~?\s*(?:[#/^>!&~]|else\b)")
_PATH = re.compile(r"(?P<up>(?:\.\./)*)(?P<name>(?:@root\.|this\.)?[A-Za-z_]\w*(?:\.\w+)*|\.)")
_DEEPEST = 20  # blocks within blocks: Python's own limit for loops, which Jinja's become
_LOOP = {"@index": "loop.index0", "@first": "loop.first", "@last": "loop.last"}


def is_handlebars(template: str) -> bool:
    """Whether a template has something of Handlebars' that is not Jinja's: a third brace, a block, a comment."""
    return _MARK.search(template) is not None


def from_handlebars(template: str, name: str) -> str:
    """A Handlebars template as a Jinja2 one, line for line.

    Values, ``{{#if}}``, ``{{#unless}}``, ``{{#each}}`` with ``this``, ``@index``, ``@key``, ``@first``, ``@last`` and
    ``../``, ``{{else}}`` and comments are understood. Whatever else opens a block raises ConfigError with the
    template's name and the line.
    """
    return _Handlebars(template, name).run()


class _Handlebars:
    def __init__(self, template: str, name: str) -> None:
        self._template = template
        self._name = name
        self._open: list[tuple[str, int]] = []  # blocks and the lines they were opened on
        self._line = 1

    def run(self) -> str:
        out = []
        end = 0
        for tag in _TAG.finditer(self._template):
            out.append(self._template[end : tag.start()])
            self._line = self._template.count("\n", 0, tag.start()) + 1
            out.append(self._tag(tag))
            end = tag.end()
        out.append(self._template[end:])
        if self._open:
            block, self._line = self._open[-1]
            self._fail(f"`{{{{#{block}}}}}` is never closed")
        return "".join(out)

    def _tag(self, tag: re.Match[str]) -> str:
        if tag["long"] is not None:
            return self._comment(tag["long"])
        if tag["raw"] is not None:
            path = self._path(tag["raw"].strip())
            return f"{{{{ {path} }}}}" if path else tag.group()
        body = tag["body"].strip()
        if body.startswith("!"):
            return self._comment(body)
        left, right = tag["left"].replace("~", "-"), tag["right"].replace("~", "-")
        if body.startswith(("#", "/", "^", ">")) or re.match(r"else\b", body):
            return f"{{%{left} {self._block(body)} {right}%}}"
        path = self._path(body.removeprefix("&").strip())
        return f"{{{{{left} {path} {right}}}}}" if path else tag.group()

    def _comment(self, text: str) -> str:
        return f"{{#{text.replace('#}', '# }')}#}}"

    def _block(self, body: str) -> str:
        kind, _, rest = body.partition(" ")
        if len(self._open) > _DEEPEST:
            self._fail("it is nested too deeply")
        if kind in ("#if", "#unless"):
            self._open.append((kind[1:], self._line))
            return f"if not {self._operand(rest)}" if kind == "#unless" else f"if {self._operand(rest)}"
        if kind == "#each":
            items = self._operand(rest)
            self._open.append(("each", self._line))
            return f"for key{self._depth}, this{self._depth} in {items}|entries"
        if kind in ("/if", "/unless", "/each"):
            if not self._open or self._open.pop()[0].removesuffix("-else") != kind[1:]:
                self._fail(f"`{{{{{kind}}}}}` closes what is not open")
            return "endfor" if kind == "/each" else "endif"
        if body != "^" and kind != "else":
            self._fail(f"`{{{{{body[:40]}}}}}` is a part of Handlebars that Carrier does not know")
        return self._else(rest.strip())

    def _else(self, rest: str) -> str:
        if not self._open:
            self._fail("`{{else}}` stands outside of any block")
        block, line = self._open[-1]
        if rest.startswith("if ") and block == "if":
            return f"elif {self._operand(rest[3:])}"
        if rest:
            self._fail(f"`{{{{else {rest[:40]}}}}}` is a part of Handlebars that Carrier does not know")
        if block == "each":
            self._open[-1] = ("each-else", line)  # its items are out of scope here
        return "else"

    @property
    def _depth(self) -> int:
        return sum(block == "each" for block, _ in self._open)

    def _operand(self, text: str) -> str:
        path = self._path(text.strip())
        if path is None:
            self._fail(f"`{text.strip()[:40]}` is more than a name, which is all that Carrier understands there")
        return path

    def _path(self, text: str) -> str | None:
        """The Jinja expression for a path, which inside ``#each`` begins at the item; None when it is no path."""
        if self._depth and (text in _LOOP or text == "@key"):
            return _LOOP.get(text, f"key{self._depth}")
        found = _PATH.fullmatch(text.replace("this/", "this."))
        if found is None:
            return None
        name = found["name"]
        if name.startswith("@root."):
            return name.removeprefix("@root.")
        depth = self._depth - found["up"].count("../")
        item = f"this{depth}" if depth > 0 else ""
        if name in (".", "this"):
            return item or "this"
        return ".".join(part for part in (item, name.removeprefix("this.")) if part)

    def _fail(self, problem: str) -> NoReturn:
        raise ConfigError(
            f"Template {self._name}, line {self._line}: {problem}.",
            remedy="Write that part as Jinja2, or with #if and #each alone.",
        )
