"""Links: addresses in a text, and whether one carries away something that was not to leave the room.

Whoever opens a link, or only sees a picture, tells its host the whole address. So an address may hold nothing of what the
agent was shown in confidence. An address that somebody wrote out is what it is; one that was put together is looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote_plus, urlsplit

import msgspec

from carrier_evaluator_standard.credentials import entropy


class Link(msgspec.Struct, frozen=True):
    """An address in a text; ``image`` where it is loaded without anybody opening it."""

    url: str
    image: bool = False

    @property
    def host(self) -> str:
        """Its host in lower case; empty where it has none."""
        try:
            return (urlsplit(self.full).hostname or "").rstrip(".")
        except ValueError:
            return ""

    @property
    def full(self) -> str:
        """With a scheme, where it was written without one."""
        return self.url if ":" in self.url.split("/")[0] else f"https://{self.url.lstrip('/')}"

    @property
    def said(self) -> tuple[str, ...]:
        """What it says besides its host: user, path, query and fragment, piece by piece, decoded."""
        try:
            parts = urlsplit(self.full)
        except ValueError:
            return (self.url,)
        user = parts.netloc.rpartition("@")[0]
        pieces = [user, *parts.path.split("/"), *re.split(r"[&;=]", parts.query), *re.split(r"[&;=/]", parts.fragment)]
        return tuple(decoded for piece in pieces if (decoded := decode(piece)))


_IMAGE = re.compile(r"!\[[^\]]{0,300}\]\(\s*<?([^)\s>]+)|<img\b[^<>]{0,500}?\bsrc\s*=\s*[\"']?([^\"'\s>]+)", re.I)
_IMAGE_BY_NAME = re.compile(r"!\[([^\]]{0,300})\](?:\[([^\]]{0,300})\])?(?!\()")
_NAMED = re.compile(r"^\s{0,3}\[([^\]]{1,300})\]:\s*<?(\S+?)>?(?:\s|$)", re.M)
_LINK = re.compile(r"(?<!!)\[[^\]]{0,300}\]\(\s*<?([^)\s>]+)|<a\b[^<>]{0,500}?\bhref\s*=\s*[\"']?([^\"'\s>]+)", re.I)
_BARE = re.compile(r"(?:(?:https?|ftps?|wss?)://|\bwww\.|(?<=[\s(<])//(?=[\w-]+\.))[^\s<>\"'`\])}|]+", re.I)
_WITHOUT_SCHEME = re.compile(r"(?<![\w@/.:-])(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}[/?][^\s<>\"'`\])}|]+", re.I)
_BLOB_SCHEME = re.compile(r"(?:data|javascript|vbscript):", re.I)
_END = ".,;:!?*_~…"

_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){16,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")

LONG = 200
"""Characters of one piece of an address, beyond which it is a message and not an address."""
ENCODED = 16
"""Percent signs in one address beyond which it is a text (three of them are one sign of most scripts' words)."""
_BITS = 4.0  # bits a sign of what is encoded; a slug of words has fewer, and no capitals among them


def links(text: str) -> Iterator[Link]:
    """All links and pictures of a text: Markdown, HTML and bare addresses, each once."""
    named = {key.casefold(): url for key, url in _NAMED.findall(text)}
    images = [one or other for one, other in _IMAGE.findall(text)]
    for words, key in _IMAGE_BY_NAME.findall(text):
        if (key or words).casefold() in named:
            images.append(named[(key or words).casefold()])
    others = [one or other for one, other in _LINK.findall(text)] + list(named.values())
    others += [found.rstrip(_END) for found in (*_BARE.findall(text), *_WITHOUT_SCHEME.findall(text))]
    seen = set()
    for url, image in (*((url, True) for url in images), *((url, False) for url in others)):
        address = url.strip().rstrip(_END)
        if address and address not in seen and not address.startswith(("#", "mailto:")):
            seen.add(address)
            yield Link(address, image)


def decode(piece: str) -> str:
    """A piece of an address as it reads: percent signs taken out, more than once where they were put in more than once."""
    for _ in range(3):
        again = unquote_plus(piece)
        if again == piece:
            break
        piece = again
    return piece


def blob(link: Link) -> str:
    """What of the address is encoded so that nobody can read it, in words; empty where nothing is."""
    if _BLOB_SCHEME.match(link.url):
        return "is no address but content"
    if len(_PERCENT.findall(link.url)) > ENCODED:
        return "has an encoded text in it"
    labels = link.host.split(".")[:-2]
    for piece in (*link.said, *labels):
        if len(piece) > LONG:
            return "has a long text in it"
        if _HEX.search(piece) or any(_is_base64(found) for found in _BASE64.findall(piece)):
            return "has encoded data in it"
    return "has data in its host" if sum(map(len, labels)) > 60 else ""


def _is_base64(text: str) -> bool:
    """Whether it is encoded rather than words: it reads as text when decoded, or its signs are as good as drawn by lot."""
    if decoded(text):
        return True
    mixed = any(sign.isupper() for sign in text) and any(sign.islower() for sign in text)
    return mixed and any(sign.isdigit() for sign in text) and entropy(text) >= _BITS


def decoded(text: str) -> str:
    """The text that stands encoded in base64 or hex; empty where none does."""
    bare = text.rstrip("=")
    attempts: list[bytes] = []
    try:
        if re.fullmatch(r"(?:[0-9a-fA-F]{2}){6,}", text):
            attempts.append(bytes.fromhex(text))
        if re.fullmatch(r"[A-Za-z0-9+/_-]{8,}", bare) and len(bare) % 4 != 1:
            standard = bare.replace("-", "+").replace("_", "/")
            attempts.append(base64.b64decode(standard + "=" * (-len(bare) % 4)))
    except (ValueError, binascii.Error):
        return ""
    for raw in attempts:
        try:
            read = raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if read.isprintable() and read.isascii() and (" " in read or read.isalnum()) and len(read) >= 6:
            return read
    return ""
