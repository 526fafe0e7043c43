"""The URL of a declared tool: fixed but for the places where arguments and secrets go, which cannot change where it leads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

import msgspec

from carrier_actions_web.urls import Target, read_url
from carrier_core import Json, Rejected

SECRET = "secret:"

_PARTS = re.compile(r"(?P<server>[^/?#]*//[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<fragment>#.*)?", re.DOTALL)
_HOLE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(rf"(?:{SECRET})?[A-Za-z_][A-Za-z0-9_-]*")
_DECODINGS = 4  # a server, and proxies before it, may decode more than once


class Template(msgspec.Struct, frozen=True):
    """A URL with holes: ``{city}`` for an argument, ``{secret:weather}`` for a secret, in its path and its query."""

    target: Target
    path: str
    query: str

    @property
    def names(self) -> tuple[str, ...]:
        """The arguments that it has holes for."""
        return tuple(name for name in holes(self.path + self.query) if not name.startswith(SECRET))

    @property
    def in_path(self) -> frozenset[str]:
        """Those of them that go into the path."""
        return frozenset(holes(self.path))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that it has holes for."""
        return tuple(name.removeprefix(SECRET) for name in holes(self.path + self.query) if name.startswith(SECRET))

    def filled(self, values: Mapping[str, str], more: tuple[tuple[str, str], ...] = ()) -> Target:
        """The URL with these values, each encoded so that it stays what it is: a part of a segment or of a value. ``more`` is
        added to the query. ValueError, which says why, where a value would lead elsewhere in the path."""
        for name in self.in_path:
            if not name.startswith(SECRET) and climbs(values[name]):
                raise ValueError(f"{name} would lead to another place of the service")
        path = fill(self.path, {name: quote(value, safe="") for name, value in values.items()})
        for segment, written in zip(path.split("/"), self.path.split("/"), strict=True):
            if (written and not segment) or climbs(segment):
                raise ValueError("the path would lead to another place of the service")
        query = fill(self.query, {name: quote(value, safe="") for name, value in values.items()})
        added = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in more)
        if added:
            query += ("&" if "?" in query and not query.endswith(("?", "&")) else "" if "?" in query else "?") + added
        return msgspec.structs.replace(self.target, rest=path + query)


def read_template(text: str) -> Template:
    """The template that is written as ``text``. ValueError, which says what is wrong with it."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError("it is no URL")
    if "{" in parts["server"] or "}" in parts["server"]:
        raise ValueError("a {place} may only be in its path and in its query: where it leads is fixed")
    if parts["fragment"]:
        raise ValueError("what follows # is not sent; leave it out")
    path, query = parts["path"] or "/", parts["query"] or ""
    for name in holes(path + query):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{{{name}}} names no argument")
    plain = _HOLE.sub("x", path + query)
    if "{" in plain or "}" in plain:
        raise ValueError("a brace is not closed, or not opened")
    if any(climbs(segment) for segment in _HOLE.sub("x", path).split("/")):
        raise ValueError("its path has a . or .. between slashes")
    try:
        return Template(msgspec.structs.replace(read_url(f"{parts['server']}{plain}"), rest="/"), path, query)
    except Rejected as error:
        raise ValueError(error.message.rstrip(".")) from None


def holes(text: str) -> tuple[str, ...]:
    """The names in braces, each once."""
    return tuple(dict.fromkeys(_HOLE.findall(text)))


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with values in its holes, at once: what a value has in braces is no hole."""
    return _HOLE.sub(lambda hole: values[hole[1]], text)


def climbs(value: str) -> bool:
    """Whether a value could be read as a way to another folder, by a server that decodes it as often as it likes."""
    for _ in range(_DECODINGS):
        if any(segment.partition(";")[0].strip() in (".", "..") for segment in re.split(r"[/\\]", value)):
            return True
        decoded = unquote(value)
        if decoded == value:
            return False
        value = decoded
    return True  # nobody encodes a plain value as often as that


def plain_text(value: Json) -> str:
    """A scalar as it stands in a URL, a header or a form. ValueError for what is no scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return msgspec.json.encode(value).decode()
    raise ValueError("it must be a text, a number, or true or false")
