"""The tape of a cassette: requests and what was answered to each, as a file that a person can read and review.

The file is JSON, indented, with bodies as text wherever they are text::

    {"cassette": 1, "exchanges": [{"request": {"method", "path", "body"}, "answer": {"status", "headers", "chunks", ...}}]}

No header of a request is kept, and of an answer only those that are known to tell nothing about whose it is. Whatever a request
was authorised with is taken out wherever else it appears, as are the values that the test names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote

import msgspec

from carrier_core import Json
from carrier_core.testing.wire import End, Exchange

VERSION = 1
SCRUBBED = "[scrubbed]"
"""What stands where a secret was."""

_KEPT = re.compile(
    r"(?i)content-(type|encoding)|date|retry-after(-ms)?|x-should-retry|.*-version|.*request-id|.*ratelimit.*"
)
_TELLING = re.compile(r"(?i).*(authoriz|cookie|key|token|secret|organi[sz]ation|project|account).*")
_WHOSE = re.compile(r"(?i).*(cookie|organi[sz]ation|project|account).*")
_IN_QUERIES = re.compile(
    r"(?i)(.*[-_])?(api)?(key|secret|password|signature|sig|credential)|(.*[-_])?(access|auth|security|session)[-_]?token|token"
)
_SHORTEST = 8  # characters of a credential: a shorter one is a placeholder, and a word that may stand anywhere


class Base64(msgspec.Struct, frozen=True):
    """Bytes that are no text."""

    base64: bytes


Content = str | Base64
"""Bytes as they stand in the file."""


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request: its ``body`` if that is JSON, else its ``content``."""

    method: str
    path: str
    body: Json = None
    content: Content = ""

    @property
    def canonical(self) -> str:
        """What it is recognised by: the same for two requests that say the same."""
        content = self.content if isinstance(self.content, str) else self.content.base64.hex()
        body = json.dumps(self.body, ensure_ascii=False, indent=2, sort_keys=True)
        return f"{self.method} {self.path}\n{content or body}"


class Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer. ``chunks`` are those of a body that came in chunks, ``body`` is one that did not.

    ``end`` says how it ended: ``clean``, ``cut`` off, or in silence (``hang``). ``rest`` is what was there of a chunk that
    never became whole; of the head, where that is: then there is no ``status``.
    """

    status: int = 0
    reason: str = ""
    headers: dict[str, str] = {}
    chunks: tuple[Content, ...] | None = None
    body: Content = ""
    rest: Content = ""
    end: End = "clean"


class Recorded(msgspec.Struct, frozen=True):
    """A request and its answer."""

    request: Asked
    answer: Answered


class Tape(msgspec.Struct, frozen=True):
    """All that is in the file; ``cassette`` is the version of its form."""

    cassette: int
    exchanges: tuple[Recorded, ...]


def read(path: Path) -> tuple[Recorded, ...]:
    """What was recorded, in order. ValueError, with the path, for a file that is none of ours."""
    try:
        tape = msgspec.json.decode(path.read_bytes(), type=Tape)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} is no cassette: {error}. Record it again.") from error
    if tape.cassette != VERSION:
        raise ValueError(
            f"{path} is a cassette of version {tape.cassette}; this is version {VERSION}. Record it again."
        )
    return tape.exchanges


def write(path: Path, exchanges: Iterable[Recorded]) -> None:
    """Write the file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    text = msgspec.json.format(msgspec.json.encode(Tape(VERSION, tuple(exchanges))), indent=1)
    draft.write_bytes(text + b"\n")
    draft.replace(path)


def told(content: bytes) -> Content:
    """Bytes as they stand in the file."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return Base64(content)


def bytes_of(content: Content) -> bytes:
    """The bytes that stand in the file."""
    return content.encode() if isinstance(content, str) else content.base64


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that may be kept."""
    return {name: value for name, value in headers.items() if _KEPT.fullmatch(name)}


def headers_of(head: str) -> dict[str, str]:
    """The headers of a request or an answer, by name, as they were written."""
    pairs = (line.partition(":") for line in head.split("\r\n")[1:])
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


# --- secrets -------------------------------------------------------------------------------------------------------------


class Scrub:
    """Takes values out of whatever is kept, in all the ways in which they may be written there."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = {value for value in values if value}

    def learn_request(self, head: str) -> None:
        """Take out what a request was authorised with, too, in its headers or in the query of its address."""
        self._learn(headers_of(head).items(), _TELLING)
        self._learn(parse_qsl(_target(head).partition("?")[2]), _IN_QUERIES)

    def learn_answer(self, head: str) -> None:
        """Take out whose the account is, too."""
        given = headers_of(head).items()
        self._learn([(name, value.partition(";")[0]) for name, value in given], _WHOSE)  # no attributes of a cookie

    def _learn(self, pairs: Iterable[tuple[str, str]], telling: re.Pattern[str]) -> None:
        words = re.split(r"[\s;,]+", " ".join(value for name, value in pairs if telling.fullmatch(name)))
        words += [word.partition("=")[2].strip('"') for word in words]  # of a cookie the value alone, too
        self._values.update(word for word in words if len(word) >= _SHORTEST)

    def text(self, text: str) -> str:
        """A text without them."""
        for value in self._longest_first():
            escaped = [json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (False, True)]
            for written in (value, *escaped, quote(value, safe="")):
                text = text.replace(written, SCRUBBED)
        return text

    def content(self, content: Content) -> Content:
        """A content without them."""
        if isinstance(content, str):
            return self.text(content)
        found = content.base64
        for value in self._longest_first():
            found = found.replace(value.encode(), SCRUBBED.encode())
        return told(found)

    def chunks(self, chunks: tuple[Content, ...]) -> tuple[Content, ...]:
        """Chunks without them; a value that lies in two makes one chunk of all."""
        cleaned = tuple(self.content(each) for each in chunks)
        whole = told(b"".join(bytes_of(each) for each in cleaned))
        without = self.content(whole)
        return cleaned if without == whole else (without,)

    def request(self, request: Asked) -> Asked:
        """A request without them."""
        path, content = self.text(request.path), self.content(request.content)
        return Asked(request.method, path, self._json(request.body), content)

    def _json(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self._json(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._json(each) for each in value]
        return SCRUBBED if str(value) in self._values else value  # a number

    def exchange(self, recorded: Recorded) -> Recorded:
        """A request and its answer without them."""
        given = recorded.answer
        answer = msgspec.structs.replace(
            given,
            headers={name: self.text(value) for name, value in given.headers.items()},
            chunks=None if given.chunks is None else self.chunks(given.chunks),
            body=self.content(given.body),
            rest=self.content(given.rest),
        )
        return Recorded(self.request(recorded.request), answer)

    def _longest_first(self) -> list[str]:
        """The values: one that contains another goes as a whole."""
        return sorted(self._values, key=len, reverse=True)


def _target(head: str) -> str:
    """The path of a request, with its query."""
    return head.partition(" ")[2].split(" ", 1)[0]


def asked_of(exchange: Exchange) -> Asked:
    """A request that came in."""
    method, path = exchange.head.partition(" ")[0], _target(exchange.head)
    try:
        return Asked(method, path, json.loads(exchange.content))
    except ValueError:
        return Asked(method, path, content=told(exchange.content))
