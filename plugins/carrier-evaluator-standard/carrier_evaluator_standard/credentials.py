"""Credentials: what a key, a token or a password looks like, so that none is said in a room."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import log2

import msgspec


class Credential(msgspec.Struct, frozen=True):
    """A secret in a text. ``kind`` says what it is, in words; ``value`` is never to be logged or repeated."""

    kind: str
    value: str


# The formats as their issuers document them; each needs a body long enough that no ordinary word has it.
_FORMATS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\S]{20,}?(?:-----END|\Z)"),
        ("an Anthropic key", r"(?<![\w-])sk-ant-[A-Za-z0-9_-]{20,}"),
        ("an OpenAI key", r"(?<![\w-])sk-(?!ant-)(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}"),
        ("an AWS access key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
        ("a GitHub token", r"(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
        ("a GitLab token", r"(?<![\w-])glpat-[A-Za-z0-9_-]{20,}"),
        ("a Slack token", r"(?<![\w-])xox[abeoprs]-[A-Za-z0-9-]{10,}|(?<![\w-])xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{20,}"),
        ("a Google key", r"(?<![\w-])AIza[A-Za-z0-9_-]{35}(?![\w-])"),
        ("a Stripe key", r"(?<![\w-])(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"),
        ("a JSON web token", r"(?<![\w-])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}"),
        ("a Discord token", r"(?<![\w.-])[MNO][A-Za-z\d_-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-])"),
        ("a Hugging Face token", r"(?<![\w-])hf_[A-Za-z0-9]{30,}"),
        ("a password in an address", r"(?<=://)[^\s/:@]{1,64}:[^\s/:@]{6,64}(?=@[\w.-])"),
    )
)
_NAMED = re.compile(
    r"\b(?:pass(?:word|phrase|wd|code)|secret|token|api[ _-]?key|access[ _-]?key|private[ _-]?key|"
    r"credentials?|bearer|auth(?:orization)?)\b"
    r"[\"'`*_\s]{0,4}(?:is|was|are|:|=|=>|->)?[\"'`*_\s]{0,4}(?P<value>[A-Za-z0-9+/=_.~!@#$%^&*?-]{10,200})",
    re.I,
)
_MARKS = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_EXAMPLE = re.compile(
    r"example|sample|placeholder|your[_-]|xxxx|0000|1234567|abcdef|test_?key|dummy|\.\.\.|\*\*\*", re.I
)

_BITS = 3.0
"""Bits a sign that the body of a key has at least; words have about 4 over all, but a key of one letter 0."""
_BITS_NAMED = 3.3


def credentials(text: str) -> Iterator[Credential]:
    """Everything in the text that has the format of a key, and what looks drawn by lot beside a word such as "password"."""
    visible = _MARKS.sub("", text)
    for kind, pattern in _FORMATS:
        for found in pattern.finditer(visible):
            value = found.group()
            if kind == "a private key" or (entropy(value) >= _BITS and not _EXAMPLE.search(value)):
                yield Credential(kind, value)
    for found in _NAMED.finditer(visible):
        value = found["value"].rstrip(".,!?")
        if is_random(value):
            yield Credential("what looks like a password or key", value)


def is_random(value: str) -> bool:
    """Whether it looks drawn by lot: letters and digits mixed, and as many different ones as no word has."""
    if len(value) < 10 or _EXAMPLE.search(value):
        return False
    has_digit = any(sign.isdigit() for sign in value)
    has_letter = any(sign.isalpha() for sign in value)
    if not (has_digit and has_letter) or entropy(value) < _BITS_NAMED:
        return False
    changes = sum(_sort(one) != _sort(other) for one, other in pairwise(value))
    return changes >= len(value) / 4  # "release-2026-build" changes seldom, "x7Gq2Lp9" often


def entropy(value: str) -> float:
    """Bits a sign, by how often each sign stands in the text itself (Shannon)."""
    counts = Counter(value)
    return -sum(count / len(value) * log2(count / len(value)) for count in counts.values()) if value else 0.0


def _sort(sign: str) -> int:
    return 0 if sign.isdigit() else 1 if sign.isupper() else 2 if sign.islower() else 3
