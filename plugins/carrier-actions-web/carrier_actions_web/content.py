"""What an answer's body is: its type, its alphabet, its text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

import msgspec

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXTS = frozenset(
    "application/json application/ld+json application/xml application/javascript application/yaml application/x-yaml "
    "application/toml application/rtf application/sql application/graphql application/x-ndjson application/markdown".split()
)
_MARKED = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
_DECLARED = re.compile(r"""charset\s*=\s*"?([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
_LOOKS_LIKE_HTML = re.compile(rb"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_HEAD = 1_024  # bytes in which an HTML document says its alphabet (HTML, 13.2.3.2)

_ALPHABETS = re.compile(
    r"ascii|utf-8|utf-16(?:-[lb]e)?|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|tis-620"
    r"|shift_jis\w*|euc_\w+|iso2022_\w+|gb2312|gbk|gb18030|big5\w*|hz"
)
"""Python's codecs that are alphabets of the web. Others, such as ``punycode``, are none, or take forever."""


class Type(msgspec.Struct, frozen=True):
    """What a body is, by its header. ``name`` is empty where nobody said."""

    name: str
    charset: str = ""

    @property
    def is_html(self) -> bool:
        """Whether it is a page."""
        return self.name in _HTML

    @property
    def is_text(self) -> bool:
        """Whether it can be read, as far as is known before it is seen."""
        name = self.name
        return (
            not name or name in _HTML or name in _TEXTS or name.startswith("text/") or name.endswith(("+json", "+xml"))
        )


def type_of(headers: Mapping[str, str]) -> Type:
    """What the headers say that the body is."""
    written = headers.get("content-type", "")
    charset = _DECLARED.search(written)
    return Type(written.partition(";")[0].strip().lower(), charset[1] if charset else "")


def is_page(kind: Type, body: bytes) -> bool:
    """Whether a body is HTML, where nobody says otherwise."""
    return kind.is_html or (not kind.name and _LOOKS_LIKE_HTML.match(body[:_HEAD]) is not None)


def decoded(kind: Type, body: bytes, *, cut: bool = False) -> str | None:
    """The text of a body, which may be ``cut`` within a character; whatever in it is no text is replaced. None where it is
    something else after all."""
    for mark, alphabet in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(alphabet, "replace")
    told = kind.charset
    if not told and is_page(kind, body) and (marked := _MARKED.search(body[:_HEAD])):
        told = marked[1].decode("ascii")
    alphabet = _alphabet(told)
    if b"\0" in body[:_HEAD] and not alphabet.startswith("utf-16"):
        return None
    if told and alphabet:
        return body.decode(alphabet, "replace")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        within_a_character = cut and error.start >= len(body) - 3
        return body.decode("utf-8" if within_a_character else "cp1252", "replace")


def _alphabet(told: str) -> str:
    """The codec of an alphabet that the web has; empty where it is none."""
    try:
        name = codecs.lookup(told).name if told else ""
    except LookupError:
        return ""
    if name in ("ascii", "iso8859-1"):
        return "cp1252"  # as all browsers read them (Encoding, 4.2)
    return name if _ALPHABETS.fullmatch(name) else ""
