"""URLs, read strictly: one that two programs could read in two ways is refused, so that what is checked is what is reached."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urljoin

import msgspec

from carrier_core import Rejected

LONGEST = 4_096
"""Characters of a URL that is taken."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_SHAPE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)(?:#.*)?", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{0,5}))?")
_NUMBER = re.compile(
    r"[0-9]+|0x[0-9a-f]*"
)  # a last label of this form makes browsers read the whole as an IPv4 address
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LONGEST_NAME = 253  # RFC 1035, without the last dot


class Target(msgspec.Struct, frozen=True):
    """Where a URL leads. ``host`` is a name in ASCII and lower case, or an address without brackets; ``rest`` is path and query
    as they were written."""

    scheme: str
    host: str
    port: int
    rest: str = "/"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What two URLs have in common that belong to the same server (RFC 6454)."""
        return self.scheme, self.host, self.port

    def is_near(self, other: Target) -> bool:
        """Whether this is the same host, but for a ``www.`` in front."""
        return self.host.removeprefix("www.") == other.host.removeprefix("www.")

    @property
    def place(self) -> str:
        """Host and port, for people: the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def page(self) -> str:
        """The URL without its query, in which there may be anything."""
        return f"{self.scheme}://{self.place}{self.rest.partition('?')[0]}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}{self.rest}"


def read_url(text: str) -> Target:
    """The target of a URL. Rejected, with the reason, where it is not plainly an ``http`` or ``https`` one."""
    text = text.strip(" \t\r\n")
    if len(text) > LONGEST:
        raise Rejected(f"The URL is longer than {LONGEST:,} characters.")
    if any(char <= " " or char in '\x7f\\<>"' or char.isspace() for char in text):
        raise _bad(text, "it contains a space, a backslash or another character that no URL has")
    found = _SHAPE.fullmatch(text)
    if found is None:
        known = _SCHEME.match(text)
        raise _bad(
            text,
            "it is not a whole URL, which begins with http:// or https://"
            if known is None or "//" in text
            else f"{known[0]} is not for the web",
        )
    scheme = found["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise _bad(text, f"only http and https are read, not {scheme}")
    if "@" in found["authority"]:
        raise Rejected("The URL has a name or a password before its host, which is not sent anywhere. Leave it out.")
    authority = _AUTHORITY.fullmatch(found["authority"])
    if authority is None:
        raise _bad(text, "its host or its port cannot be read")
    port = int(authority["port"]) if authority["port"] else DEFAULT_PORTS[scheme]
    if not 0 < port < 65_536:
        raise _bad(text, "there is no such port")
    rest = found["rest"] if found["rest"].startswith("/") else f"/{found['rest']}"
    return Target(scheme, read_host(authority["host"]), port, rest)


def follow(base: Target, location: str) -> Target:
    """Where a redirect leads. Rejected as in :func:`read_url`, and where it gives up encryption."""
    if "\\" in location:
        raise _bad(location, "it contains a backslash")
    location = location.strip(" \t")
    try:  # one that begins with a scheme is whole, or wrong: joined, it would be what other programs may not read it as
        target = read_url(location if _SCHEME.match(location) else urljoin(str(base), location))
    except ValueError:
        raise _bad(location, "it is no URL") from None
    if base.scheme == "https" and target.scheme == "http":
        raise Rejected(f"{base.place} redirects to {target.place} without encryption, which is not followed.")
    return target


def read_host(text: str) -> str:
    """A host as it is looked up: an address in its one form, or a name in ASCII. Rejected for whatever else.

    Addresses in other forms (one number, octal, hexadecimal, fewer dots) are refused: programs disagree about them.
    """
    if text.startswith("["):
        return _bracketed(text)
    if "%" in text:
        raise _bad(text, "its host has percent signs")
    name = _ascii(text).removesuffix(".")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(name))
        except ValueError:
            raise _bad(text, "its host is a number, but not an address in its usual form") from None
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad(text, "its host is no name that a host can have")
    return name


def _bracketed(text: str) -> str:
    if "%" in text:
        raise _bad(text, "its address has a zone")
    try:
        return str(IPv6Address(text[1:-1]))
    except ValueError:
        raise _bad(text, "what is in brackets is no IPv6 address") from None


def _ascii(name: str) -> str:
    """The name as DNS has it. Other scripts are mapped as browsers do it (UTS 46), digits and dots of any script included."""
    if name.isascii():
        return name.lower()
    import idna

    try:
        return idna.encode(name, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise _bad(name, "its host is no name that a host can have") from None


def _bad(text: str, why: str) -> Rejected:
    shown = "".join(char if char.isprintable() else "�" for char in text)
    shown = shown if len(shown) <= 80 else f"{shown[:79]}…"
    return Rejected(f'"{shown}" cannot be opened: {why}.')
