"""Clauses: whether a person's message asks for exactly one call, in a clause of its own.

A clause asks for a call if it begins as a request does (with the action's name or a simile of it, after "please", "can you", the
agent's name...), is neither negated nor under a condition nor quoted, and has behind that nothing but the arguments of the call: each
word of them stands there, in order, and each word that stands there is one of theirs. Words that carry no meaning of their own (articles,
prepositions, auxiliaries) do not count, and the speaker may have become a third person: "remember that I don't eat fish" asks for
``remember(text="Ana does not eat fish.")``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from carrier_core.policy.vocabulary import (
    ADDRESSED,
    ARTICLES,
    ASKING,
    BOUNDARY,
    CLOSING,
    CONDITIONS,
    FUNCTION,
    LEAD,
    NOT,
    OPENING,
    OTHERS,
    PARTICLES,
    PLACING,
    QUESTIONS,
    RELATION,
    REPORT,
    REPORTED,
    RETRACTED,
    SAYING,
    SPEAKER,
    STOPS,
)
from carrier_core.policy.words import leaves_of
from carrier_core.prompts import Json

_TOKEN = re.compile(r"\S+")


class Token(NamedTuple):
    """A word: as it is compared, what kind it is, whether a clause may begin with it, whether one ends with it, and whether it is
    quoted. Kinds are word, function, relation, own (the speaker's name), I, he, you and not."""

    text: str
    kind: str
    starts: bool
    stop: str
    quoted: bool


def asked(
    texts: Sequence[str],
    names: Iterable[tuple[str, ...]],
    arguments: Mapping[str, Json],
    *,
    places: Iterable[str] = (),
    speaker: str = "",
    agents: Iterable[str] = (),
) -> bool:
    """Whether one of the texts has a clause that asks for a call of one of these names (in words) with just these arguments."""
    own = frozenset(_words(speaker))
    agent = frozenset(word for name in agents for word in _words(name))
    given: list[tuple[bool, list[Token]]] = []
    for name, value in arguments.items():
        leaves = list(leaves_of(value))
        if not leaves or any(leaf is None for leaf in leaves):
            return False
        given += [(name in tuple(places), _tokens(_written(leaf), own)) for leaf in leaves]
    if any(not any(token.kind in ("word", "not") for token in tokens) for _, tokens in given):
        return False
    if any(is_place and not all(_is_name(token) for token in tokens) for is_place, tokens in given):
        return False
    known = tuple(names)
    return any(_asks(_tokens(text, frozenset()), known, given, agent) for text in texts)


def told(texts: Iterable[str], value: Json, *, speaker: str = "") -> bool:
    """Whether a value has no word but such as were said in these texts, in any order; the speaker's name may be added."""
    own = frozenset(_words(speaker))
    said = [token for text in texts for token in _tokens(text, frozenset())]
    leaves = list(leaves_of(value))
    return all(
        leaf is not None and any(_same(each, token) for each in said)
        for leaf in leaves
        for token in _tokens(_written(leaf), own)
        if token.kind in ("word", "not")
    )


def alike(one: Json, other: Json) -> bool:
    """Whether two values have the same words, but for small ones."""
    return _weighty(one) == _weighty(other)


def _weighty(value: Json) -> frozenset[str]:
    tokens = [token for leaf in leaves_of(value) if leaf is not None for token in _tokens(_written(leaf), frozenset())]
    return frozenset(_stem(token.text) for token in tokens if token.kind in ("word", "not"))


def _asks(
    tokens: list[Token],
    names: tuple[tuple[str, ...], ...],
    given: list[tuple[bool, list[Token]]],
    agent: frozenset[str],
) -> bool:
    sentence, also = 0, frozenset(names[0] if names else ())
    for place, token in enumerate(tokens):
        if place and tokens[place - 1].stop:
            sentence = place
        if token.quoted or any(each.text in CONDITIONS for each in tokens[sentence:place]):
            continue
        start = place
        while start > sentence and not tokens[start].starts:
            start -= 1
        if start > sentence and tokens[start - 1].text in SAYING:
            continue  # "he said, send it"
        end = next((each.stop for each in tokens[place:] if each.stop), "")
        if end == "?" and not any(each.text in ASKING for each in tokens[start:place]):
            continue  # "mute this room?" wants an answer
        led = "".join(f"{'AGENT' if each.text in agent else each.text} " for each in tokens[start:place])
        if not LEAD.fullmatch(led):
            continue
        for name in names:
            if name and token.text == "_".join(name) and _covers(tokens, place, name, given, frozenset(name), also):
                return True  # by the very name that the action has
            if (
                name
                and _is_form(token.text, name[0])
                and _covers(tokens, place, name, given, frozenset((name[0],)), also)
            ):
                return True
            if (
                name
                and len(given) > 1
                and token.kind == "word"
                and not any(is_place for is_place, _ in given)
                and _covers(tokens, place - 1, name, given, frozenset(), also)
            ):
                return True  # "post a joke every day": what is to be done goes before the word that says when
    return False


def _covers(
    tokens: list[Token],
    verb: int,
    name: tuple[str, ...],
    given: list[tuple[bool, list[Token]]],
    found: frozenset[str],
    also: frozenset[str],
) -> bool:
    """Whether the words behind the verb are those of the name and of the arguments, up to where a clause ends. Words of the
    action's own name may stand there ``also``."""

    def walk(place: int, named: frozenset[str], left: tuple[int, ...]) -> bool:
        if not left and named.issuperset(name) and (place >= len(tokens) or _ends(tokens, place)):
            return not _taken_back(tokens, place)
        if place >= len(tokens):
            return False
        token = tokens[place]
        for number in left:
            is_place, wanted = given[number]
            if is_place and (token.kind != "word" or not _is_placed(tokens, verb, place, name)):
                continue
            end = _matched(tokens, place, wanted)
            met = {word for word in name if any(_is_form(each.text, word) for each in tokens[place:end])}
            if end and walk(end, named | met, tuple(each for each in left if each != number)):
                return True
        words = {word for word in (*name, *also) if _is_form(token.text, word)}
        if words and walk(place + 1, named | words, left):
            return True
        is_small = token.kind in _SMALL or (place == verb + 1 and token.text in PARTICLES)
        return is_small and walk(place + 1, named, left)

    return walk(verb + 1, found, tuple(range(len(given))))


_SMALL = ("function", "relation", "I", "he", "you")


_NEAR = 4  # words behind a clause in which somebody else may be named as whose it is


def _taken_back(tokens: list[Token], place: int) -> bool:
    """Whether what stands behind a clause takes it back, puts a condition, or says that somebody else said it: "..., says the page"."""
    while place < len(tokens) and not tokens[place].starts and not tokens[place - 1].stop:
        place += 1
    rest = [each for each in tokens[place:] if not each.quoted]
    if any(each.kind == "not" or each.text in RETRACTED for each in rest):
        return True
    if not rest or tokens[place - 1].stop:
        return False
    length = next((number for number, each in enumerate(rest, 1) if each.stop), len(rest))
    same = rest[:length]
    return any(each.text in CONDITIONS for each in same) or any(each.text in REPORTED for each in same[:_NEAR])


def _ends(tokens: list[Token], place: int) -> bool:
    """Whether what was asked for is over here: a sentence ended, or another clause begins."""
    while place < len(tokens):
        token = tokens[place]
        if token.starts or tokens[place - 1].stop:
            return True
        if token.kind not in ("function", "relation", "I", "you"):
            return False
        place += 1
    return True


def _is_name(token: Token) -> bool:
    """Whether a word can be one of a destination: "me what" is none."""
    return (token.kind in ("word", "own") and token.text not in QUESTIONS) or token.text in ARTICLES


def _is_placed(tokens: list[Token], verb: int, place: int, name: tuple[str, ...]) -> bool:
    """Whether a destination stands where one stands: behind the verb, or behind to, in, on..."""
    before = place - 1
    while before > verb and tokens[before].text in ARTICLES:
        before -= 1
    return before == verb or tokens[before].text in PLACING or any(_is_form(tokens[before].text, word) for word in name)


def _matched(tokens: list[Token], place: int, wanted: list[Token]) -> int:
    """Where an argument that begins at a place ends, 0 if it does not stand there. Between its words function words are free; a
    pronoun stands for the person that it stood for."""
    start = place
    small: list[Token] = []
    first = True
    for each in wanted:
        if each.kind not in ("word", "not"):
            small.append(each)
            continue
        met: list[Token] = []
        while (
            place < len(tokens)
            and tokens[place].kind not in ("word", "not")
            and not (place > start and tokens[place - 1].stop)
        ):
            met.append(tokens[place])
            place += 1
        if place >= len(tokens) or (place > start and tokens[place - 1].stop) or not _same(tokens[place], each):
            return 0
        if not _fits(met, small, first=first):
            return 0
        small, first = [], False
        place += 1
    met = []
    for each in tokens[place:]:
        if tokens[place - 1].stop or each.kind in ("word", "not"):
            break
        met.append(each)
    return place if _fits(met, small, first=False) else 0


_STANDS_FOR = {"I": ("I", "own", "he"), "he": ("he", "you"), "you": ("you", "I")}


def _fits(met: list[Token], wanted: list[Token], *, first: bool) -> bool:
    """Whether the small words of an argument may stand for those of the message; "Ana says" may be added in front."""
    relations = [each.text for each in met if each.kind == "relation"]
    for text in [each.text for each in wanted if each.kind == "relation"]:
        if text not in relations:
            return False
        del relations[: relations.index(text) + 1]
    left = [each.kind for each in met if each.kind in _STANDS_FOR]
    people = [each.kind for each in wanted if each.kind in _STANDS_FOR or each.kind == "own"]
    for number, kind in enumerate(people):
        while left and kind not in _STANDS_FOR[left[0]]:
            left.pop(0)
        if left:
            left.pop(0)
        elif not (first and (kind == "own" or (number and people[0] == "own"))):
            return False
    return True


def _same(said: Token, wanted: Token) -> bool:
    if said.kind != wanted.kind:
        return False
    return _address(said.text) == _address(wanted.text) or (
        said.text.isalpha() and wanted.text.isalpha() and _stem(said.text) == _stem(wanted.text)
    )


def _address(word: str) -> str:
    """A URL without what nobody writes: ``example.org/menu`` is https://example.org/menu."""
    return word.removeprefix("https://").removesuffix("/") if "." in word else word


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _tokens(text: str, own: frozenset[str]) -> list[Token]:
    made: list[Token] = []
    quoted = ""
    starts = True
    below = False  # what stands under "summarise this:" is somebody's letter
    for line in text.casefold().replace("’", "'").split("\n"):
        cited = below or line.lstrip().startswith(">")
        below = below or line.rstrip().endswith(":")
        starts = True
        if made:
            made[-1] = made[-1]._replace(stop=made[-1].stop or ".")
        for found in _TOKEN.findall(line):
            opened = found[: len(found) - len(found.lstrip(OPENING))]
            if not quoted and any(each in '"“„«‹`' for each in opened):
                quoted = next(each for each in opened if each in '"“„«‹`')
            word = found.strip(OPENING + CLOSING).lstrip("#@")
            tail = found[len(found.rstrip(CLOSING)) :]
            closes = bool(quoted) and any(
                each in '"”“»›`' for each in (tail if opened else found[1:] if len(found) > 1 else found)
            )
            if word:
                made += _split(word, own, starts, bool(quoted) or cited)
                starts = False
            if closes:
                quoted = ""
            marks = [each for each in tail if each in STOPS]
            if made and marks:
                made[-1] = made[-1]._replace(stop="?" if "?" in marks else ".")
            starts = starts or any(each in ".!?;…,—–(" for each in tail) or (not word and found in ("-", "—", "–"))
    return made


def _written(leaf: str | float | None) -> str:
    """A number as people write it: 500 where it is 500.0."""
    return str(int(leaf)) if isinstance(leaf, float) and leaf.is_integer() else str(leaf)


def _split(word: str, own: frozenset[str], starts: bool, quoted: bool) -> Iterator[Token]:
    """A word as one or two tokens: ``don't`` is a form of do, and a not."""
    starts = starts or word in BOUNDARY
    number = re.fullmatch(r"[$€£¥]?(\d[\d,]*(?:\.\d+)?)(?:[$€£¥%])?", word)
    if number:
        yield Token(number[1].replace(",", ""), "word", starts, "", quoted)
        return
    if word in NOT or (word.endswith("n't") and len(word) > 3):
        if word.endswith("n't"):
            yield Token(word[:-3], "function", starts, "", quoted)
        yield Token(
            word if word in ("nothing", "nobody", "none", "without", "neither", "nor", "no") else "not",
            "not",
            starts,
            "",
            quoted,
        )
        return
    bare = word.removesuffix("'s")
    kind = (
        "own" if bare in own
        else "I" if word in SPEAKER
        else "he" if word in OTHERS
        else "you" if word in ADDRESSED
        else "relation" if word in RELATION
        else "function" if word in FUNCTION or word in REPORT
        else "word"
    )  # fmt: skip
    yield Token(bare if kind == "word" else word, kind, starts, "", quoted)


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.casefold())


_ENDINGS = frozenset(("", "s"))


def _is_form(said: str, word: str) -> bool:
    """A request is in the imperative: ``send``, not ``sent`` or ``sending``."""
    return said.startswith(word) and said[len(word) :] in _ENDINGS
