"""Content-hashed parts: what was in a turn's prompts, each part stored once however many turns it appears in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from carrier_core.journal import StoredPart
from carrier_core.messages import Part

if TYPE_CHECKING:
    from carrier_core.turn import Turn

_KEPT = 8192  # hashes that are remembered, so that a line of history is hashed and stored once, not in every turn
_encoder = msgspec.json.Encoder()


class Ledger:
    """Knows the hashes of recent parts and which of them are in the store already."""

    def __init__(self) -> None:
        self._digests: dict[Part, str] = {}
        self._stored: set[str] = set()

    def parts_of(self, turn: Turn) -> tuple[tuple[StoredPart, ...], tuple[str, ...]]:
        """The parts of a turn's prompts that are not stored yet, and the hashes of all of them in order."""
        new: dict[str, StoredPart] = {}
        digests: dict[str, None] = {}
        for prompt in turn.prompts:
            for part in prompt.parts:
                digest = self._digest(part)
                digests[digest] = None
                if digest not in self._stored:
                    new[digest] = StoredPart(digest, part)
        return tuple(new.values()), tuple(digests)

    def stored(self, parts: tuple[StoredPart, ...]) -> None:
        """Note that these are in the store."""
        if len(self._stored) > _KEPT:
            self._stored.clear()
        self._stored.update(part.digest for part in parts)

    def _digest(self, part: Part) -> str:
        found = self._digests.get(part)
        if found is None:
            if len(self._digests) > _KEPT:
                self._digests.clear()
            found = hashlib.blake2b(_encoder.encode(part), digest_size=16).hexdigest()
            self._digests[part] = found
        return found
