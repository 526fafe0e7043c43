"""Content-hashed parts: what was in a turn's prompts, each part stored once however many turns it appears in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from carrier_core.journal import StoredPart
from carrier_core.kept import Kept
from carrier_core.messages import Part
from carrier_core.outcomes import Composition, Line, TurnRecord
from carrier_core.prompts import Composed, Prompt, PromptMessage, State

_KEPT = 8192  # hashes that are remembered, so that a line of history is hashed and stored once, not in every turn
_encode = msgspec.json.Encoder().encode


class Ledger:
    """Knows the hashes of recent parts and which of them are in the store already."""

    def __init__(self) -> None:
        self._digest = lru_cache(_KEPT)(_digest_of)
        self._stored: Kept[str, bool] = Kept(_KEPT)

    def parts_of(self, prompts: Iterable[Prompt]) -> tuple[tuple[StoredPart, ...], tuple[str, ...]]:
        """The parts of prompts that are not stored yet, and the hashes of all of them in order."""
        new: dict[str, StoredPart] = {}
        digests: dict[str, None] = {}
        for prompt in prompts:
            for part in prompt.parts:
                digests[self._noted(part, new)] = None
        return tuple(new.values()), tuple(digests)

    def composition(self, composed: Composed, used: Iterable[str], new: dict[str, StoredPart]) -> Composition:
        """State and prompt as they are recorded; parts that are not stored yet are added to ``new``."""
        prompt = composed.prompt
        lines = tuple(
            [
                Line(
                    message.role,
                    tuple([self._noted(part, new) for part in message.parts]),
                    message.calls,
                    message.call,
                    message.carry,
                    message.failed,
                )
                for message in prompt.messages
            ]
        )
        state = tuple([self._noted(part, new) for part in composed.state.parts])
        return Composition(
            state,
            lines,
            prompt.tools,
            prompt.model,
            prompt.max_tokens,
            prompt.temperature,
            tuple(used),
            prompt.effort,
            prompt.schema,
        )

    def stored(self, parts: Iterable[StoredPart]) -> None:
        """Note that these are in the store."""
        for part in parts:
            self._stored[part.digest] = True

    def forget(self) -> None:
        """Rely on nothing being in the store: something was removed from it."""
        self._stored.clear()

    def _noted(self, part: Part, new: dict[str, StoredPart]) -> str:
        digest = self._digest(part)
        if not self._stored.get(digest):
            new[digest] = StoredPart(digest, part)
        return digest


def _digest_of(part: Part) -> str:
    return hashlib.blake2b(_encode(part), digest_size=16).hexdigest()


def digests_of(composition: Composition) -> tuple[str, ...]:
    """The hashes of all parts that a recorded composition names, each once."""
    named = dict.fromkeys(composition.state)
    for line in composition.messages:
        named.update(dict.fromkeys(line.parts))
    return tuple(named)


def composed_of(composition: Composition, parts: Mapping[str, Part]) -> Composed:
    """State and prompt of a record. KeyError for a part that is gone."""
    messages = tuple(
        PromptMessage(
            line.role, tuple(parts[each] for each in line.parts), line.calls, line.call, line.carry, line.failed
        )
        for line in composition.messages
    )
    prompt = Prompt(
        messages,
        composition.tools,
        composition.model,
        composition.max_tokens,
        composition.temperature,
        composition.effort,
        composition.schema,
    )
    return Composed(State(tuple(parts[each] for each in composition.state)), prompt)


# --- what a store has to know of records -----------------------------------------------------------------------------


class _Value(msgspec.Struct):
    """A recorded value, as far as it has to be known here."""

    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Parts(msgspec.Struct):
    parts: tuple[str, ...] = ()


class _Named(msgspec.Struct):
    """A composition of this release or of another, as far as it names parts."""

    state: tuple[str, ...] = ()
    messages: tuple[_Parts, ...] = ()


_value = msgspec.json.Decoder(_Value)
_named = msgspec.json.Decoder(_Named)


def parts_of(record: TurnRecord) -> set[str]:
    """The hashes of all parts that a turn names, in its record and in its steps: which of the stored ones it needs."""
    return {*record.parts}.union(*[parts_in(step.value) for step in record.steps])


def parts_in(value: msgspec.Raw) -> set[str]:
    """The hashes of the parts that the recorded value of a step names: that of the step ``compose`` does."""
    if b'"composition"' not in bytes(value):
        return set()
    recorded = _value.decode(value)
    if recorded.type != "composition":
        return set()
    composition = _named.decode(recorded.data)
    return {*composition.state}.union(*[line.parts for line in composition.messages])
