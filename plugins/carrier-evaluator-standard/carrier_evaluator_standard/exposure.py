"""Exposure: what a turn was shown, sorted by who may know it, and whether a draft gives any of it away."""

from __future__ import annotations

import re

import msgspec

from carrier_core import OPERATOR, PartKind, Prompt, Readers, Turn, outside, person
from carrier_evaluator_standard.links import Link, blob, decode, decoded

RUN = 5
"""Words in a row that are no coincidence."""
SHORT = 4
"""Letters that a word has at least to be looked for on its own."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_TELLING = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+|\+?\d[\d ()./-]{5,}\d|\d{6,}")
"""What says who somebody is all by itself: an address, a number of six digits or more."""


class Shown(msgspec.Struct, frozen=True):
    """The texts of a turn's prompt. ``own`` are those of the person spoken with alone, ``told`` theirs and the operator's,
    ``private`` what people and the agent said, ``foreign`` what came from outside, ``closed`` what not everyone who reads the
    room may know, and ``plain`` all that others than the agent wrote."""

    own: str = ""
    told: str = ""
    private: tuple[str, ...] = ()
    foreign: str = ""
    closed: tuple[str, ...] = ()
    plain: str = ""
    open: str = ""


def shown(turn: Turn, prompt: Prompt, readers: Readers) -> Shown:
    """What this turn's model was shown, for whoever reads the room."""
    me = person(turn.person.id)
    texts: dict[str, list[str]] = {
        name: [] for name in ("own", "told", "private", "foreign", "closed", "plain", "open")
    }
    texts["own"] += [part.text for part in turn.message.content if part.kind is PartKind.TEXT]
    texts["told"] += texts["own"]
    for message in prompt.messages:
        for part in message.parts:
            if not part.text:
                continue
            origins = set(part.provenance.origins) if part.provenance is not None else {outside("")}
            is_foreign = any(origin.startswith(outside("")) for origin in origins)
            is_open = part.provenance is None or part.provenance.audience.admits(readers)
            texts["open" if is_open else "closed"].append(part.text)
            if any(origin.startswith("person:") for origin in origins):
                texts["private"].append(part.text)
            if message.role == "assistant":  # its own earlier words prove nothing: they may be what was to be kept back
                continue
            texts["plain"].append(part.text)
            if is_foreign:
                texts["foreign"].append(part.text)
            if origins == {me}:
                texts["own"].append(part.text)
            if origins <= {me, OPERATOR}:
                texts["told"].append(part.text)
    joined = {name: "\n".join(texts[name]) for name in ("own", "told", "foreign", "plain", "open")}
    return Shown(private=tuple(texts["private"]), closed=tuple(texts["closed"]), **joined)


# --- what not everyone may know --------------------------------------------------------------------------------------


def gives_away(text: str, seen: Shown) -> bool:
    """Whether a draft repeats what not everyone in the room may know and nobody may have said there."""
    if not seen.closed:
        return False
    said, known = _run_of(text), _run_of(seen.open)
    return any(_repeats(said, known, _words(closed)) for closed in seen.closed)


def _repeats(said: str, known: str, words: list[str]) -> bool:
    length = min(RUN, len(words))
    if length == 0 or (length == 1 and len(words[0]) < 6):
        return False
    runs = (f" {' '.join(words[start : start + length])} " for start in range(len(words) - length + 1))
    return any(run in said and run not in known for run in runs)


# --- what links carry ---------------------------------------------------------------------------------------------------


def carries(link: Link, seen: Shown, allowed: tuple[str, ...] = ()) -> str:
    """What is wrong with a link, in words; empty if nothing is."""
    if _is_in(link, seen.told) or _is_allowed(link.host, allowed):
        return ""
    if _is_in(link, seen.plain):
        return ""
    encoded = blob(link)
    if encoded:
        return encoded
    if _holds_private(link, seen):
        return "has something from the conversation or your memory in it"
    if not seen.foreign or _names(seen.told, link.host):
        return ""
    if _names(seen.foreign, link.host) or link.image:
        return "" if _is_all_in(link, seen.foreign) else "is put together for a host that only outside content names"
    return "has words of the conversation in it" if _asks_with_words(link, seen) else ""


def _is_in(link: Link, text: str) -> bool:
    """Whether the address stands in a text as it is, with or without its scheme."""
    address = link.full.partition("://")[2].rstrip("/") or link.url
    return address in text


def _is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in allowed)


def _names(text: str, host: str) -> bool:
    """Whether a text names the host, or one that it belongs to."""
    folded = text.casefold()
    labels = host.split(".")
    return bool(host) and any(".".join(labels[start:]) in folded for start in range(max(1, len(labels) - 1)))


def _is_all_in(link: Link, text: str) -> bool:
    """Whether an address says nothing that is not in a text: then it tells its host nothing that it does not know."""
    folded = f" {decode(text).casefold()} "
    pieces = (*link.said, *link.host.split(".")[:-2])
    return all(piece.casefold() in folded or all(word in folded for word in _words(piece)) for piece in pieces)


def _holds_private(link: Link, seen: Shown) -> bool:
    """Whether it has several words in a row of what people said, or a number or an address of theirs, that the person spoken with
    has not just said; also where that is encoded."""
    pieces = [*link.said, *link.host.split(".")]
    pieces += [text for piece in pieces if (text := decoded(piece))]
    said = _run_of(" / ".join(pieces))
    own = _run_of(seen.own)
    for text in seen.private:
        words = _words(text)
        runs = (f" {' '.join(words[start : start + RUN])} " for start in range(len(words) - RUN + 1))
        if any(run in said and run not in own for run in runs):
            return True
        for telling in _TELLING.findall(text):
            if any(_bare(telling) in _bare(piece) for piece in pieces) and _bare(telling) not in _bare(seen.own):
                return True
    return False


def _asks_with_words(link: Link, seen: Shown) -> bool:
    """Whether its query or fragment has a word of what people said that no outside content has."""
    _, mark, query = link.full.replace("#", "?").partition("?")
    if not mark:
        return False
    private = set(_words("\n".join(seen.private)))
    foreign = set(_words(seen.foreign))
    return any(len(word) >= SHORT and word in private and word not in foreign for word in _words(decode(query)))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _run_of(text: str) -> str:
    return f" {' '.join(_words(text))} "


def _bare(text: str) -> str:
    return re.sub(r"[^\w@]", "", text).casefold()
