"""The keys that a server is given, kept out of what comes back from it: it may repeat what it was sent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

import msgspec

from carrier_actions_mcp.schemas import clean
from carrier_core import Json

if TYPE_CHECKING:
    from carrier_actions_mcp.settings import ServerSettings

HIDDEN: Final = "********"
"""What stands where a key stood."""

SHORTEST: Final = 6
"""Characters of a value that is looked for; a shorter one occurs in any text."""

_SECRET = re.compile("KEY|TOKEN|SECRET|PASS|AUTH|CREDENTIAL", re.IGNORECASE)  # in names of variables
# What a schema says by these words is no text.
_MEANT = frozenset(("type", "required", "format", "$ref", "$schema", "$id", "$anchor"))


class Mask:
    """Hides values in texts, also as they are written in JSON and in URLs."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values if len(value) >= SHORTEST for form in _forms(clean(value))}
        self._forms = sorted(forms, key=len, reverse=True)  # one may be a part of another

    def __call__(self, text: str) -> str:
        """The text without them."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text

    def told(self, value: Json) -> Json:
        """What a server says of a tool without them. Names, and the words of schemas, stay: without them it would be another
        tool."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self.told(each) for each in value]
        if isinstance(value, dict):
            return {
                key: each if key in _MEANT and not isinstance(each, dict) else self.told(each)
                for key, each in value.items()
            }
        return value


def mask_of(settings: ServerSettings) -> Mask:
    """Hides what the server is given in `env` and `headers`, and the variables of `inherit` whose names say that they are keys."""
    return Mask(_given(settings))


def _given(settings: ServerSettings) -> Iterator[str]:
    for secret in (*settings.env.values(), *settings.headers.values()):
        yield secret.get_secret_value()
    for secret in settings.headers.values():  # `Bearer KEY`: the key alone is one too
        yield secret.get_secret_value().partition(" ")[2].strip()
    for name in settings.inherit:
        if _SECRET.search(name):
            yield os.environ.get(name, "")


def _forms(value: str) -> set[str]:
    in_json = msgspec.json.encode(value)[1:-1].decode()
    return {value, in_json, quote(value, safe=""), quote_plus(value)}
