"""Words: whether a person said something themselves. What a model wrote is compared with what stands in their message.

A value counts as said where it stands in a text as a whole, between spaces, quotation marks or the like: somebody who wrote
``bob@example.com.au`` did not write ``bob@example.com``. Case and spacing do not count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

from carrier_core.prompts import Json

_JOINING = frozenset("@_-/\\%#&=+~$|^*")
"""What makes one word of what stands before and behind it: parts of addresses, paths and names."""

_SOMETIMES = frozenset(".:,'’?!")
"""What does so only where a word goes on behind it: the full stop in ``example.com`` and the one at the end of a sentence."""

_ENDS = " \t\n\"'“”‘’«».!?…"
_LEAVES = 200  # texts and numbers of a value that are looked for
_TRIES = 1000  # places where a text stands within others that are looked at
_UNSPACED = 0x2E80  # from here on scripts are written without spaces, so that a word has no end that could be seen
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"(?<![\w.,@%#&=+~/-])[$€£¥]?(-?\d[\d,]*(?:\.\d+)?)(?![\w@%#&=+~/-]|[.,]\d)")


def plain(text: str) -> str:
    """A text as it is compared: without a difference of case and spacing."""
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


_SHOWN = 80  # characters of a name from outside that a person is shown
_ODD = frozenset(" \"'“”‘’()[]{},;")


def visible(text: str) -> str:
    """A text in which what has no shape of its own, or changes that of others, is written as its number. It has one line."""
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def shown(name: str) -> str:
    """A name that others chose, as it may stand in a sentence of the host's: short, on one line, and within quotation marks if
    it could be taken for more of the sentence."""
    text = visible(name[: _SHOWN + 1])
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return '"' + text.replace('"', "'") + '"' if _ODD & frozenset(text) else text


class Words:
    """What one person said, in several texts. They are looked at when something is asked of them, which most calls do not."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(texts)
        self._plain: tuple[str, ...] | None = None
        self._numbers: frozenset[str] | None = None

    @property
    def _texts(self) -> tuple[str, ...]:
        if self._plain is None:
            self._plain = tuple([plain(text) for text in self.texts])
        return self._plain

    def have(self, value: Json) -> bool:
        """Whether a value was said: all texts and numbers in it, however deep. What cannot be said (true, null, nothing at all)
        was not, nor was more than anybody says."""
        leaves = list(islice(leaves_of(value), _LEAVES + 1))
        return 0 < len(leaves) <= _LEAVES and all(leaf is not None and self._has(leaf) for leaf in leaves)

    def _has(self, value: str | float) -> bool:
        if not isinstance(value, str):
            return value in {float(each) for each in self._numbered()}
        wanted = plain(value).strip(_ENDS)
        bare = wanted.removeprefix("https://").removesuffix("/")  # people leave it out: example.org/menu
        forms = (wanted, bare) if "." in bare else (wanted,)
        if wanted and any(_stands_in(form, text) for text in self._texts for form in forms):
            return True
        return wanted.replace(",", "") in self._numbered()  # "500" where somebody wrote $500

    def _numbered(self) -> frozenset[str]:
        """The numbers that were said, without the signs of currencies and between thousands."""
        if self._numbers is None:
            found = (each for text in self._texts for each in _NUMBER.findall(text))
            self._numbers = frozenset(each.replace(",", "") for each in found)
        return self._numbers


def leaves_of(value: Json) -> Iterator[str | float | None]:
    """The texts and numbers of a value; None for what no words can stand for. An empty list has nothing."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left += each.values()
        elif isinstance(each, list):
            left += each
        elif isinstance(each, str):
            yield each
        elif isinstance(each, bool) or each is None:
            yield None
        else:
            yield each


def words_of(name: str) -> tuple[str, ...]:
    """The words of an action's name: ``send``, ``message`` of ``SEND_MESSAGE``, ``sendMessage`` and ``send-message``."""
    spaced = name if name.isupper() else _CAPITAL.sub(" ", name)
    return tuple(_WORD.findall(spaced.casefold()))


def _stands_in(wanted: str, text: str) -> bool:
    start = text.find(wanted)
    for _ in range(_TRIES):
        if start < 0:
            return False
        end = start + len(wanted)
        if not _joined(text, start, -1) and not _joined(text, end - 1, 1):
            return True
        start = text.find(wanted, start + 1)
    return False


def _joined(text: str, at: int, step: int) -> bool:
    """Whether what stands at a place goes on beside it, so that it is a part of something longer."""
    beside = at + step
    if not 0 <= beside < len(text):
        return False
    own, other = text[at], text[beside]
    if other in _JOINING or unicodedata.combining(other):
        return True
    if other in _SOMETIMES:
        further = beside + step
        if not 0 <= further < len(text) or text[further].isspace():
            return False
        if other in "'’" and text[further] == "s":  # Bob's
            return 0 <= further + step < len(text) and text[further + step].isalnum()
        return text[further].isalnum() or text[further] in _JOINING
    if not other.isalnum():
        return False
    if own in _JOINING:
        return True
    return own.isalnum() and ord(own) < _UNSPACED and ord(other) < _UNSPACED
