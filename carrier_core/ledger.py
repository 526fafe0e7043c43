"""Content-hashed parts: what was in a turn's prompts, each part stored once however many turns it appears in.

The tools that a model was offered are a part too: they are the same in every turn.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice

import msgspec

from carrier_core.contract import CORE
from carrier_core.journal import StoredPart
from carrier_core.kept import Kept
from carrier_core.messages import Part
from carrier_core.outcomes import Composition, Line, Outline, Passage, TurnRecord
from carrier_core.prompts import Completion, Composed, Prompt, PromptMessage, State, Tool
from carrier_core.provenance import OPERATOR, Provenance

_KEPT = 8192  # hashes that are remembered, so that a line of history is hashed and stored once, not in every turn
_encode = msgspec.json.Encoder().encode


class Ledger:
    """Knows the hashes of recent parts and which of them are in the store already."""

    def __init__(self) -> None:
        self._digest = lru_cache(_KEPT)(_digest_of)
        self._stored: Kept[str, bool] = Kept(_KEPT)

    def parts_of(self, prompts: Sequence[Prompt]) -> tuple[tuple[StoredPart, ...], tuple[str, ...]]:
        """The parts of prompts that are not stored yet, and the hashes of all of them in order."""
        new: dict[str, StoredPart] = {}
        digests: dict[str, None] = {}
        for prompt in prompts:
            for part in prompt.parts:
                digests[self._noted(part, new)] = None
        for prompt in prompts:
            if prompt.tools:
                digests[self._noted(_offer(prompt.tools), new)] = None
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

    def outline(
        self, prompt: Prompt, digests: Sequence[str], said: Mapping[int, Completion], *, alone: bool
    ) -> Outline:
        """A prompt as an ended turn keeps it, whose parts have these hashes and whose rounds ``said`` this; ``alone``, if
        they are those of no other prompt. KeyError where the prompt has another part."""
        letters = [_letter(message) for message in prompt.messages]
        offer = len(digests) - 1 if prompt.tools else None
        found: list[int] = []
        passages: dict[int, Passage] = {}
        if not (alone and all(letters) and len(prompt.parts) + bool(prompt.tools) == len(digests)):
            places = {digest: place for place, digest in enumerate(digests)}
            offer = places[self._digest(_offer(prompt.tools))] if prompt.tools else None
            for number, message in enumerate(prompt.messages):
                parts = [places[self._digest(part)] for part in message.parts]
                if letters[number]:
                    found += parts
                else:
                    passages[number] = _passage(message, parts, said)
        return Outline(
            "".join([letter or "-" for letter in letters]),
            len(digests),
            () if found == [*range(len(found))] else tuple(found),
            passages,
            offer,
            prompt.model,
            prompt.max_tokens,
            prompt.temperature,
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


# --- the prompts of ended turns --------------------------------------------------------------------------------------


def outlined(outline: Outline, parts: Sequence[Part], said: Mapping[int, Completion]) -> Prompt:
    """The prompt of an ended turn, whose record has these parts and whose rounds ``said`` this. LookupError, which names what
    is gone, where not all of it is there any more."""
    if len(parts) != outline.of:
        raise LookupError(f"{outline.of - len(parts)} of the {outline.of} parts of the turn's prompts")
    messages: list[PromptMessage] = []
    places = iter(outline.places or range(outline.of))
    for letter, count in _NOTATION.findall(outline.messages):
        passage = outline.passages.get(len(messages))
        if passage is None:
            shown = tuple(parts[place] for place in islice(places, int(count or 1)))
            messages.append(PromptMessage(_ROLES[letter], shown))
        else:
            messages.append(_said(passage, parts, said))
    return Prompt(
        tuple(messages),
        () if outline.tools is None else _tools.decode(parts[outline.tools].text),
        outline.model,
        outline.max_tokens,
        outline.temperature,
        outline.effort,
        outline.schema,
    )


_tools = msgspec.json.Decoder(tuple[Tool, ...])

_LETTERS = {"system": "s", "user": "u", "assistant": "a", "tool": "t"}
_ROLES = {letter: role for role, letter in _LETTERS.items()}
_NOTATION = re.compile(r"([a-z-])(\d*)")


def _letter(message: PromptMessage) -> str:
    """That of the role of a message which is nothing more than its role and its parts, with their number if it is not one; empty
    for any other."""
    if message.calls or message.call or message.carry is not None or message.failed:
        return ""
    letter, count = _LETTERS.get(message.role, ""), len(message.parts)
    return letter if count == 1 or not letter else f"{letter}{count}"


def _passage(message: PromptMessage, parts: Sequence[int], said: Mapping[int, Completion]) -> Passage:
    repeated = _repeated(message, said)
    if repeated:
        return Passage(message.role, said=repeated)
    return Passage(message.role, tuple(parts), message.calls, message.call, message.carry, message.failed)


def _said(passage: Passage, parts: Sequence[Part], said: Mapping[int, Completion]) -> PromptMessage:
    if not passage.said:
        found = tuple(parts[place] for place in passage.parts)
        return PromptMessage(passage.role, found, passage.calls, passage.call, passage.carry, passage.failed)
    completion = said.get(passage.said)
    if completion is None:
        raise LookupError(f"the answer of round {passage.said}")
    return PromptMessage(passage.role, completion.parts, completion.calls, carry=completion.carry)


def _offer(tools: tuple[Tool, ...]) -> Part:
    """The tools of a prompt as a part."""
    key = tuple(map(id, tools))
    known = _OFFERS.get(key)
    if known is None:
        known = _OFFERS[key] = (Part(_encode(tools).decode(), key="tools", provenance=_HOSTS), tools)
    return known[0]


_HOSTS = Provenance((OPERATOR,), plugin=CORE)  # whichever plugins the operator has enabled
_OFFERS: Kept[tuple[int, ...], tuple[Part, tuple[Tool, ...]]] = Kept(256)  # with the tools, whose addresses stay theirs


def _repeated(message: PromptMessage, said: Mapping[int, Completion]) -> int:
    """The round whose completion a message is; 0 if it is none."""
    if message.role != "assistant" or message.failed or message.call:
        return 0
    given = message.parts, message.calls, message.carry
    return next((number for number, each in said.items() if (each.parts, each.calls, each.carry) == given), 0)


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
