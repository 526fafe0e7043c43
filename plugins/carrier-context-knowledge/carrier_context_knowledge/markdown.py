"""Markdown and plain text as blocks. What is marked within a line (emphasis, links) stays: a model reads it as it is."""

from __future__ import annotations

import re

from carrier_context_knowledge.blocks import Outline, Script, Shape

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]")
_COLUMN = re.compile(r"[ \t]*:?-+:?[ \t]*")
_TITLE = re.compile(r"title:[ \t]*(.+)", re.I)
_FRONT = 200  # lines in which front matter ends, if it is that
_FENCE_SHOWN = 40  # characters of what stands after a fence


def read_markdown(text: str) -> Script:
    """A Markdown document. The front matter gives its title; comments are left out."""
    lines = text.split("\n")
    title, lines = _without_front(lines)
    return _Markdown(_without_comments(lines)).script(title)


def read_plain(text: str) -> Script:
    """A plain text: its paragraphs."""
    outline = Outline()
    for paragraph in re.split(r"\n[ \t]*\n", text):
        outline.add(paragraph)
    return outline.script()


def _without_front(lines: list[str]) -> tuple[str, list[str]]:
    """The title that the front matter gives, and what comes after it."""
    if not lines or lines[0].rstrip() != "---":
        return "", lines
    for number, line in enumerate(lines[1:_FRONT], start=1):
        if line.rstrip() in ("---", "..."):
            titles = [found[1] for each in lines[1:number] if (found := _TITLE.match(each))]
            return (titles[0].strip().strip("\"'") if titles else ""), lines[number + 1 :]
        if not line.strip() or (":" not in line and not line.startswith((" ", "-", "#", "\t"))):
            break
    return "", lines


def _without_comments(lines: list[str]) -> list[str]:
    """The lines without HTML comments, which no reader of the page sees; those in code stay."""
    found: list[str] = []
    fence = ""
    opened = False
    last_close = max((number for number, line in enumerate(lines) if "-->" in line), default=-1)
    for number, line in enumerate(lines):
        if not opened and (mark := _FENCE.match(line)) and (not fence or _closes(line, fence)):
            fence = "" if fence else mark[1]
        if fence:
            found.append(line)
            continue
        kept = ""
        while line:
            if opened:
                _, end, line = line.partition("-->")
                opened = not end
                continue
            before, begin, after = line.partition("<!--")
            kept += before
            line = after
            if begin and last_close < number:  # it never ends: then it is none
                kept += begin
            elif begin:
                opened = True
        found.append(kept)
    return found


def _closes(line: str, fence: str) -> bool:
    rest = line.strip()
    return rest.startswith(fence) and not rest.strip(fence[0])


class _Markdown:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._outline = Outline()
        self._paragraph: list[str] = []

    def script(self, title: str) -> Script:
        """All of it."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            self._read(line)
        self._flush()
        return self._outline.script(title=title)

    def _read(self, line: str) -> None:
        if not line.strip():
            self._flush()
        elif fence := _FENCE.match(line):
            self._code(line, fence[1])
        elif heading := _HEADING.match(line):
            self._flush()
            self._outline.enter(len(heading[1]), _heading(line[heading.end() :]))
        elif len(self._paragraph) == 1 and (under := _UNDERLINE.match(line)):
            self._outline.enter(1 if under[1][0] == "=" else 2, self._paragraph.pop())
        elif _RULE.match(line):
            self._flush()
        elif _ITEM.match(line):
            self._list(line)
        elif "|" in line and self._at < len(self._lines) and _is_columns(self._lines[self._at]):
            self._table(line)
        else:
            self._paragraph.append(line)

    def _flush(self) -> None:
        self._outline.add("\n".join(self._paragraph))
        self._paragraph.clear()

    def _code(self, line: str, fence: str) -> None:
        self._flush()
        code = []
        while self._at < len(self._lines):
            following = self._lines[self._at]
            self._at += 1
            if _closes(following, fence):
                break
            code.append(following)
        opening = line.strip()
        if len(opening) > _FENCE_SHOWN or not any(line.strip() for line in code):  # no name of a language, but text
            self._outline.add(opening.strip(fence[0]))
            opening = fence
        self._outline.add("\n".join(code), Shape.CODE, head=opening, tail=fence)

    def _list(self, line: str) -> None:
        """A list: its items, what is indented below them, and the blank lines between them."""
        self._flush()
        found = [line]
        while self._at < len(self._lines):
            following = self._lines[self._at]
            if not following.strip():
                after = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
                if not (_ITEM.match(after) or after.startswith(("  ", "\t"))):
                    break
            elif _FENCE.match(following) or _HEADING.match(following) or _RULE.match(following):
                break
            found.append(following)
            self._at += 1
        self._outline.add("\n".join(found), Shape.LIST)

    def _table(self, line: str) -> None:
        self._flush()
        head = f"{line.strip()}\n{self._lines[self._at].strip()}"
        self._at += 1
        rows = []
        while self._at < len(self._lines) and "|" in self._lines[self._at]:
            rows.append(self._lines[self._at].strip())
            self._at += 1
        if rows:
            self._outline.add("\n".join(rows), Shape.TABLE, head=head)
        else:
            self._outline.add(head, Shape.TABLE)


def _heading(text: str) -> str:
    """A heading without the signs that may close it."""
    text = text.strip()
    bare = text.rstrip("#")
    return bare.rstrip() if not bare or bare[-1].isspace() else text


def _is_columns(line: str) -> bool:
    return "|" in line and all(_COLUMN.fullmatch(column) for column in line.strip().strip("|").split("|"))
